/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain that is shut off: no QEMU runs, so qemu-nbd serves its disks. */
#include "config.h"

#include "backup/backup-private.h"
#include "base/error.h"

static char *
source_uri (const VkBackup *backup, const VkBackupDisk *disk)
{
  return g_strdup (vk_nbd_server_uri (disk->source));
}

static gboolean
open_sources (VkBackup *backup, GError **error)
{
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);
      const char *bitmap = disk->base ? backup->base->manifest->checkpoint : NULL;

      disk->source = vk_nbd_server_source (disk->disk->path, disk->disk->format, bitmap, backup->run_dir, error);
      if (disk->source == NULL)
        return FALSE;
      disk->bitmap_context = bitmap ? g_strconcat ("qemu:dirty-bitmap:", bitmap, NULL) : NULL;
    }
  return TRUE;
}

static gboolean
close_sources (VkBackup *backup, GError **error)
{
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      if (!vk_nbd_server_stop (disk->source, error))
        return FALSE;
      g_clear_pointer (&disk->source, vk_nbd_server_free);
    }
  return TRUE;
}

gboolean
vk_backup_direct (VkBackup *backup, GError **error)
{
  if (!vk_backup_make_run_dirs (backup, error))
    return FALSE;
  backup->manifest->instant = vk_time_now ();
  if (!vk_backup_run_step (backup, open_sources, error) || !vk_backup_run_step (backup, vk_backup_open_sinks, error))
    return FALSE;
  vk_reporter_phase (backup->reporter, "copy", "reading the disks of the domain, which is shut off");
  return vk_backup_transfer (backup, source_uri, error)
      && vk_backup_run_step (backup, close_sources, error)
      && vk_backup_run_step (backup, vk_backup_close_sinks, error);
}
