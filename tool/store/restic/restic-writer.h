/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing one restore point of a restic store. */
#pragma once

#include "store/restic/restic-store.h"

/* See vk_store_begin_point(). */
VkPointWriter *vk_restic_writer_new (VkResticStore *store, const char *domain_name, const char *domain_uuid, GCancellable *cancellable, GError **error);

/* See VkStoreOps. */
char *vk_restic_lock_directory (VkStore *store, const char *domain_name, const char *domain_uuid, GError **error);
