/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way from points that are to be removed to points that are.
 *
 * First they are hidden, by the name of their manifests: from then on nobody
 * shows them, but they can be read by what builds on them.  Then each point that
 * stays is made independent of them, oldest first, and what is needed no more is
 * deleted.  All state is in those names, so that every later run goes on where
 * one was interrupted.  The caller holds the domain's lock. */
#pragma once

#include "store/store.h"

/* The ids of those of points that are hidden, as a set. */
GHashTable *vk_image_removed_ids (const GPtrArray *points);

/* Everything that can be known beforehand to stand in the way of removing the
 * doomed ones (a set of ids) of all points in the domain's directory:
 * VK_ERROR_REFUSED, VK_ERROR_STORE. */
gboolean vk_image_check_removal (const char *directory, const GPtrArray *all_points, GHashTable *doomed, GCancellable *cancellable, GError **error);

/* Removes the hidden ones. */
gboolean vk_image_finish_removal (const char *directory, VkRemoval *removal, GCancellable *cancellable, GError **error);
