/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "restore/restore.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "view/qemu-img.h"

/* QEMU's user has to reach the images when the domain is started. */
enum { RESTORE_DIRECTORY_MODE = 0711 };

typedef struct
{
  VkStore *store;
  const VkPoint *point;
  const VkRestoreRequest *request;
  VkReporter *reporter;
  GCancellable *cancellable;
  char *directory;    /* absolute */
  char *socket_dir;
  GHashTable *paths;  /* what was restored */
  VkProgressItem *items; /* a disk each, then the total */
  gsize n_disks;
  gsize current;      /* disk being converted */
} Restore;

static gboolean
is_wanted (const Restore *restore, const VkManifestDisk *disk)
{
  return restore->request->disks == NULL || g_strv_contains (restore->request->disks, disk->target);
}

static char *
disk_path (const Restore *restore, const VkManifestDisk *disk)
{
  g_autofree char *name = g_strdup_printf ("%s.%s", disk->target, restore->request->format);

  return g_build_filename (restore->directory, name, NULL);
}

static gboolean
refuse_existing (const char *path, GError **error)
{
  if (!g_file_test (path, G_FILE_TEST_EXISTS) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
    return TRUE;
  g_set_error (error, VK_ERROR, VK_ERROR_REFUSED, "'%s' exists already and is not overwritten: restore to another directory, or move it away", path);
  return FALSE;
}

static gboolean
check_disks_exist (const Restore *restore, GError **error)
{
  for (gsize i = 0; restore->request->disks != NULL && restore->request->disks[i] != NULL; i++)
    if (vk_manifest_find_disk (restore->point->manifest, restore->request->disks[i]) == NULL)
      {
        g_set_error (error, VK_ERROR, VK_ERROR_NOT_FOUND, "the restore point has no disk '%s': see virt-keep show", restore->request->disks[i]);
        return FALSE;
      }
  return TRUE;
}

/* Before anything is written: is the place free? */
static gboolean
check_targets (const Restore *restore, GError **error)
{
  const VkManifest *manifest = restore->point->manifest;

  for (guint i = 0; i < manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);
      g_autofree char *path = disk_path (restore, disk);

      if (is_wanted (restore, disk) && !refuse_existing (path, error))
        return FALSE;
    }
  for (guint i = 0; restore->request->disks == NULL && i < manifest->files->len; i++)
    {
      const VkManifestFile *file = g_ptr_array_index (manifest->files, i);
      g_autofree char *path = g_build_filename (restore->directory, file->name, NULL);

      if (!refuse_existing (path, error))
        return FALSE;
    }
  return TRUE;
}

static void
show_fraction (double fraction, gpointer user_data)
{
  Restore *restore = user_data;
  VkProgressItem *item = &restore->items[restore->current];
  VkProgressItem *total = &restore->items[restore->n_disks];

  total->done -= item->done;
  item->done = (guint64) (fraction * (double) item->total);
  total->done += item->done;
  vk_reporter_progress (restore->reporter, restore->items, restore->n_disks == 1 ? 1 : restore->n_disks + 1);
}

static gboolean
convert_disk (Restore *restore, const VkManifestDisk *disk, const char *path, GError **error)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *partial_name = g_strdup_printf (".%s.partial", name);
  g_autofree char *partial = g_build_filename (restore->directory, partial_name, NULL);
  g_autoptr (VkNbdServer) door = vk_store_open_disk (restore->store, restore->point, disk, restore->socket_dir, error);

  if (door == NULL || !vk_tree_remove (partial, error))
    return FALSE;
  if (!vk_qemu_img_convert (vk_nbd_server_uri (door), partial, restore->request->format, show_fraction, restore, restore->cancellable, error))
    {
      /* To qemu-img what is wrong with the disk is an input/output error. */
      if (!g_cancellable_is_cancelled (restore->cancellable))
        vk_nbd_server_explain (door, error);
      return FALSE;
    }
  if (vk_file_rename (partial, path, error))
    return TRUE;
  unlink (partial);
  return FALSE;
}

typedef struct
{
  Restore *restore;
  const VkManifestDisk *disk;
  GCancellable *cancellable;
  GError *error;
} ChainCheck;

static gpointer
check_chain (gpointer user_data)
{
  ChainCheck *check = user_data;

  vk_store_check_disk (check->restore->store, check->restore->point, check->disk, check->cancellable, &check->error);
  return NULL;
}

/* Images are hashed beside the conversion, which reads the same pages; FALSE also
 * when only that has failed. */
static gboolean
convert_and_check (Restore *restore, const VkManifestDisk *disk, const char *path, GError **error)
{
  g_autoptr (GCancellable) stop = g_cancellable_new ();
  ChainCheck check = { .restore = restore, .disk = disk, .cancellable = stop };
  GThread *thread = g_thread_new ("digest", check_chain, &check);
  gboolean converted = convert_disk (restore, disk, path, error);

  if (!converted)
    g_cancellable_cancel (stop);
  g_thread_join (thread);
  if (converted && check.error != NULL)
    {
      unlink (path);
      g_propagate_error (error, check.error);
      return FALSE;
    }
  g_clear_error (&check.error);
  return converted;
}

static gboolean
restore_disk (Restore *restore, const VkManifestDisk *disk, GError **error)
{
  g_autofree char *path = disk_path (restore, disk);
  gboolean door_checks = restore->store->ops->door_checks;

  if (!(door_checks ? convert_disk : convert_and_check) (restore, disk, path, error))
    return FALSE;
  g_hash_table_insert (restore->paths, g_strdup (disk->target), g_steal_pointer (&path));
  return TRUE;
}

static gboolean
restore_file (Restore *restore, const VkManifestFile *file, GError **error)
{
  g_autofree char *to = g_build_filename (restore->directory, file->name, NULL);

  if (!vk_store_copy_file (restore->store, restore->point, file, to, restore->cancellable, error))
    return FALSE;
  g_hash_table_insert (restore->paths, g_strdup (file->name), g_steal_pointer (&to));
  return TRUE;
}

static gboolean
restore_all (Restore *restore, GError **error)
{
  const VkManifest *manifest = restore->point->manifest;

  for (guint i = 0; i < manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);

      if (!is_wanted (restore, disk))
        continue;
      if (!restore_disk (restore, disk, error))
        return FALSE;
      restore->current++;
    }
  for (guint i = 0; restore->request->disks == NULL && i < manifest->files->len; i++)
    if (!restore_file (restore, g_ptr_array_index (manifest->files, i), error))
      return FALSE;
  return vk_file_sync (restore->directory, error);
}

static void
plan_progress (Restore *restore)
{
  const VkManifest *manifest = restore->point->manifest;

  restore->items = g_new0 (VkProgressItem, manifest->disks->len + 1);
  for (guint i = 0; i < manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);

      if (is_wanted (restore, disk))
        restore->items[restore->n_disks++] = (VkProgressItem) { .disk = disk->target, .total = disk->virtual_size };
    }
  for (gsize i = 0; i < restore->n_disks; i++)
    restore->items[restore->n_disks].total += restore->items[i].total;
}

static gboolean
make_socket_dir (Restore *restore, GError **error)
{
  restore->socket_dir = g_strdup ("/var/tmp/virt-keep-restore-XXXXXX");
  if (g_mkdtemp (restore->socket_dir) != NULL)
    return TRUE;
  g_set_error (error, VK_ERROR, VK_ERROR_FAILED, "cannot create a private directory in /var/tmp: %s", g_strerror (errno));
  g_clear_pointer (&restore->socket_dir, g_free);
  return FALSE;
}

static void
remove_restored (Restore *restore)
{
  GHashTableIter iter;
  gpointer path;

  g_hash_table_iter_init (&iter, restore->paths);
  while (g_hash_table_iter_next (&iter, NULL, &path))
    unlink (path);
}

GHashTable *
vk_restore_run (VkStore *store, const VkPoint *point, const VkRestoreRequest *request, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) paths = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autofree char *directory = g_canonicalize_filename (request->directory, NULL);
  Restore restore = { .store = store, .point = point, .request = request, .reporter = reporter, .cancellable = cancellable, .directory = directory, .paths = paths };
  gboolean new_directory = !g_file_test (directory, G_FILE_TEST_EXISTS);
  gboolean done;

  if (!check_disks_exist (&restore, error) || !check_targets (&restore, error)
      || !vk_directory_make (directory, RESTORE_DIRECTORY_MODE, error) || !make_socket_dir (&restore, error))
    return NULL;
  plan_progress (&restore);
  vk_reporter_phase (reporter, "copy", "restoring");
  done = restore_all (&restore, error);
  if (!done)
    remove_restored (&restore);
  if (!done && new_directory)
    rmdir (directory);
  vk_tree_remove (restore.socket_dir, NULL);
  g_free (restore.socket_dir);
  g_free (restore.items);
  return done ? g_steal_pointer (&paths) : NULL;
}
