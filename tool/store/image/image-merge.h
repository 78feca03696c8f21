/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making one disk of a point independent of removed points under it.
 *
 *     point -> removed -> ... -> removed (the bottom) -> kept, or nothing
 *
 * The new image of the point is the bottom's, into which everything above it,
 * the point's own image last, has been written: it then builds on what the
 * bottom builds on.  While it grows under a name of its own, the point is read
 * through the old images, of which none is changed, with one exception: where
 * the file system cannot share blocks, and nobody else builds on it, a full
 * image at the bottom is written to in place, under a second name.  What is
 * written there is what the images above show already, so that the point still
 * reads the same at every moment, and doing it again does no harm. */
#pragma once

#include "store/store.h"

typedef struct
{
  const VkPoint *point; /* the one that stays */
  char *target;         /* of the disk */
  GPtrArray *chain;     /* paths of its images, top first, NULL-terminated */
  GPtrArray *layers;    /* their points */
  guint bottom;         /* the lowest of the removed ones, in both */
  const char *secret;   /* with which the disk is encrypted, or NULL: then it is copied whole */
  gboolean alone;       /* nobody else builds on the removed ones */
} VkImageMerge;

/* What merging needs: space for what is written on top of the bottom, and for
 * the bottom's own copy where there has to be one. */
typedef struct
{
  guint64 written;
  guint64 copied;
} VkImageMergeSpace;

/* points: all of the domain; doomed: a set of the ids of those that go.
 * Returns: (transfer full), or NULL without *error where that disk of point
 * builds on none of them, NULL with VK_ERROR_STORE when its chain is damaged. */
VkImageMerge *vk_image_merge_plan (const GPtrArray *points, const VkPoint *point, const char *target, GHashTable *doomed, GError **error);
void vk_image_merge_free (VkImageMerge *merge);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkImageMerge, vk_image_merge_free)

/* Compares all images that take part with their digests, so that damage is
 * noticed and not merged into what gets a new digest. */
gboolean vk_image_merge_check (const VkImageMerge *merge, GCancellable *cancellable, GError **error);

VkImageMergeSpace vk_image_merge_space (const VkImageMerge *merge);

/* VK_ERROR_STORE when the file system of directory has less than that free. */
gboolean vk_image_check_space (const char *directory, guint64 bytes, GError **error);

/* Makes the new image beside the old one, and disk its description.  *method
 * gets a word for how: see VkMerge. */
gboolean vk_image_merge_build (const VkImageMerge *merge, VkManifestDisk *disk, const char **method, GCancellable *cancellable, GError **error);

/* Replaces the images of point by the new ones that were made, and its manifest
 * by the given one: at every moment the two together describe the images. */
gboolean vk_image_merge_publish (const VkPoint *point, const VkManifest *manifest, GError **error);

/* See vk_point_writer_make_full(): the point id in the domain's directory. */
gboolean vk_image_make_full (const char *directory, const char *id, const char *reason, VkManifest *manifest, GCancellable *cancellable, GError **error);

/* Takes back, or ends, what a killed process has left in the domain's directory,
 * whose lock the caller holds: unfinished points, unfinished merged images.
 * Points whose removal was begun stay as they are. */
gboolean vk_image_recover (const char *domain_directory, GError **error);
