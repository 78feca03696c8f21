/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pull mode: QEMU exports the frozen disks over NBD, we copy them. */
#include "config.h"

#include <string.h>

#include "backup/backup-private.h"
#include "base/error.h"

static const char socket_name[] = "nbd.sock";

char *
vk_backup_server_socket (const VkBackup *backup)
{
  return g_build_filename (backup->qemu_dir ? backup->qemu_dir : backup->run_dir, socket_name, NULL);
}

char *
vk_backup_client_socket (const VkBackup *backup)
{
  return g_build_filename (backup->run_dir, socket_name, NULL);
}

static char *
socket_uri (const VkBackup *backup, const VkBackupDisk *disk)
{
  g_autofree char *socket = vk_backup_client_socket (backup);
  g_autofree char *socket_part = g_uri_escape_string (socket, "/", FALSE);
  g_autofree char *target_part = g_uri_escape_string (disk->disk->target, NULL, FALSE);

  return g_strdup_printf ("nbd+unix:///%s?socket=%s", target_part, socket_part);
}

/* --- TCP --------------------------------------------------------------------- */

/* Several backups may begin at once: they start looking at different ports. */
static gboolean
choose_address (VkBackup *backup, GError **error)
{
  const VkServerRequest *server = &backup->request->server;

  if (server->transport != VK_TRANSPORT_TLS && server->transport != VK_TRANSPORT_TCP)
    return TRUE;
  backup->data_address = vk_server_address (server, backup->host);
  backup->data_port = server->port != 0 ? server->port : VK_FIRST_PORT + (guint) g_random_int_range (0, VK_PORTS);
  backup->data_number = vk_server_resolve (backup->data_address, backup->cancellable, error);
  return backup->data_number != NULL;
}

gboolean
vk_backup_next_port (VkBackup *backup, const GError *failure)
{
  if (backup->data_address == NULL || backup->request->server.port != 0
      || strstr (failure->message, "Address already in use") == NULL || ++backup->ports_tried >= VK_PORTS)
    return FALSE;
  backup->data_port = VK_FIRST_PORT + (backup->data_port + 1 - VK_FIRST_PORT) % VK_PORTS;
  return TRUE;
}

/* --- the job ------------------------------------------------------------------ */

static char *
export_uri (const VkBackup *backup, const VkBackupDisk *disk)
{
  if (backup->data_address != NULL)
    return vk_server_uri (backup->data_address, backup->data_port, backup->request->server.transport == VK_TRANSPORT_TLS, disk->disk->target);
  return socket_uri (backup, disk);
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
  if (!choose_address (backup, error) || !vk_backup_make_run_dirs (backup, error) || !vk_backup_check_scratch (backup, error))
    return FALSE;
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      disk->scratch = g_strconcat (backup->scratch_stem, disk->disk->target, ".scratch", NULL);
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
