/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names in an image store. */
#pragma once

#include "store/store.h"

#define VK_IMAGE_MANIFEST "manifest.json"
#define VK_IMAGE_PARTIAL_PREFIX ".partial-"
#define VK_IMAGE_ANNOTATIONS "annotations.json"

/* What a machine that was started from the point has shown, for the verdict. */
#define VK_IMAGE_SCREENSHOT "screenshot.png"

/* The manifest of a point that is being removed.  Nobody shows such a point any
 * more, but others may build on its images until they have been merged. */
#define VK_IMAGE_REMOVED "manifest-removed.json"

/* The manifest of a point whose images are just being replaced by merged ones:
 * of each disk the image itself tells which of the two manifests describes it. */
#define VK_IMAGE_MERGED "manifest-merged.json"

/* Files in a point: the merged image to be; another image of a point that is
 * being removed and has been written to, so that its digest holds no more. */
#define VK_IMAGE_MERGE_PREFIX ".merge-"
#define VK_IMAGE_NEW_PREFIX ".new-" /* anything else that is not complete yet */
#define VK_IMAGE_CHANGED_PREFIX ".changed-"

/* A directory that nobody needs any more. */
#define VK_IMAGE_DISCARDED_PREFIX ".discarded-"

/* QEMU's user has to pass through these to reach an image that it writes, and
 * need not (and must not) list them. */
enum { VK_IMAGE_DIRECTORY_MODE = 0711, VK_IMAGE_POINT_MODE = 0700 };

typedef struct
{
  VkStore base;
  char *path; /* absolute */
} VkImageStore;

/* "NAME.UUID", with what cannot be in a file name, and a leading dot, as %XX.
 * Returns: (transfer full). */
char *vk_image_domain_directory_name (const char *name, const char *uuid);

/* The directory of the domain with this UUID, whatever its name was when it
 * was made; NULL when there is none, with
 * *error set when it cannot be told, or is a link.  Returns: (transfer full) its path. */
char *vk_image_find_domain_directory (const VkImageStore *store, const char *uuid, GError **error);

/* The same, or where it is to be made: NULL is an error.  Returns: (transfer full). */
char *vk_image_lock_directory (VkStore *store, const char *domain_name, const char *domain_uuid, GError **error);

/* Whether name is that of a restore point: YYYYMMDDTHHMMSSZ. */
gboolean vk_image_is_point_name (const char *name);

/* The names in the directory path, sorted.  Returns: (transfer full). */
GPtrArray *vk_image_directory_names (const char *path, GError **error);

/* Symbolic links are none: what they lead to is not the store's. */
gboolean vk_image_is_directory (const char *path);

/* The point of that id beside others in the domain's directory; what is wrong
 * with it is in its damage.  Returns: (transfer full). */
VkPoint *vk_image_read_point (const char *domain_directory, const char *id);

/* All points in the domain's directory, oldest first, with those that are being
 * removed.  What they build on is not looked at.
 * Returns: (transfer full) of VkPoint. */
GPtrArray *vk_image_read_points (const char *domain_directory, GError **error);

/* See vk_store_annotate() and vk_store_record_verdict(). */
gboolean vk_image_annotate (VkStore *store, const VkPoint *point, gboolean is_protected, const char *note, GError **error);
gboolean vk_image_record_verdict (VkStore *store, const VkPoint *point, const VkVerdict *verdict, GBytes *screenshot, GError **error);

/* Fills in what annotations.json says about the point. */
void vk_image_read_annotations (VkPoint *point);

/* See vk_store_remove() and vk_store_finish(). */
gboolean vk_image_remove (VkStore *store, const GPtrArray *points, VkRemoval *removal, GCancellable *cancellable, GError **error);
gboolean vk_image_finish (VkStore *store, const char *domain, VkRemoval *removal, GCancellable *cancellable, GError **error);

/* The same for one domain's directory. */
gboolean vk_image_finish_domain (const char *directory, VkRemoval *removal, GCancellable *cancellable, GError **error);

/* See vk_store_find_leftovers() and vk_store_clear_leftover(). */
GPtrArray *vk_image_find_leftovers (VkStore *store, const char *domain_uuid, GError **error);
gboolean vk_image_clear_leftover (VkStore *store, const VkStoreLeftover *leftover, GError **error);

/* Whether the domain's directory of that name, in which point is, belongs
 * to what the user calls domain (a name or UUID; NULL: any). */
gboolean vk_image_is_of_domain (const char *directory_name, const VkPoint *point, const char *domain);

/* "../ID/IMAGE": the name by which an image's backing file is stored in it, so
 * that a copied or moved store stays readable.  Returns: (transfer full). */
char *vk_image_backing_name (const VkPoint *base, const VkManifestDisk *disk);

/* The disk's image of point and all that it builds on, top first: the absolute
 * paths, NULL-terminated, and at the same places in points (may be NULL) the
 * points.  Each image's own header has to name the next one.
 * Returns: (transfer full), or NULL with VK_ERROR_STORE set. */
GPtrArray *vk_image_chain (const VkPoint *point, const char *disk, GPtrArray **points, GError **error);

/* See vk_store_verify(). */
gboolean vk_image_verify (VkStore *store, const GPtrArray *points, const char *socket_dir, GPtrArray *damages, GCancellable *cancellable, GError **error);

/* Begins a point: see vk_store_begin_point(). */
VkPointWriter *vk_image_writer_new (VkImageStore *store, const char *domain_name, const char *domain_uuid, GError **error);
