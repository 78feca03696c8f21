/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/image/image-merge.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/room.h"
#include "base/file-digest.h"
#include "base/files.h"
#include "store/image/image-layout.h"
#include "view/qcow2-header.h"
#include "view/nbd-server.h"
#include "view/qemu-img-convert.h"
#include "view/qemu-img.h"

/* What is written grows an image by a little more than that, and other
 * programs write, too. */
enum { SPACE_MARGIN = 16 << 20 };

enum { CHECK_ATTEMPTS = 25, CHECK_PAUSE_US = 200000 };

static const char method_in_place[] = "in-place";
static const char method_clone[] = "clone";
static const char method_copy[] = "copy";

static const VkManifestDisk *
disk_at (const VkImageMerge *merge, guint layer)
{
  return vk_manifest_find_disk (((VkPoint *) g_ptr_array_index (merge->layers, layer))->manifest, merge->target);
}

/* The file of that kind that belongs to the image at that place. */
static char *
beside (const VkImageMerge *merge, guint layer, const char *prefix)
{
  const VkPoint *point = g_ptr_array_index (merge->layers, layer);

  return g_strdup_printf ("%s/%s%s", point->location, prefix, disk_at (merge, layer)->image);
}

void
vk_image_merge_free (VkImageMerge *merge)
{
  g_free (merge->target);
  g_clear_pointer (&merge->chain, g_ptr_array_unref);
  g_clear_pointer (&merge->layers, g_ptr_array_unref);
  g_free (merge);
}

/* How many points have an image directly on that one of the point id. */
static guint
count_children (const GPtrArray *points, const char *id, const char *target)
{
  guint count = 0;

  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);
      const VkManifestDisk *disk = point->manifest ? vk_manifest_find_disk (point->manifest, target) : NULL;

      count += disk != NULL && g_strcmp0 (disk->base, id) == 0;
    }
  return count;
}

VkImageMerge *
vk_image_merge_plan (const GPtrArray *points, const VkPoint *point, const char *target, GHashTable *doomed, GError **error)
{
  const VkManifestDisk *disk = vk_manifest_find_disk (point->manifest, target);
  g_autoptr (VkImageMerge) merge = NULL;

  if (disk->base == NULL || !g_hash_table_contains (doomed, disk->base))
    return NULL;
  merge = g_new0 (VkImageMerge, 1);
  merge->point = point;
  merge->target = g_strdup (target);
  merge->alone = TRUE;
  merge->chain = vk_image_chain (point, target, &merge->layers, error);
  if (merge->chain == NULL)
    return NULL;
  for (guint i = 1; i < merge->layers->len; i++)
    {
      const VkPoint *layer = g_ptr_array_index (merge->layers, i);

      if (!g_hash_table_contains (doomed, layer->id))
        break;
      merge->bottom = i;
      merge->alone = merge->alone && count_children (points, layer->id, target) == 1;
    }
  if (disk->secret != NULL)
    {
      merge->secret = disk->secret;
      merge->bottom = merge->layers->len - 1;
      merge->alone = FALSE;
    }
  return g_steal_pointer (&merge);
}

/* An image that a killed process has written to in place.  Its qemu-img may not
 * have ended yet: QEMU's lock tells, which the check has to get. */
static gboolean
check_changed (const char *path, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failure = NULL;

  for (guint i = 0; i < CHECK_ATTEMPTS; i++)
    {
      g_clear_error (&failure);
      if (vk_qemu_img_check (path, NULL, cancellable, &failure))
        return TRUE;
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      g_usleep (CHECK_PAUSE_US);
    }
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
vk_image_merge_check (const VkImageMerge *merge, GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i <= merge->bottom; i++)
    {
      const char *path = g_ptr_array_index (merge->chain, i);
      g_autofree char *changed = beside (merge, i, VK_IMAGE_CHANGED_PREFIX);

      if (g_file_test (changed, G_FILE_TEST_EXISTS))
        {
          if (!check_changed (path, cancellable, error))
            return FALSE;
          continue;
        }
      if (!vk_file_check_sha256 (path, disk_at (merge, i)->sha256, cancellable, error))
        return FALSE;
    }
  return TRUE;
}

static guint64
allocated_bytes (const char *path)
{
  GStatBuf status;

  return g_stat (path, &status) == 0 ? (guint64) status.st_blocks * 512 : 0;
}

/* Whether the bottom may be written to where it is. */
static gboolean
in_place_is_possible (const VkImageMerge *merge)
{
  return merge->alone && disk_at (merge, merge->bottom)->base == NULL;
}

VkImageMergeSpace
vk_image_merge_space (const VkImageMerge *merge)
{
  const char *bottom = g_ptr_array_index (merge->chain, merge->bottom);
  g_autofree char *probe = beside (merge, 0, VK_IMAGE_NEW_PREFIX);
  VkImageMergeSpace space = { 0 };

  for (guint i = 0; i < merge->bottom; i++)
    space.written += allocated_bytes (g_ptr_array_index (merge->chain, i));
  if (!in_place_is_possible (merge))
    space.copied = allocated_bytes (bottom);
  if (space.copied > 0 && merge->secret == NULL && vk_file_clone (bottom, probe))
    {
      g_unlink (probe);
      space.copied = 0;
    }
  return space;
}

gboolean
vk_image_check_space (const char *directory, guint64 bytes, GError **error)
{
  VkRoom room;
  g_autofree char *needed = NULL;
  g_autofree char *available = NULL;

  if (!vk_room_get (directory, &room, error))
    return FALSE;
  if (bytes == 0 || bytes + SPACE_MARGIN <= room.left)
    return TRUE;
  needed = g_format_size_full (bytes + SPACE_MARGIN, G_FORMAT_SIZE_IEC_UNITS);
  available = g_format_size_full (room.left, G_FORMAT_SIZE_IEC_UNITS);
  return vk_fail (error, VK_ERROR_STORE, "merging restore points in '%s' needs %s, and only %s are free: make room, or merge fewer points at once", directory, needed, available);
}

/* Writes all images above the bottom into the file new_bottom, which is the
 * bottom's or a copy of it. */
static gboolean
write_above (const VkImageMerge *merge, const char *new_bottom, gboolean durable, GCancellable *cancellable, GError **error)
{
  /* The top image of a chain is opened for writing, so that is an empty one:
   * readers may have the point's own open. */
  g_autofree char *top = beside (merge, 0, VK_IMAGE_NEW_PREFIX);
  g_autoptr (GPtrArray) chain = g_ptr_array_new ();
  VkQcow2Header header;
  gboolean ok;

  if (!vk_qcow2_header_read (new_bottom, &header, error) || !vk_qemu_img_create (top, header.size, error))
    return FALSE;
  g_ptr_array_add (chain, top);
  for (guint i = 0; i < merge->chain->len; i++)
    g_ptr_array_add (chain, i == merge->bottom ? (gpointer) new_bottom : g_ptr_array_index (merge->chain, i));
  ok = vk_qemu_img_commit ((const char *const *) chain->pdata, merge->bottom + 1, durable, cancellable, error);
  g_unlink (top);
  return ok;
}

/* The bottom under a second name.  Its digest holds no more from here on. */
static gboolean
link_bottom (const VkImageMerge *merge, const char *new_bottom)
{
  g_autofree char *changed = beside (merge, merge->bottom, VK_IMAGE_CHANGED_PREFIX);
  g_autofree char *directory = g_path_get_dirname (changed);

  return (g_file_test (changed, G_FILE_TEST_EXISTS) || vk_file_write (changed, "", 0, NULL))
      && vk_file_sync (directory, NULL)
      && link (g_ptr_array_index (merge->chain, merge->bottom), new_bottom) == 0;
}

static gboolean
copy_bottom (const VkImageMerge *merge, const char *new_bottom, GCancellable *cancellable, GError **error)
{
  const char *bottom = g_ptr_array_index (merge->chain, merge->bottom);
  VkImageMergeSpace space = vk_image_merge_space (merge);

  return vk_image_check_space (merge->point->location, space.written + allocated_bytes (bottom), error)
      && vk_file_copy (bottom, new_bottom, error)
      && !g_cancellable_set_error_if_cancelled (cancellable, error);
}

/* QEMU's commit finds images by names, which those that need a key do not have. */
static gboolean
copy_encrypted (const VkImageMerge *merge, const char *path, GCancellable *cancellable, GError **error)
{
  VkImageForm form = { .format = "qcow2", .secret = merge->secret };
  VkImageMergeSpace space = vk_image_merge_space (merge);
  g_autofree char *chain = vk_nbd_describe_chain ((const char *const *) merge->chain->pdata, merge->secret, error);

  return chain != NULL
      && vk_image_check_space (merge->point->location, space.written + space.copied, error)
      && vk_qemu_img_convert (chain, path, &form, NULL, NULL, cancellable, error);
}

static gboolean
build_image (const VkImageMerge *merge, const char *path, const char **method, GCancellable *cancellable, GError **error)
{
  if (merge->secret != NULL)
    {
      *method = method_copy;
      return copy_encrypted (merge, path, cancellable, error);
    }
  *method = method_clone;
  if (vk_file_clone (g_ptr_array_index (merge->chain, merge->bottom), path))
    return write_above (merge, path, FALSE, cancellable, error);
  *method = method_in_place;
  if (in_place_is_possible (merge))
    {
      /* QEMU refuses when a reader has the image open: then it is copied. */
      if (link_bottom (merge, path) && write_above (merge, path, TRUE, cancellable, NULL))
        return TRUE;
      g_unlink (path);
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
    }
  *method = method_copy;
  return copy_bottom (merge, path, cancellable, error) && write_above (merge, path, FALSE, cancellable, error);
}

gboolean
vk_image_merge_build (const VkImageMerge *merge, VkManifestDisk *disk, const char **method, GCancellable *cancellable, GError **error)
{
  const char *bottom_path = g_ptr_array_index (merge->chain, merge->bottom);
  const VkManifestDisk *bottom = disk_at (merge, merge->bottom);
  g_autofree char *path = beside (merge, 0, VK_IMAGE_MERGE_PREFIX);
  g_auto (VkFd) held = vk_file_hold (bottom_path, error); /* what is merged in place is written into it */
  g_autofree char *sha256 = NULL;
  guint64 size;

  if (held < 0)
    return FALSE;
  if (!build_image (merge, path, method, cancellable, error))
    {
      g_unlink (path);
      return FALSE;
    }
  sha256 = vk_file_sha256 (path, &size, cancellable, error);
  if (sha256 == NULL || !vk_file_sync (path, error) || !vk_file_sync_held (held, bottom_path, error))
    return FALSE;
  g_free (disk->sha256);
  disk->sha256 = g_steal_pointer (&sha256);
  disk->size = size;
  g_free (disk->base);
  disk->base = g_strdup (bottom->base);
  if (disk->base == NULL)
    {
      g_free (disk->level);
      disk->level = g_strdup ("full");
    }
  return TRUE;
}
