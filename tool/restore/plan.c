/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a point is restored, and where each part goes. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "restore/restore-private.h"

static void
item_free (gpointer data)
{
  VkRestoreItem *item = data;

  g_clear_pointer (&item->door, vk_nbd_server_free);
  g_clear_pointer (&item->guard, vk_nbd_server_free);
  g_free (item->path);
  g_free (item->staged);
  g_free (item->volume);
  g_free (item->hidden);
  g_free (item->source);
  g_free (item);
}

static const char *
target_of (const VkRestore *restore, const char *disk)
{
  GHashTable *targets = restore->request->targets;

  return targets ? g_hash_table_lookup (targets, disk) : NULL;
}

/* Without another place for them, only the disks with a target of their own are
 * meant. */
static gboolean
is_wanted (const VkRestore *restore, const char *disk)
{
  const VkRestoreRequest *request = restore->request;

  if (request->files != NULL)
    return FALSE;
  if (target_of (restore, disk) != NULL)
    return TRUE;
  if (request->directory == NULL && request->pool == NULL && restore->in_place == NULL)
    return FALSE;
  return request->disks == NULL || g_strv_contains (request->disks, disk);
}

/* Media that were copied are named by their drive; the other files come with the
 * whole restore point only. */
static gboolean
is_wanted_file (const VkRestore *restore, const VkManifestFile *file)
{
  const VkRestoreRequest *request = restore->request;

  if (restore->in_place != NULL)
    return request->disks == NULL && strcmp (file->role, "nvram") == 0;
  if (restore->directory == NULL)
    return FALSE;
  if (request->files != NULL)
    return g_strv_contains (request->files, file->name);
  return request->disks == NULL || (file->target != NULL && g_strv_contains (request->disks, file->target));
}

static gboolean
holds_disk (const VkManifest *manifest, const char *target)
{
  for (guint i = 0; i < manifest->files->len; i++)
    if (g_strcmp0 (((const VkManifestFile *) g_ptr_array_index (manifest->files, i))->target, target) == 0)
      return TRUE;
  return vk_manifest_find_disk (manifest, target) != NULL;
}

static gboolean
holds_file (const VkManifest *manifest, const char *name)
{
  for (guint i = 0; i < manifest->files->len; i++)
    if (strcmp (((const VkManifestFile *) g_ptr_array_index (manifest->files, i))->name, name) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
check_disk_exists (const VkRestore *restore, gboolean exists, const char *name, GError **error)
{
  if (!exists)
    vk_fail (error, VK_ERROR_NOT_FOUND, "the restore point has no disk '%s': see virt-keep show", name);
  return exists;
}

static gboolean
check_names (const VkRestore *restore, GError **error)
{
  const VkManifest *manifest = restore->point->manifest;
  const VkRestoreRequest *request = restore->request;
  GHashTableIter iter;
  gpointer name;

  for (gsize i = 0; request->disks != NULL && request->disks[i] != NULL; i++)
    if (!check_disk_exists (restore, holds_disk (manifest, request->disks[i]), request->disks[i], error))
      return FALSE;
  if (request->targets != NULL)
    {
      g_hash_table_iter_init (&iter, request->targets);
      while (g_hash_table_iter_next (&iter, &name, NULL))
        if (!check_disk_exists (restore, vk_manifest_find_disk (manifest, name) != NULL, name, error))
          return FALSE;
    }
  for (gsize i = 0; request->files != NULL && request->files[i] != NULL; i++)
    if (!holds_file (manifest, request->files[i]))
      return vk_fail (error, VK_ERROR_NOT_FOUND, "the restore point has no file '%s': see virt-keep show", request->files[i]);
  return TRUE;
}

/* What was encrypted goes into new images that are encrypted, too. */
static gboolean
check_stays_encrypted (const VkRestore *restore, const VkRestoreItem *item, GError **error)
{
  const VkImageForm *form = &restore->request->form;

  if (item->disk->secret == NULL || (item->staged != NULL && item->volume == NULL && restore->in_place == NULL && strcmp (form->format, "qcow2") == 0 && !form->compress))
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "the disk %s is encrypted, and would not be any more there: restore it into a new file, as qcow2 and without --compress", item->name);
}

static gboolean
plan_place (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  const char *place = target_of (restore, item->name);

  if (restore->in_place != NULL)
    return vk_restore_plan_in_place (restore, item, error);
  if (place != NULL)
    return vk_restore_plan_target (restore, item, place, error);
  if (restore->pool != NULL)
    return vk_restore_plan_volume (restore, item, error);
  item->staged = g_strdup_printf ("%s.%s", item->name, restore->request->form.format);
  item->path = g_build_filename (restore->directory, item->staged, NULL);
  return TRUE;
}

static gboolean
plan_disk (VkRestore *restore, const VkManifestDisk *disk, GError **error)
{
  VkRestoreItem *item = g_new0 (VkRestoreItem, 1);

  g_ptr_array_add (restore->items, item);
  item->disk = disk;
  item->name = disk->target;
  item->form = restore->request->form;
  item->form.secret = disk->secret;
  return plan_place (restore, item, error) && check_stays_encrypted (restore, item, error);
}

static void
plan_file (VkRestore *restore, const VkManifestFile *file)
{
  VkRestoreItem *item = g_new0 (VkRestoreItem, 1);

  item->file = file;
  item->name = file->name;
  g_ptr_array_add (restore->items, item);
  if (restore->in_place != NULL)
    {
      if (!vk_restore_plan_nvram (restore, item))
        g_ptr_array_remove (restore->items, item);
      return;
    }
  item->staged = g_strdup (file->name);
  item->path = g_build_filename (restore->directory, file->name, NULL);
}

/* Two disks in one place would be one disk. */
static gboolean
check_different (const VkRestore *restore, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < restore->items->len; i++)
    {
      const VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      if (g_hash_table_add (seen, item->path))
        continue;
      return vk_fail (error, VK_ERROR_USAGE, "two disks cannot be restored to one place, '%s'", item->path);
    }
  return TRUE;
}

gboolean
vk_restore_plan (VkRestore *restore, GError **error)
{
  const VkManifest *manifest = restore->point->manifest;

  restore->items = g_ptr_array_new_with_free_func (item_free);
  if (!check_names (restore, error))
    return FALSE;
  for (guint i = 0; i < manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);

      if (is_wanted (restore, disk->target) && !plan_disk (restore, disk, error))
        return FALSE;
    }
  restore->n_disks = restore->items->len;
  for (guint i = 0; i < manifest->files->len; i++)
    {
      const VkManifestFile *file = g_ptr_array_index (manifest->files, i);

      if (is_wanted_file (restore, file))
        plan_file (restore, file);
    }
  return check_different (restore, error);
}
