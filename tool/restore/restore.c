/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "restore/restore.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "restore/restore-private.h"

/* QEMU's user has to reach the images when the domain is started. */
enum { RESTORE_DIRECTORY_MODE = 0711 };

gboolean
vk_restore_refuse_existing (const char *path, GError **error)
{
  if (!g_file_test (path, G_FILE_TEST_EXISTS) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "'%s' exists already and is not overwritten: restore to another place, or move it away", path);
}

/* What makes this restore different from others, but for the place. */
static char *
describe_request (const VkRestore *restore)
{
  const VkImageForm *form = &restore->request->form;
  g_autofree char *point = vk_point_name (restore->point);
  g_autoptr (JsonObject) object = json_object_new ();

  vk_json_set_string (object, "point", point);
  vk_json_set_string (object, "store", restore->store->id);
  vk_json_set_string (object, "format", form->format);
  json_object_set_int_member (object, "cluster-size", (gint64) form->cluster_size);
  json_object_set_boolean_member (object, "compress", form->compress);
  vk_json_set_string (object, "preallocation", form->preallocation);
  for (guint i = 0; i < restore->items->len; i++)
    vk_json_append_string (object, "items", ((VkRestoreItem *) g_ptr_array_index (restore->items, i))->name);
  return vk_json_to_string (object, FALSE);
}

static VkStaging *
find_staging (const VkRestore *restore, const char *directory)
{
  for (guint i = 0; i < restore->stagings->len; i++)
    {
      VkStaging *staging = g_ptr_array_index (restore->stagings, i);

      if (strcmp (vk_staging_parent (staging), directory) == 0)
        return staging;
    }
  return NULL;
}

static gboolean
open_staging (VkRestore *restore, VkRestoreItem *item, const char *request, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (item->path);

  item->staging = find_staging (restore, directory);
  if (item->staging != NULL)
    return TRUE;
  item->staging = vk_staging_open (directory, restore->in_place ? VK_STAGING_IN_PLACE : VK_STAGING_RESTORE, restore->point, request, restore->in_place != NULL, error);
  if (item->staging == NULL)
    return FALSE;
  g_ptr_array_add (restore->stagings, item->staging);
  return TRUE;
}

/* Is the place free, or was it taken by an earlier run of this restore? */
static gboolean
check_place (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  struct stat status;

  if (restore->in_place != NULL && !vk_restore_refuse_half_written (restore, item, error))
    return FALSE;
  if (item->staged == NULL)
    return item->volume != NULL || item->delta || vk_restore_prepare_target (restore, item, error);
  item->complete = vk_staging_has (item->staging, item->staged) || vk_staging_has_placed (item->staging, item->staged, item->path);
  if (restore->in_place != NULL)
    return TRUE;
  if (vk_staging_has_placed (item->staging, item->staged, item->path))
    return TRUE;
  /* An empty volume was made to be replaced. */
  if (item->volume != NULL && item->complete && lstat (item->path, &status) == 0 && status.st_size == 0)
    return TRUE;
  return vk_restore_refuse_existing (item->path, error);
}

/* After an interrupted restore in place, with whatever request. */
static gboolean
settle (VkRestore *restore, const char *request, GError **error)
{
  if (!vk_restore_settle (restore, error))
    return FALSE;
  for (guint i = 0; i < restore->stagings->len; i++)
    if (!vk_staging_renew (g_ptr_array_index (restore->stagings, i), request, error))
      return FALSE;
  return TRUE;
}

static gboolean
prepare_places (VkRestore *restore, GError **error)
{
  g_autofree char *request = describe_request (restore);

  for (guint i = 0; i < restore->items->len; i++)
    {
      VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      if (item->staged != NULL && !open_staging (restore, item, request, error))
        return FALSE;
    }
  if (restore->in_place != NULL && !settle (restore, request, error))
    return FALSE;
  for (guint i = 0; i < restore->items->len; i++)
    if (!check_place (restore, g_ptr_array_index (restore->items, i), error))
      return FALSE;
  return restore->in_place == NULL || vk_restore_guard (restore, error);
}

static gboolean
copy_file (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  g_autofree char *partial = vk_staging_partial (item->staging, item->staged, error);

  return partial != NULL
      && vk_store_copy_file (restore->store, restore->point, item->file, partial, restore->cancellable, error)
      && vk_staging_complete (item->staging, item->staged, error);
}

static gboolean
copy_all (VkRestore *restore, GError **error)
{
  for (guint i = 0; i < restore->items->len; i++)
    {
      VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      if (!item->complete && !(item->disk ? vk_restore_copy_disk : copy_file) (restore, item, error))
        return FALSE;
      item->complete = TRUE;
      /* A volume that is not staged gets its beginning in the end. */
      if (item->volume == NULL || item->staged != NULL)
        g_clear_pointer (&item->door, vk_nbd_server_free);
      if (item->disk != NULL)
        restore->current++;
    }
  return TRUE;
}

/* Everything is complete and on disk: now it may be seen. */
static gboolean
place_all (VkRestore *restore, GError **error)
{
  if (restore->in_place != NULL)
    return vk_restore_show (restore, error) && vk_restore_swap (restore, error);
  for (guint i = 0; i < restore->stagings->len; i++)
    if (!vk_staging_begin_placing (g_ptr_array_index (restore->stagings, i), error))
      return FALSE;
  for (guint i = 0; i < restore->items->len; i++)
    {
      VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      if (item->staged == NULL && item->volume == NULL)
        continue;
      if (!(item->volume != NULL ? vk_restore_place_volume (restore, item, error) : vk_staging_place (item->staging, item->staged, item->path, error)))
        return FALSE;
    }
  return TRUE;
}

static void
plan_progress (VkRestore *restore)
{
  VkProgressItem *total;

  restore->progress = g_new0 (VkProgressItem, restore->n_disks + 1);
  total = &restore->progress[restore->n_disks];
  for (gsize i = 0; i < restore->n_disks; i++)
    {
      const VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      restore->progress[i] = (VkProgressItem) { .disk = item->name, .total = item->disk->virtual_size };
      if (item->complete)
        restore->progress[i].done = item->disk->virtual_size;
      total->total += restore->progress[i].total;
      total->done += restore->progress[i].done;
    }
}

static gboolean
run_steps (VkRestore *restore, GError **error)
{
  if (!prepare_places (restore, error) || !vk_restore_check_space (restore, error))
    return FALSE;
  plan_progress (restore);
  vk_reporter_phase (restore->reporter, "copy", "restoring");
  return vk_restore_hide (restore, error) && copy_all (restore, error) && place_all (restore, error);
}

/* What was complete stays for the next run; the user is told. */
static void
close_stagings (VkRestore *restore, gboolean done)
{
  for (guint i = 0; i < restore->stagings->len; i++)
    {
      VkStaging *staging = g_ptr_array_index (restore->stagings, i);
      g_autofree char *text = g_strdup_printf ("what was complete is kept in a hidden directory in '%s': the same command goes on from there", vk_staging_parent (staging));

      if (vk_staging_close (staging, !done))
        vk_reporter_warning (restore->reporter, text);
    }
  g_ptr_array_unref (restore->stagings);
}

static GPtrArray *
take_results (VkRestore *restore)
{
  GPtrArray *results = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_restored_free);

  for (guint i = 0; i < restore->items->len; i++)
    {
      VkRestoreItem *item = g_ptr_array_index (restore->items, i);
      VkRestored *restored = g_new0 (VkRestored, 1);

      restored->name = g_strdup (item->name);
      restored->is_delta = item->delta;
      restored->written = item->written;
      restored->is_path = vk_restore_is_path (item->path);
      restored->is_block = item->staged == NULL && restored->is_path;
      restored->path = g_steal_pointer (&item->path);
      g_ptr_array_add (results, restored);
    }
  return results;
}

void
vk_restored_free (VkRestored *restored)
{
  g_free (restored->name);
  g_free (restored->path);
  g_free (restored);
}

static void
release (VkRestore *restore, gboolean done)
{
  for (guint i = 0; !done && i < restore->items->len; i++)
    {
      VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      if (item->volume != NULL)
        vk_restore_drop_volume (restore, item);
    }
  close_stagings (restore, done);
  g_ptr_array_unref (restore->items);
  vk_work_dir_remove (&restore->work);
  g_free (restore->directory);
  g_free (restore->progress);
}

/* The directory of --to and the private one. */
static gboolean
make_directories (VkRestore *restore, GError **error)
{
  if (restore->directory != NULL && !vk_directory_make (restore->directory, RESTORE_DIRECTORY_MODE, error))
    return FALSE;
  return vk_work_dir_make (&restore->work, error);
}

GPtrArray *
vk_restore_run (VkStore *store, const VkPoint *point, VkStoragePool *pool, VkInPlace *in_place, const VkRestoreRequest *request, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  VkRestore restore = { .store = store, .point = point, .pool = pool, .in_place = in_place, .request = request, .reporter = reporter, .cancellable = cancellable };
  g_autofree char *directory = request->directory ? g_canonicalize_filename (request->directory, NULL) : NULL;
  gboolean new_directory = directory != NULL && !g_file_test (directory, G_FILE_TEST_EXISTS);
  g_autoptr (GPtrArray) results = NULL;
  gboolean done;

  restore.directory = g_strdup (directory);
  restore.stagings = g_ptr_array_new ();
  done = vk_restore_plan (&restore, error) && make_directories (&restore, error) && run_steps (&restore, error);
  if (done)
    results = take_results (&restore);
  else
    vk_restore_show_untouched (&restore, error);
  release (&restore, done);
  /* libvirt sees the volumes as they are now, and no hidden directory any more. */
  if (done && pool != NULL && !vk_storage_pool_refresh (pool, error))
    return NULL;
  if (!done && new_directory)
    rmdir (directory);
  return g_steal_pointer (&results);
}
