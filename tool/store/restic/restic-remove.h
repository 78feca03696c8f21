/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What changes the points of a restic store that are there: see VkStoreOps. */
#pragma once

#include "store/restic/restic-store.h"

gboolean vk_restic_remove (VkStore *store, const GPtrArray *points, VkRemoval *removal, GCancellable *cancellable, GError **error);
gboolean vk_restic_finish (VkStore *store, const char *domain, VkRemoval *removal, GCancellable *cancellable, GError **error);
gboolean vk_restic_annotate (VkStore *store, const VkPoint *point, gboolean is_protected, const char *note, GError **error);
gboolean vk_restic_copy (VkStore *store, const GPtrArray *points, const char *url, const VkStoreSettings *settings, GCancellable *cancellable, GError **error);
gboolean vk_restic_mount (VkStore *store, const char *directory, GCancellable *cancellable, GError **error);
