/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Push mode: QEMU writes the images, we watch. */
#include "config.h"

#include <sys/stat.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "host/block-info.h"
#include "host/job-info.h"

/* libvirt tells how far each disk's block job is; where it does not (yet, or
 * any more), only the whole job's numbers are shown. */
static gboolean
disk_progress (VkBackup *backup, const VkBackupDisk *disk, VkProgressItem *item)
{
  virDomainBlockJobInfo info;

  if (!vk_block_job_get (backup->domain, disk->disk->target, &info))
    return FALSE;
  item->disk = disk->disk->target;
  item->done = info.cur;
  item->total = info.end;
  item->max_rate = disk->rate;
  return TRUE;
}

static gboolean
show_progress (gpointer user_data, GError **error)
{
  VkBackup *backup = user_data;
  g_autofree VkProgressItem *items = g_new0 (VkProgressItem, backup->disks->len + 1);
  gsize n = 0;
  VkJobInfo info;

  /* What a disk that is through does not need any more is for the others. */
  vk_backup_set_speeds (backup, NULL);
  if (!vk_job_info_get (backup->domain, &info, NULL) || !info.has_disk_progress)
    return TRUE;
  for (guint i = 0; backup->disks->len > 1 && i < backup->disks->len; i++)
    n += disk_progress (backup, g_ptr_array_index (backup->disks, i), &items[n]);
  items[n].disk = backup->disks->len == 1 ? ((VkBackupDisk *) g_ptr_array_index (backup->disks, 0))->disk->target : NULL;
  items[n].done = info.processed;
  items[n].total = info.total;
  items[n].max_rate = backup->disks->len == 1 ? ((VkBackupDisk *) g_ptr_array_index (backup->disks, 0))->rate : backup->request->max_rate;
  vk_reporter_progress (backup->reporter, items, n + 1);
  return TRUE;
}

/* What QEMU wrote: the space the image takes. */
static guint64
allocated_bytes (const char *path)
{
  struct stat status;

  return stat (path, &status) == 0 ? (guint64) status.st_blocks * 512 : 0;
}

static gboolean
make_images (VkBackup *backup, GError **error)
{
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      disk->image = vk_point_writer_push_target (backup->writer, disk->disk->target, disk->size, vk_backup_disk_base (backup, disk), disk->secret, error);
      if (disk->image == NULL)
        return FALSE;
    }
  return TRUE;
}

gboolean
vk_backup_push_prepare (VkBackup *backup, GError **error)
{
  if (!vk_backup_run_step (backup, make_images, error))
    return FALSE;
  if (!vk_backup_may_be_unchanged (backup))
    vk_backup_start_guard (backup);
  return TRUE;
}

gboolean
vk_backup_push (VkBackup *backup, GError **error)
{
  vk_reporter_phase (backup->reporter, "copy", "QEMU writes the disks");
  if (!vk_backup_job_wait (backup->job, show_progress, backup, backup->cancellable, error))
    return FALSE;
  vk_backup_dismiss_guard (backup);
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      disk->moved = allocated_bytes (disk->image);
    }
  return TRUE;
}
