/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pull mode: QEMU exports the frozen disks over NBD, we copy them. */
#include "config.h"

#include "backup/backup-private.h"
#include "base/error.h"

static const char socket_name[] = "nbd.sock";

char *
vk_backup_server_socket (const VkBackup *backup)
{
  return g_build_filename (backup->qemu_dir, socket_name, NULL);
}

char *
vk_backup_client_socket (const VkBackup *backup)
{
  return g_build_filename (backup->run_dir, socket_name, NULL);
}

static char *
export_uri (const VkBackup *backup, const VkBackupDisk *disk)
{
  g_autofree char *socket = vk_backup_client_socket (backup);
  g_autofree char *socket_part = g_uri_escape_string (socket, "/", FALSE);
  g_autofree char *target_part = g_uri_escape_string (disk->disk->target, NULL, FALSE);

  return g_strdup_printf ("nbd+unix:///%s?socket=%s", target_part, socket_part);
}

/* How QEMU calls the bitmap that libvirt exports for an incremental. */
static char *
bitmap_context (const char *target)
{
  return g_strdup_printf ("qemu:dirty-bitmap:backup-%s", target);
}

gboolean
vk_backup_pull_prepare (VkBackup *backup, GError **error)
{
  if (!vk_backup_make_run_dirs (backup, error) || !vk_backup_check_scratch (backup, error))
    return FALSE;
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);
      g_autofree char *name = g_strdup_printf ("%s.scratch", disk->disk->target);

      disk->scratch = g_build_filename (backup->scratch_dir, name, NULL);
      disk->bitmap_context = disk->base ? bitmap_context (disk->disk->target) : NULL;
    }
  if (!vk_backup_run_step (backup, vk_backup_open_sinks, error))
    return FALSE;
  vk_backup_start_guard (backup);
  return TRUE;
}

gboolean
vk_backup_pull (VkBackup *backup, GError **error)
{
  vk_reporter_phase (backup->reporter, "copy", "reading the disks");
  if (!vk_backup_transfer (backup, export_uri, error))
    {
      vk_backup_blame_ssh (backup, error);
      return FALSE;
    }
  if (!vk_backup_job_end (backup->job, error))
    return FALSE;
  vk_backup_dismiss_guard (backup);
  return vk_backup_run_step (backup, vk_backup_close_sinks, error);
}
