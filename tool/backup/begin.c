/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 5: the job and its checkpoint, from the documents that the templates give. */
#include "config.h"

#include <string.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "host/backup-xml.h"
#include "host/checkpoint.h"
#include "view/disk-key.h"


static char *
build_backup_xml (VkBackup *backup, GError **error)
{
  guint n = backup->xml->disks->len;
  g_autofree VkBackupXmlDisk *disks = g_new0 (VkBackupXmlDisk, n);
  g_autofree char *socket = backup->run_dir ? vk_backup_server_socket (backup) : NULL;
  VkBackupXmlServer server = { .address = backup->data_number, .port = backup->data_port, .tls = backup->request->server.transport == VK_TRANSPORT_TLS };
  VkBackupXml document = { .pull = backup->request->mode == VK_MODE_PULL, .socket = socket, .server = server.address ? &server : NULL, .disks = disks, .n_disks = n };
  guint next = 0;

  for (guint i = 0; i < n; i++)
    {
      const VkDisk *disk = g_ptr_array_index (backup->xml->disks, i);
      const VkBackupDisk *taken = disk->part == VK_DISK_TAKEN ? g_ptr_array_index (backup->disks, next++) : NULL;

      disks[i].disk = disk->target;
      disks[i].left_out = taken == NULL;
      if (taken == NULL)
        continue;
      disks[i].target_file = taken->image;
      disks[i].target_format = "qcow2";
      disks[i].scratch_file = taken->scratch;
      disks[i].secret_uuid = disk->secret_uuid;
      disks[i].secret_usage = disk->secret_usage;
      disks[i].export_name = disk->target;
      disks[i].incremental = taken->base ? backup->base->manifest->checkpoint : NULL;
    }
  return vk_backup_xml_build (&document, backup->request->templates_dir, error);
}

/* NULL without *error set when no disk can have a bitmap. */
static char *
build_checkpoint_xml (VkBackup *backup, const char *name, GError **error)
{
  guint n = backup->xml->disks->len;
  g_autofree VkCheckpointXmlDisk *disks = g_new0 (VkCheckpointXmlDisk, n);
  VkCheckpointXml document = { .name = name, .description = "made by virt-keep for its next incremental backup", .disks = disks, .n_disks = n };
  gboolean any = FALSE;
  guint next = 0;

  for (guint i = 0; i < n; i++)
    {
      const VkDisk *disk = g_ptr_array_index (backup->xml->disks, i);

      disks[i].disk = disk->target;
      if (disk->part == VK_DISK_TAKEN)
        disks[i].bitmap = ((VkBackupDisk *) g_ptr_array_index (backup->disks, next++))->bitmap;
      any = any || disks[i].bitmap;
    }
  return any ? vk_checkpoint_xml_build (&document, backup->request->templates_dir, error) : NULL;
}

static gboolean
begin_once (VkBackup *backup, GError **error)
{
  g_autofree char *name = vk_checkpoint_name (backup->store->id, backup->writer->id);
  g_autoptr (GError) failure = NULL;
  g_autofree char *backup_xml = build_backup_xml (backup, error);
  g_autofree char *checkpoint_xml = backup_xml ? build_checkpoint_xml (backup, name, &failure) : NULL;
  g_autofree char *instant = NULL;

  if (backup_xml == NULL)
    return FALSE;
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (g_cancellable_set_error_if_cancelled (backup->cancellable, error))
    return FALSE;
  g_free (backup->checkpoint);
  backup->checkpoint = checkpoint_xml ? g_strdup (name) : NULL;
  backup->may_be_open = TRUE;
  vk_guard_tell_beginning (backup->guard);
  instant = vk_time_now ();
  if (!vk_backup_job_begin (backup->job, backup_xml, checkpoint_xml, backup->request->mode == VK_MODE_PUSH, &failure))
    {
      /* One whose answer was lost on the way, or has not come, may yet begin. */
      if (strcmp (vk_error_class_name (failure), "connection") != 0 && !g_error_matches (failure, VK_ERROR, VK_ERROR_GUEST) && !vk_host_is_lost (backup->host))
        vk_guard_tell_refused (backup->guard);
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  vk_guard_tell_begun (backup->guard);
  backup->manifest->instant = g_steal_pointer (&instant);
  return TRUE;
}

/* That an image is qcow2 of version 2 may be QEMU's discovery: those on another
 * host, or in a storage pool, are not looked at from here.  libvirt's words then
 * name the node. */
static gboolean
drop_impossible_bitmap (VkBackup *backup, const GError *failure)
{
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);
      g_autofree char *words = g_strdup_printf ("'%s': Cannot store dirty bitmaps in qcow2 v2 files", disk->disk->node ? disk->disk->node : "");

      if (!disk->bitmap || strstr (failure->message, words) == NULL)
        continue;
      disk->bitmap = FALSE;
      return TRUE;
    }
  return FALSE;
}

gboolean
vk_backup_begin_job (VkBackup *backup, GError **error)
{
  g_autoptr (GError) failure = NULL;
  guint attempts = 0;

  vk_reporter_phase (backup->reporter, "begin", "beginning the backup job");
  while (!begin_once (backup, &failure))
    {
      /* An encrypted scratch file is made by QEMU. */
      gboolean again = vk_disk_key_try_again (failure->message, &attempts);

      if (!again && !vk_backup_next_port (backup, failure) && !drop_impossible_bitmap (backup, failure))
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      g_clear_error (&failure);
    }
  return TRUE;
}
