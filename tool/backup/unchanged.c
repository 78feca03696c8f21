/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that has written nothing since the base point: its disks are those of that point, and
 * libvirt need not begin a job, nor QEMU open anything, to say so. */
#include "config.h"

#include <string.h>

#include "backup/backup-private.h"
#include "host/block-info.h"
#include "host/checkpoint.h"
#include "host/job-info.h"
#include "host/monitor.h"

gboolean
vk_backup_may_be_unchanged (const VkBackup *backup)
{
  if (backup->state == VK_STATE_SHUT_OFF || backup->request->mode != VK_MODE_PUSH || backup->request->templates_dir != NULL
      || backup->long_chain != NULL || backup->base == NULL || backup->store->ops->whole_points || strcmp (backup->manifest->level, "incremental") != 0)
    return FALSE;
  for (guint i = 0; i < backup->disks->len; i++)
    {
      const VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      if (disk->base == NULL || disk->dirty > 0)
        return FALSE;
    }
  return TRUE;
}

/* Beside another job a backup is refused, whether it had anything to do or not. */
static gboolean
has_job (VkBackup *backup)
{
  virDomainBlockJobInfo block_job;
  VkJobInfo job;

  if (!vk_job_info_get (backup->domain, &job, NULL) || job.active)
    return TRUE;
  for (guint i = 0; i < backup->disks->len; i++)
    if (vk_block_job_get (backup->domain, ((const VkBackupDisk *) g_ptr_array_index (backup->disks, i))->disk->target, &block_job))
      return TRUE;
  return FALSE;
}

/* Whether the bitmaps of the base's checkpoint mark nothing now.  A write that they do not
 * mark yet has not been answered to the guest, which cannot rely on it. */
static gboolean
nothing_is_marked (VkBackup *backup)
{
  g_autoptr (GHashTable) sizes = vk_checkpoint_sizes (backup->domain, backup->base->manifest->checkpoint, NULL);

  for (guint i = 0; sizes != NULL && i < backup->disks->len; i++)
    {
      const VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);
      const guint64 *dirty = g_hash_table_lookup (sizes, disk->disk->target);

      if (dirty == NULL || *dirty > 0)
        return FALSE;
    }
  return sizes != NULL;
}

gboolean
vk_backup_is_unchanged (VkBackup *backup)
{
  g_autoptr (VkClosedProof) proof = NULL;
  g_autofree char *note = NULL;
  g_autofree char *instant = NULL;

  if (!vk_backup_may_be_unchanged (backup) || has_job (backup))
    return FALSE;
  instant = vk_time_now ();
  if (!nothing_is_marked (backup))
    return FALSE;
  vk_reporter_phase (backup->reporter, "begin", "nothing has changed since the base point, no backup job is needed");
  note = g_strdup_printf ("nothing had changed since %s, no backup job was begun", backup->base->id);
  proof = vk_closed_without_job (note);
  backup->manifest->closed = vk_closed_proof_to_json (proof);
  backup->manifest->qemu_version = vk_host_qemu_version (backup->host);
  backup->manifest->instant = g_steal_pointer (&instant);
  backup->checkpoint = g_strdup (backup->base->manifest->checkpoint);
  backup->unchanged = TRUE;
  return TRUE;
}
