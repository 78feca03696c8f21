/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removing points: which, whether they may go, and hiding them. */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "store/domain-lock.h"
#include "store/image/image-claims.h"
#include "store/image/image-finish.h"
#include "store/image/image-layout.h"
#include "store/image/image-merge.h"

static VkPoint *
find_point (const GPtrArray *points, const char *id)
{
  for (guint i = 0; i < points->len; i++)
    if (strcmp (((VkPoint *) g_ptr_array_index (points, i))->id, id) == 0)
      return g_ptr_array_index (points, i);
  return NULL;
}

static gboolean
refuse_protected (const VkPoint *point, GError **error)
{
  g_autofree char *name = vk_point_name (point);

  vk_fail (error, VK_ERROR_REFUSED, "the restore point '%s' is protected%s%s: see virt-keep unprotect", name,
               point->annotation_damage ? ", as far as can be told: " : "", point->annotation_damage ? point->annotation_damage : "");
  return FALSE;
}

static gboolean
hide (const VkPoint *point, GError **error)
{
  g_autofree char *manifest = g_build_filename (point->location, VK_IMAGE_MANIFEST, NULL);
  g_autofree char *removed = g_build_filename (point->location, VK_IMAGE_REMOVED, NULL);
  g_autoptr (VkPoint) hidden = NULL;
  g_autofree char *directory = g_path_get_dirname (point->location);

  /* A damaged point may have no manifest at all. */
  if (!g_file_test (manifest, G_FILE_TEST_EXISTS))
    return vk_file_write (removed, "{}", 2, error) && vk_file_sync (point->location, error);
  if (!vk_file_replace (manifest, removed, error))
    return FALSE;
  /* It may have been protected a moment ago: see vk_image_annotate(). */
  hidden = vk_image_read_point (directory, point->id);
  if (!hidden->is_protected)
    return TRUE;
  return vk_file_replace (removed, manifest, error) && refuse_protected (hidden, error);
}

/* The wanted points as they are now, under the lock. */
static GPtrArray *
select_doomed (const GPtrArray *points, const GPtrArray *wanted, GError **error)
{
  g_autoptr (GPtrArray) doomed = g_ptr_array_new ();

  for (guint i = 0; i < wanted->len; i++)
    {
      const VkPoint *want = g_ptr_array_index (wanted, i);
      VkPoint *point = find_point (points, want->id);

      if (point == NULL)
        {
          vk_fail (error, VK_ERROR_NOT_FOUND, "the restore point '%s' has been removed meanwhile", want->location);
          return NULL;
        }
      if (point->is_protected)
        {
          refuse_protected (point, error);
          return NULL;
        }
      if (!point->removed)
        g_ptr_array_add (doomed, point);
    }
  return g_steal_pointer (&doomed);
}

static gboolean
remove_locked (const char *directory, const GPtrArray *wanted, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) points = vk_image_read_points (directory, error);
  g_autoptr (GPtrArray) doomed = points ? select_doomed (points, wanted, error) : NULL;
  g_autoptr (GHashTable) ids = NULL;
  g_autoptr (VkImageClaims) claims = NULL;

  if (doomed == NULL)
    return FALSE;
  ids = vk_image_removed_ids (points);
  for (guint i = 0; i < doomed->len; i++)
    g_hash_table_add (ids, g_strdup (((VkPoint *) g_ptr_array_index (doomed, i))->id));
  claims = vk_image_claim (points, ids, TRUE, error);
  if (claims == NULL || !vk_image_check_removal (directory, points, ids, cancellable, error))
    return FALSE;
  for (guint i = 0; i < doomed->len; i++)
    if (!hide (g_ptr_array_index (doomed, i), error))
      return FALSE;
  return vk_image_finish_removal (directory, removal, cancellable, error);
}

/* Those of points that lie in the directory. */
static GPtrArray *
select_in (const GPtrArray *points, const char *directory)
{
  GPtrArray *selected = g_ptr_array_new ();

  for (guint i = 0; i < points->len; i++)
    {
      VkPoint *point = g_ptr_array_index (points, i);
      g_autofree char *its_directory = g_path_get_dirname (point->location);

      if (strcmp (its_directory, directory) == 0)
        g_ptr_array_add (selected, point);
    }
  return selected;
}

static gboolean
remove_in (const char *directory, const GPtrArray *points, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkDomainLock) lock = vk_domain_lock_take (directory, VK_IMAGE_DIRECTORY_MODE, directory, error);

  return lock != NULL
      && vk_image_recover (directory, error)
      && remove_locked (directory, points, removal, cancellable, error);
}

/* Hands on the first failure only.  Returns whether to go on after this one. */
static gboolean
keep_failure (GError **kept, GError *failure, GCancellable *cancellable)
{
  if (*kept == NULL)
    *kept = failure;
  else
    g_error_free (failure);
  return !g_cancellable_is_cancelled (cancellable);
}

gboolean
vk_image_remove (VkStore *store, const GPtrArray *points, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) done = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GError *kept = NULL;

  for (guint i = 0; i < points->len; i++)
    {
      g_autofree char *directory = g_path_get_dirname (((VkPoint *) g_ptr_array_index (points, i))->location);
      g_autoptr (GPtrArray) here = NULL;
      GError *failure = NULL;

      if (g_hash_table_contains (done, directory))
        continue;
      here = select_in (points, directory);
      if (!remove_in (directory, here, removal, cancellable, &failure) && !keep_failure (&kept, failure, cancellable))
        break;
      g_hash_table_add (done, g_steal_pointer (&directory));
    }
  if (kept != NULL)
    g_propagate_error (error, kept);
  return kept == NULL;
}

/* Whether the directory is a domain's, namely that of domain. */
static gboolean
is_of_domain (const char *directory, const char *directory_name, const char *domain)
{
  g_autoptr (GPtrArray) names = vk_image_directory_names (directory, NULL);
  const VkPoint nameless = { 0 };

  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autoptr (VkPoint) point = vk_image_is_point_name (name) ? vk_image_read_point (directory, name) : NULL;

      if ((point != NULL || g_str_has_prefix (name, VK_IMAGE_DISCARDED_PREFIX))
          && vk_image_is_of_domain (directory_name, point ? point : &nameless, domain))
        return TRUE;
    }
  return FALSE;
}

gboolean
vk_image_finish_domain (const char *directory, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkDomainLock) lock = vk_domain_lock_take (directory, VK_IMAGE_DIRECTORY_MODE, directory, error);
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GHashTable) ids = NULL;
  g_autoptr (VkImageClaims) claims = NULL;

  if (lock == NULL || !vk_image_recover (directory, error))
    return FALSE;
  points = vk_image_read_points (directory, error);
  if (points == NULL)
    return FALSE;
  ids = vk_image_removed_ids (points);
  claims = vk_image_claim (points, ids, TRUE, error);
  if (claims == NULL)
    return FALSE;
  return g_hash_table_size (ids) == 0
      || (vk_image_check_removal (directory, points, ids, cancellable, error) && vk_image_finish_removal (directory, removal, cancellable, error));
}

gboolean
vk_image_finish (VkStore *base, const char *domain, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  const VkImageStore *store = (const VkImageStore *) base;
  g_autoptr (GPtrArray) names = vk_image_directory_names (store->path, error);
  GError *kept = NULL;

  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *directory = g_build_filename (store->path, name, NULL);
      GError *failure = NULL;

      if (*name != '.' && vk_image_is_directory (directory) && is_of_domain (directory, name, domain)
          && !vk_image_finish_domain (directory, removal, cancellable, &failure) && !keep_failure (&kept, failure, cancellable))
        break;
    }
  if (kept != NULL)
    g_propagate_error (error, kept);
  return kept == NULL;
}
