/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps 7 to 10: the job has ended; what it left becomes a restore point. */
#include "config.h"

#include <string.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "host/checkpoint.h"
#include "host/job-info.h"
#include "host/monitor.h"

/* --- 7. prove that it is closed ------------------------------------------- */

/* Asks about the files of the job, and warns of what had stayed behind.
 * Returns: (transfer full). */
static VkClosedProof *
ask_closed (VkBackup *backup)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new ();
  VkClosedProof *proof;

  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      g_ptr_array_add (files, disk->image ? disk->image : disk->scratch);
    }
  g_ptr_array_add (files, NULL);
  backup->may_be_open = FALSE;
  proof = vk_prove_closed (backup->domain, (const char *const *) files->pdata, vk_host_is_local (backup->host), backup->request->use_monitor);
  if (proof->removed_nodes->len > 0)
    {
      g_autofree char *text = vk_closed_proof_to_text (proof);

      vk_backup_warn (backup, "%s", text);
    }
  return proof;
}

gboolean
vk_backup_prove_closed (VkBackup *backup, GError **error)
{
  g_autoptr (VkClosedProof) proof = NULL;
  g_autofree char *text = NULL;

  vk_reporter_phase (backup->reporter, "close", "asking QEMU whether it has let go");
  proof = ask_closed (backup);
  backup->manifest->closed = vk_closed_proof_to_json (proof);
  backup->manifest->qemu_version = backup->request->use_monitor ? vk_monitor_qemu_version (backup->domain) : NULL;
  if (backup->manifest->qemu_version == NULL)
    backup->manifest->qemu_version = vk_host_qemu_version (backup->host);
  if (proof->proven)
    return TRUE;
  text = vk_closed_proof_to_text (proof);
  return vk_fail (error, VK_ERROR_NOT_CLOSED, "%s: the backup is not kept; see virsh qemu-monitor-command with query-named-block-nodes", text);
}

void
vk_backup_close_failed (VkBackup *backup)
{
  g_autoptr (VkClosedProof) proof = NULL;
  VkJobInfo info;

  if (!backup->may_be_open || virDomainIsActive (backup->domain) != 1 || !vk_job_info_get (backup->domain, &info, NULL) || info.is_backup)
    return;
  proof = ask_closed (backup);
  if (!proof->proven)
    {
      g_autofree char *text = vk_closed_proof_to_text (proof);

      vk_backup_warn (backup, "%s", text);
    }
}

/* --- what the images build on ---------------------------------------------- */

/* A disk was copied on top of the newest point's image, unless points are whole.
 * That is what an incremental is; a differential has to build on the full image
 * instead. */
static gboolean
settle_bases (VkBackup *backup, GError **error)
{
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      if (disk->base == NULL || backup->store->ops->whole_points)
        continue;
      if (backup->request->level != VK_LEVEL_DIFFERENTIAL)
        disk->base_id = g_strdup (backup->base->id);
      else if (!vk_point_writer_rebase_disk (backup->writer, disk->disk->target, backup->base, &disk->base_id, backup->cancellable, error))
        return FALSE;
      g_free (backup->manifest->base);
      backup->manifest->base = g_strdup (disk->base_id);
    }
  return TRUE;
}

/* --- 8. commit ------------------------------------------------------------- */

typedef struct
{
  VkBackup *backup;
  VkManifestDisk *disk;
  GError *error;
} SealTask;

static void
seal_one (gpointer data, gpointer user_data)
{
  SealTask *task = data;

  vk_point_writer_seal_disk (task->backup->writer, task->disk, task->backup->cancellable, &task->error);
}

/* Hashing is the processor's work: one thread a core. */
static gboolean
seal_disks (VkBackup *backup, GError **error)
{
  guint n = backup->disks->len;
  g_autofree SealTask *tasks = g_new0 (SealTask, n);
  GThreadPool *pool = g_thread_pool_new (seal_one, NULL, (int) g_get_num_processors (), FALSE, NULL);
  gboolean sealed = TRUE;

  vk_reporter_phase (backup->reporter, "seal", "hashing the images and waiting for them to be on disk");
  for (guint i = 0; i < n; i++)
    {
      const VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);
      VkManifestDisk *entry = vk_manifest_add_disk (backup->manifest);

      entry->target = g_strdup (disk->disk->target);
      entry->type = g_strdup (disk->disk->type);
      entry->source = g_strdup (disk->disk->source);
      entry->format = g_strdup (disk->disk->format);
      entry->virtual_size = disk->size;
      entry->level = g_strdup (disk->base ? backup->manifest->level : "full");
      entry->base = g_strdup (disk->base_id);
      entry->reason = g_strdup (disk->reason);
      entry->bitmap = disk->bitmap && backup->checkpoint != NULL;
      entry->bytes_moved = disk->moved;
      entry->secret = g_strdup (disk->secret);
      tasks[i] = (SealTask) { .backup = backup, .disk = entry };
      g_thread_pool_push (pool, &tasks[i], NULL);
    }
  g_thread_pool_free (pool, FALSE, TRUE);
  for (guint i = 0; i < n; i++)
    if (tasks[i].error != NULL)
      {
        if (sealed)
          g_propagate_error (error, g_steal_pointer (&tasks[i].error));
        g_clear_error (&tasks[i].error);
        sealed = FALSE;
      }
  return sealed;
}

static gboolean
commit (VkBackup *backup, GError **error)
{
  VkManifest *manifest = backup->manifest;

  manifest->checkpoint = g_strdup (backup->checkpoint);
  manifest->finished = vk_time_now ();
  if (g_cancellable_set_error_if_cancelled (backup->cancellable, error))
    return FALSE;
  vk_reporter_phase (backup->reporter, "commit", "storing the restore point");
  return vk_point_writer_commit (backup->writer, manifest, error);
}

/* What is not found now was there when the job began. */
static gboolean
run_in_store (VkBackup *backup, VkBackupStep step, GError **error)
{
  g_autoptr (GError) failure = NULL;

  if (step (backup, &failure))
    return TRUE;
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    vk_fail (error, VK_ERROR_STORE, "the store has gone during the backup: %s: is its file system still mounted?", failure->message);
  else
    g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
vk_backup_complete_point (VkBackup *backup, GError **error)
{
  return run_in_store (backup, settle_bases, error)
      && run_in_store (backup, seal_disks, error)
      && vk_backup_add_guest_files (backup, error)
      && run_in_store (backup, commit, error);
}

/* --- 9. retire old checkpoints -------------------------------------------- */

/* Each live bitmap costs the guest.  The new point's is the only one that a
 * later backup into this store starts from (a differential, too: see
 * settle_bases()); failing to delete an old one does not undo the backup.  Of a guest
 * that has stopped since only the names could be deleted, and not the bitmaps. */
void
vk_backup_retire_checkpoints (VkBackup *backup)
{
  g_autoptr (GPtrArray) names = NULL;

  if (backup->checkpoint == NULL || virDomainIsActive (backup->domain) != 1)
    return;
  names = vk_checkpoint_list (backup->domain, backup->store->id, NULL);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autoptr (GError) failure = NULL;

      if (strcmp (name, backup->checkpoint) != 0 && !vk_checkpoint_delete (backup->domain, name, &failure))
        vk_backup_warn (backup, "%s", failure->message);
    }
}

/* --- 10. shorten the chain ------------------------------------------------- */

/* The point is stored and counts.  Where it cannot be merged, the chain is longer
 * than wished for, and the next backup tries again. */
static gboolean
make_full (VkBackup *backup, GError **error)
{
  return vk_point_writer_make_full (backup->writer, backup->long_chain, backup->manifest, backup->cancellable, error);
}

void
vk_backup_shorten_chain (VkBackup *backup)
{
  g_autoptr (GError) failure = NULL;

  if (backup->long_chain == NULL)
    return;
  vk_reporter_phase (backup->reporter, "merge", "merging the chain into a full image");
  if (!vk_backup_run_step (backup, make_full, &failure))
    vk_backup_warn (backup, "%s, but the restore point could not be made a full one and stays %s: %s", backup->long_chain, backup->manifest->level, failure->message);
}
