/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks in a repository whose holders are gone: see VkStoreOps. */
#pragma once

#include "store/store.h"

GPtrArray *vk_restic_find_leftovers (VkStore *store, const char *domain_uuid, GError **error);
gboolean vk_restic_clear_leftover (VkStore *store, const VkStoreLeftover *leftover, GError **error);

/* Before restic is called, which takes the lock of a process that was killed for a living one,
 * and would not begin: removes what `restic unlock' would remove. */
gboolean vk_restic_clear_stale_locks (VkStore *store, GError **error);
