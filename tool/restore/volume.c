/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks that become volumes of a storage pool.
 *
 * Where the volumes are files of this machine, a disk is staged beside them and
 * takes the place of an empty volume that libvirt has made.  Otherwise libvirt
 * makes the volume first; it begins with a mark until all the rest is there, by
 * which the next run knows that it may be made anew. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "host/storage-pool.h"
#include "restore/restore-private.h"

enum { HEAD_BYTES = 65536, MARK_BYTES = 512 };

/* As vk_qemu_img_overwrite() begins. */
static const char mark[] = "virt-keep: the restore of ";

static gboolean
is_empty_file (const char *path)
{
  struct stat status;

  return lstat (path, &status) == 0 && S_ISREG (status.st_mode) && status.st_size == 0;
}

gboolean
vk_restore_plan_volume (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  const VkRestoreRequest *request = restore->request;
  const char *domain = request->name ? request->name : restore->point->manifest->domain_name;
  const char *directory = vk_storage_pool_directory (restore->pool);
  gboolean has_files = vk_storage_pool_has_files (restore->pool);
  g_autofree char *name = g_strdup_printf (has_files ? "%s-%s.%s" : "%s-%s", domain, item->name, request->form.format);

  if (strchr (domain, '/') != NULL)
    return vk_fail (error, VK_ERROR_REFUSED, "no volume can be called after the domain '%s': give another name with --name", domain);
  if (!has_files && strcmp (request->form.format, "raw") != 0)
    return vk_fail (error, VK_ERROR_USAGE, "the volumes of the storage pool '%s' are no files and hold raw disks only: give --format raw", request->pool);
  item->volume = g_strdup (name);
  if (directory != NULL)
    {
      item->path = g_build_filename (directory, name, NULL);
      item->staged = g_steal_pointer (&name);
    }
  else
    item->path = g_steal_pointer (&name);
  return TRUE;
}

/* Whether the volume is what a killed run for the same point has left. */
static gboolean
is_unfinished (VkRestore *restore, const char *volume)
{
  g_autofree char *head = vk_storage_pool_read_head (restore->pool, volume, MARK_BYTES);
  g_autofree char *name = vk_point_name (restore->point);
  g_autofree char *expected = g_strdup_printf ("%s%s to", mark, name);

  return head != NULL && g_str_has_prefix (head, expected);
}

static gboolean
clear_way (VkRestore *restore, const char *volume, GError **error)
{
  g_autofree char *found = vk_storage_pool_find (restore->pool, volume);

  if (found == NULL)
    return TRUE;
  if (is_unfinished (restore, volume))
    return vk_storage_pool_delete (restore->pool, volume, error);
  return vk_fail (error, VK_ERROR_REFUSED, "the storage pool '%s' has a volume '%s' already, which is not overwritten: give the restored one another name with --name, or virsh vol-delete it if a killed restore has left it empty", restore->request->pool, volume);
}

static void
show_sent (guint64 sent, gpointer user_data)
{
  VkRestore *restore = user_data;
  VkProgressItem *item = &restore->progress[restore->current];

  vk_reporter_progress (restore->reporter, &(VkProgressItem) { .disk = item->disk, .done = MIN (sent, item->total), .total = item->total }, 1);
}

static gboolean
upload_mark (VkRestore *restore, const char *volume, guint64 length, GError **error)
{
  g_autofree char *path = g_build_filename (restore->work.path, "mark", NULL);
  g_autofree char *text = g_malloc0 (length);
  g_autofree char *name = vk_point_name (restore->point);
  VkUpload upload = { .path = path, .length = length };
  gboolean done;

  g_snprintf (text, length, "%s%s to this place was not finished\n", mark, name);
  done = vk_file_write (path, text, length, error) && vk_storage_pool_upload (restore->pool, volume, &upload, restore->cancellable, error);
  unlink (path);
  return done;
}

/* All but the beginning, of which the file keeps nothing else. */
static gboolean
upload (VkRestore *restore, const char *volume, const char *path, guint64 length, GError **error)
{
  guint64 head = MIN (length, HEAD_BYTES);
  VkUpload rest = { .path = path, .from = head, .length = length - head, .progress = show_sent, .user_data = restore };

  if (!upload_mark (restore, volume, head, error)
      || (rest.length > 0 && !vk_storage_pool_upload (restore->pool, volume, &rest, restore->cancellable, error)))
    return FALSE;
  if (truncate (path, (off_t) head) == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "cannot shorten '%s': %s", path, g_strerror (errno));
}

/* The file by way of which the disk goes to another machine. */
static char *
waypoint (const VkRestore *restore, const VkRestoreItem *item)
{
  return g_build_filename (restore->work.path, item->name, NULL);
}

/* The volume is on another machine: the disk comes by way of a file here. */
static gboolean
send_volume (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  g_autofree char *path = waypoint (restore, item);
  g_autofree char *made = NULL;
  struct stat status;

  if (!vk_restore_copy_to_file (restore, item, path, error))
    return FALSE;
  if (stat (path, &status) < 0)
    vk_fail (error, VK_ERROR_STORE, "cannot look at '%s': %s", path, g_strerror (errno));
  else
    made = vk_storage_pool_create (restore->pool, item->volume, (guint64) status.st_size, error);
  item->is_created = made != NULL;
  if (made == NULL || !upload (restore, item->volume, path, (guint64) status.st_size, error))
    return FALSE;
  g_free (item->path);
  item->path = g_steal_pointer (&made);
  return TRUE;
}

gboolean
vk_restore_copy_volume (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  g_autofree char *path = NULL;

  if (!clear_way (restore, item->volume, error))
    return FALSE;
  if (!vk_storage_pool_is_local (restore->pool))
    return send_volume (restore, item, error);
  path = vk_storage_pool_create (restore->pool, item->volume, item->disk->virtual_size, error);
  item->is_created = path != NULL;
  if (path == NULL || !vk_restore_copy_over (restore, item, path, FALSE, error))
    return FALSE;
  g_free (item->path);
  item->path = g_steal_pointer (&path);
  return TRUE;
}

void
vk_restore_drop_volume (VkRestore *restore, VkRestoreItem *item)
{
  if (item->is_created)
    vk_storage_pool_delete (restore->pool, item->volume, NULL);
}

/* Puts the beginning into the place of the mark, when all the volumes are complete. */
static gboolean
finish_volume (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  g_autofree char *path = waypoint (restore, item);
  VkUpload first = { .path = path };
  struct stat status;

  if (vk_storage_pool_is_local (restore->pool))
    return vk_restore_finish_over (restore, item, item->path, error);
  if (stat (path, &status) == 0)
    first.length = (guint64) status.st_size;
  return vk_storage_pool_upload (restore->pool, item->volume, &first, restore->cancellable, error);
}

/* libvirt makes an empty file of the mode and owner that the pool gives its
 * volumes; the disk takes its place. */
gboolean
vk_restore_place_volume (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  g_autofree char *from = item->staged ? vk_staging_path (item->staging, item->staged) : NULL;
  g_autofree char *made = NULL;
  struct stat status;

  if (from == NULL)
    return finish_volume (restore, item, error);
  if (vk_staging_has_placed (item->staging, item->staged, item->path))
    return TRUE;
  if (!is_empty_file (item->path))
    {
      made = vk_storage_pool_create (restore->pool, item->volume, 0, error);
      if (made == NULL)
        return FALSE;
    }
  if (stat (item->path, &status) == 0 && chown (from, status.st_uid, status.st_gid) == 0 && chmod (from, status.st_mode & 07777) == 0)
    return vk_file_replace (from, item->path, error);
  return vk_fail (error, VK_ERROR_STORE, "cannot give '%s' the owner and mode of the volumes in the storage pool '%s': %s", item->path, restore->request->pool, g_strerror (errno));
}
