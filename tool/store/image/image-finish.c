/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/image/image-finish.h"

#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "store/image/image-layout.h"
#include "store/image/image-merge.h"

GHashTable *
vk_image_removed_ids (const GPtrArray *points)
{
  GHashTable *ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if (point->removed)
        g_hash_table_add (ids, g_strdup (point->id));
    }
  return ids;
}

/* The plans for each disk of the point that builds on doomed ones; possibly
 * none. */
static GPtrArray *
plan_point (const GPtrArray *points, const VkPoint *point, GHashTable *doomed, GError **error)
{
  g_autoptr (GPtrArray) merges = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_image_merge_free);
  g_autoptr (GError) failure = NULL;

  for (guint i = 0; i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      VkImageMerge *merge = vk_image_merge_plan (points, point, disk->target, doomed, &failure);

      if (merge != NULL)
        g_ptr_array_add (merges, merge);
      else if (failure != NULL)
        {
          g_autofree char *name = vk_point_name (point);

          vk_fail (error, VK_ERROR_REFUSED, "the restore point '%s' builds on one that is to go, and cannot be made independent of it: %s; mend it, or remove it, too", name, failure->message);
          return NULL;
        }
    }
  return g_steal_pointer (&merges);
}

/* What a point builds on whose manifest cannot be read, nobody knows. */
static gboolean
check_readable (const GPtrArray *points, GHashTable *doomed, GError **error)
{
  gboolean after = FALSE;

  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if (g_hash_table_contains (doomed, point->id))
        after = TRUE;
      else if (after && point->manifest == NULL)
        return vk_fail (error, VK_ERROR_REFUSED, "the restore point '%s' may build on one that is to go, and cannot be read: %s; mend it, or remove it first", point->location, point->damage);
    }
  return TRUE;
}

/* Whether a point builds on that one. */
static gboolean
is_needed (const GPtrArray *points, const char *id)
{
  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      for (guint k = 0; point->manifest != NULL && k < point->manifest->disks->len; k++)
        if (g_strcmp0 (((VkManifestDisk *) g_ptr_array_index (point->manifest->disks, k))->base, id) == 0)
          return TRUE;
    }
  return FALSE;
}

/* points without the doomed ones on which only doomed ones build. */
static GPtrArray *
without_unneeded (const GPtrArray *points, GHashTable *doomed)
{
  GPtrArray *left = g_ptr_array_new ();

  for (guint i = 0; i < points->len; i++)
    g_ptr_array_add (left, g_ptr_array_index (points, i));
  for (guint i = left->len; i-- > 0;)
    {
      const VkPoint *point = g_ptr_array_index (left, i);

      if (g_hash_table_contains (doomed, point->id) && !is_needed (left, point->id))
        g_ptr_array_remove_index (left, i);
    }
  return left;
}

gboolean
vk_image_check_removal (const char *directory, const GPtrArray *all_points, GHashTable *doomed, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) points = without_unneeded (all_points, doomed);
  guint64 written = 0, copied = 0;

  if (!check_readable (all_points, doomed, error))
    return FALSE;
  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);
      g_autoptr (GPtrArray) merges = NULL;
      guint64 copied_here = 0;

      if (point->manifest == NULL || g_hash_table_contains (doomed, point->id))
        continue;
      merges = plan_point (points, point, doomed, error);
      if (merges == NULL)
        return FALSE;
      for (guint k = 0; k < merges->len; k++)
        {
          const VkImageMerge *merge = g_ptr_array_index (merges, k);
          VkImageMergeSpace space = vk_image_merge_space (merge);

          if (!vk_image_merge_check (merge, cancellable, error))
            return FALSE;
          written += space.written;
          copied_here += space.copied;
        }
      /* A copy lasts: it is what the new image grows from.  But the bottom's
       * own blocks are free again once its last point has been merged. */
      copied = MAX (copied, copied_here);
    }
  return vk_image_check_space (directory, written + copied, error);
}

/* What the point as a whole counts from follows from its disks. */
static void
describe_level (VkManifest *manifest, GHashTable *doomed)
{
  const char *newest = NULL;

  for (guint i = 0; i < manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);

      if (disk->base != NULL && (newest == NULL || strcmp (disk->base, newest) > 0))
        newest = disk->base;
    }
  if (newest == NULL || (manifest->base != NULL && g_hash_table_contains (doomed, manifest->base)))
    {
      g_free (manifest->base);
      manifest->base = g_strdup (newest);
    }
  if (newest == NULL)
    {
      g_free (manifest->level);
      manifest->level = g_strdup ("full");
    }
  g_free (manifest->merged);
  manifest->merged = vk_time_now ();
}

static void
note_merge (VkRemoval *removal, const VkPoint *point, const VkManifestDisk *disk, const char *method)
{
  VkMerge *note = g_new0 (VkMerge, 1);

  note->point = vk_point_name (point);
  note->disk = g_strdup (disk->target);
  note->base = g_strdup (disk->base);
  note->method = method;
  g_ptr_array_add (removal->merged, note);
}

static gboolean
merge_point (const VkPoint *point, const GPtrArray *merges, GHashTable *doomed, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkManifest) manifest = vk_manifest_copy (point->manifest, error);
  g_autofree const char **methods = g_new0 (const char *, merges->len);

  if (manifest == NULL)
    return FALSE;
  for (guint i = 0; i < merges->len; i++)
    {
      const VkImageMerge *merge = g_ptr_array_index (merges, i);
      VkManifestDisk *disk = (VkManifestDisk *) vk_manifest_find_disk (manifest, merge->target);

      if (!vk_image_merge_build (merge, disk, &methods[i], cancellable, error))
        return FALSE;
    }
  describe_level (manifest, doomed);
  if (!vk_image_merge_publish (point, manifest, error))
    return FALSE;
  for (guint i = 0; i < merges->len; i++)
    note_merge (removal, point, vk_manifest_find_disk (manifest, ((VkImageMerge *) g_ptr_array_index (merges, i))->target), methods[i]);
  return TRUE;
}

static gboolean
discard (const char *directory, const VkPoint *point, GError **error)
{
  g_autofree char *discarded = g_strdup_printf ("%s/" VK_IMAGE_DISCARDED_PREFIX "%s", directory, point->id);

  return vk_file_rename (point->location, discarded, error) && vk_tree_remove (discarded, error);
}

/* Newest first, because the removed ones build on each other, too. */
static gboolean
discard_unneeded (const char *directory, VkRemoval *removal, GError **error)
{
  g_autoptr (GPtrArray) points = vk_image_read_points (directory, error);
  g_autoptr (GHashTable) doomed = NULL;

  if (points == NULL)
    return FALSE;
  doomed = vk_image_removed_ids (points);
  if (!check_readable (points, doomed, error))
    return FALSE;
  for (guint i = points->len; i-- > 0;)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if (!point->removed || is_needed (points, point->id))
        continue;
      if (!discard (directory, point, error))
        return FALSE;
      g_ptr_array_add (removal->removed, vk_point_name (point));
      g_ptr_array_remove_index (points, i);
    }
  return TRUE;
}

/* Merges the oldest point that needs it; *done when there is none. */
static gboolean
merge_next (const char *directory, gboolean *done, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) points = vk_image_read_points (directory, error);
  g_autoptr (GHashTable) doomed = NULL;

  if (points == NULL)
    return FALSE;
  doomed = vk_image_removed_ids (points);
  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);
      g_autoptr (GPtrArray) merges = NULL;

      if (point->removed || point->manifest == NULL)
        continue;
      merges = plan_point (points, point, doomed, error);
      if (merges == NULL)
        return FALSE;
      if (merges->len > 0)
        return merge_point (point, merges, doomed, removal, cancellable, error);
    }
  *done = TRUE;
  return TRUE;
}

gboolean
vk_image_finish_removal (const char *directory, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  gboolean done = FALSE;

  while (!done)
    if (!discard_unneeded (directory, removal, error) || !merge_next (directory, &done, removal, cancellable, error))
      {
        /* The half-made image of a failed merge only takes space. */
        vk_image_recover (directory, NULL);
        return FALSE;
      }
  return TRUE;
}
