/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* restic itself, for what it does as well as anybody could: removing data, copying
 * between repositories, mounting. */
#pragma once

#include "store/restic/restic-store.h"

/* Runs restic with arguments (NULL-terminated, the command first) on the store.
 * The repository's place and its password go through the environment of the child
 * only, since the former may hold a password, too.  The child's words go to our
 * standard error.  The store's lock is given up before.
 * VK_ERROR_REFUSED when restic is not installed, VK_ERROR_BUSY when others hold a
 * lock, VK_ERROR_STORE when restic fails. */
gboolean vk_restic_program_run (VkResticStore *store, const char *const *arguments, GCancellable *cancellable, GError **error);

/* The same with target for the repository, and store for the one it is copied from. */
gboolean vk_restic_program_copy (VkResticStore *store, VkResticStore *target, const char *const *arguments, GCancellable *cancellable, GError **error);
