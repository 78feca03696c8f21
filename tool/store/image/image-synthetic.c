/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A full image made of a chain, without the guest: the newest point's images are
 * merged into copies of the full ones below, and nobody else's change. */
#include "config.h"

#include "base/error.h"
#include "store/image/image-layout.h"
#include "store/image/image-merge.h"

static GHashTable *
ids_of (const GPtrArray *points)
{
  GHashTable *ids = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < points->len; i++)
    g_hash_table_add (ids, ((VkPoint *) g_ptr_array_index (points, i))->id);
  return ids;
}

/* One merge for each disk that builds on another point: all the way down, as if
 * everything below were to go, but never in place, since nothing goes. */
static GPtrArray *
plan (const GPtrArray *points, const VkPoint *point, GError **error)
{
  g_autoptr (GPtrArray) merges = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_image_merge_free);
  g_autoptr (GHashTable) ids = ids_of (points);
  g_autoptr (GError) failure = NULL;

  for (guint i = 0; i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      VkImageMerge *merge = vk_image_merge_plan (points, point, disk->target, ids, &failure);

      if (failure != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return NULL;
        }
      if (merge == NULL)
        continue;
      merge->alone = FALSE;
      g_ptr_array_add (merges, merge);
    }
  return g_steal_pointer (&merges);
}

static gboolean
check_space (const GPtrArray *merges, const char *directory, GError **error)
{
  guint64 bytes = 0;

  for (guint i = 0; i < merges->len; i++)
    {
      VkImageMergeSpace space = vk_image_merge_space (g_ptr_array_index (merges, i));

      bytes += space.written + space.copied;
    }
  return vk_image_check_space (directory, bytes, error);
}

static gboolean
build (const GPtrArray *merges, const VkPoint *point, VkManifest *manifest, GCancellable *cancellable, GError **error)
{
  const char *method;

  for (guint i = 0; i < merges->len; i++)
    {
      const VkImageMerge *merge = g_ptr_array_index (merges, i);
      VkManifestDisk *disk = (VkManifestDisk *) vk_manifest_find_disk (manifest, merge->target);

      if (!vk_image_merge_build (merge, disk, &method, cancellable, error))
        return FALSE;
    }
  return vk_image_merge_publish (point, manifest, error);
}

gboolean
vk_image_make_full (const char *directory, const char *id, const char *reason, VkManifest *manifest, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) points = vk_image_read_points (directory, error);
  g_autoptr (VkPoint) point = points ? vk_image_read_point (directory, id) : NULL;
  g_autoptr (VkManifest) full = point && point->manifest ? vk_manifest_copy (point->manifest, error) : NULL;
  g_autoptr (GPtrArray) merges = full ? plan (points, point, error) : NULL;
  GPtrArray *disks;

  if (point != NULL && point->manifest == NULL)
    g_set_error_literal (error, VK_ERROR, VK_ERROR_STORE, point->damage);
  if (merges == NULL || !check_space (merges, directory, error))
    return FALSE;
  vk_manifest_set_synthetic (full, reason);
  if (!build (merges, point, full, cancellable, error))
    {
      vk_image_recover (directory, NULL);
      return FALSE;
    }
  vk_manifest_set_synthetic (manifest, reason);
  /* The old ones go with full. */
  disks = manifest->disks;
  manifest->disks = full->disks;
  full->disks = disks;
  return TRUE;
}
