/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "backup/backup.h"

#include <inttypes.h>
#include <string.h>

#include "backup/backup-private.h"
#include "backup/level.h"
#include "base/error.h"
#include "base/room.h"
#include "host/checkpoint.h"

/* For a libvirtd that is being restarted while we want to clean up. */
enum { RECONNECT_SECONDS = 10 };

const char *const vk_mode_words[] = { "push", "pull", NULL };
const char *const vk_quiesce_words[] = { "auto", "require", "never", NULL };
const char *const vk_level_words[] = { "full", "copy", "incremental", "differential", "auto", NULL };

static void
disk_free (VkBackupDisk *disk)
{
  g_clear_pointer (&disk->sink, vk_sink_free);
  g_clear_pointer (&disk->progress, vk_transfer_progress_free);
  g_clear_pointer (&disk->limit, vk_rate_limit_free);
  g_free (disk->image);
  g_free (disk->scratch);
  g_free (disk->secret);
  g_free (disk->reason);
  g_free (disk->base_id);
  g_free (disk->bitmap_context);
  g_clear_pointer (&disk->source, vk_nbd_server_free);
  g_free (disk);
}

void
vk_backup_warn (VkBackup *backup, const char *format, ...)
{
  va_list args;
  char *text;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  vk_reporter_warning (backup->reporter, text);
  g_ptr_array_add (backup->manifest->warnings, text);
}

const VkPoint *
vk_backup_disk_base (const VkBackup *backup, const VkBackupDisk *disk)
{
  return disk->base ? backup->base : NULL;
}

static void
forward_event (const VkEvent *event, gpointer user_data)
{
  VkBackup *backup = user_data;

  vk_reporter_event (backup->reporter, vk_event_name (event->kind), NULL, vk_event_to_json (event));
}

gboolean
vk_backup_run_step (VkBackup *backup, VkBackupStep step, GError **error)
{
  VkHostPump *pump = vk_host_pump_start ();
  gboolean done = step (backup, error);

  vk_host_pump_stop (pump);
  return done;
}

static gboolean
begin_point (VkBackup *backup, GError **error)
{
  backup->writer = vk_store_begin_point (backup->store, backup->xml->name, backup->xml->uuid, backup->cancellable, error);
  return backup->writer != NULL;
}

gboolean
vk_backup_list_points (VkBackup *backup, GError **error)
{
  backup->points = vk_store_list (backup->store, backup->xml->uuid, error);
  return backup->points != NULL;
}

static gboolean
open_point (VkBackup *backup, GError **error)
{
  return vk_point_writer_open (backup->writer, strcmp (backup->manifest->mode, "push") == 0, error);
}

static gboolean
choose_level (VkBackup *backup, GError **error)
{
  return vk_backup_choose_level (backup, TRUE, error);
}

static guint64
bytes_to_move (VkBackup *backup)
{
  guint64 bytes = 0;

  for (guint i = 0; i < backup->disks->len; i++)
    bytes += vk_backup_estimate (backup, g_ptr_array_index (backup->disks, i));
  return bytes;
}

static gboolean
reaches_threshold (VkBackup *backup, GError **error)
{
  guint64 bytes;

  if (!backup->request->has_threshold)
    return TRUE;
  bytes = bytes_to_move (backup);
  if (bytes >= backup->request->threshold)
    return TRUE;
  return vk_fail (error, VK_ERROR_UNCHANGED, "only %" PRIu64 " bytes of '%s' would be moved, fewer than --threshold: nothing was done", bytes, backup->xml->name);
}

static gboolean
has_room (VkBackup *backup, GError **error)
{
  const char *directory = backup->request->room_dir;
  guint64 bytes;
  VkRoom room;

  if (directory == NULL)
    return TRUE;
  if (!vk_room_get (directory, &room, error))
    return FALSE;
  bytes = bytes_to_move (backup);
  if (room.left >= bytes)
    return TRUE;
  vk_fail (error, VK_ERROR_SCRATCH, "there is too little room in '%s' to put the images of '%s' together: %" PRIu64 " bytes are left, and about %" PRIu64 " are needed: make room, or name another place with --scratch-dir",
               directory, backup->xml->name, room.left, bytes);
  return FALSE;
}

gboolean
vk_backup_each (VkBackup **backups, guint n, VkBackupStep step, GError **error)
{
  for (guint i = 0; i < n; i++)
    if (!step (backups[i], error))
      return FALSE;
  return TRUE;
}

/* Steps 1 to 3, and what the begin needs. */
static gboolean
prepare (VkBackup *backup, GError **error)
{
  if (!vk_backup_check_hooks (backup, error) || !vk_backup_inspect (backup, TRUE, error))
    return FALSE;
  vk_backup_thaw_leftover (backup);
  if (!vk_backup_check_quiesce (backup, error))
    return FALSE;
  vk_backup_describe_guest (backup);
  if (!vk_backup_run_step (backup, begin_point, error))
    return FALSE;
  backup->manifest->id = g_strdup (backup->writer->id);
  backup->job = vk_backup_job_new (backup->host, backup->domain, forward_event, backup, error);
  if (backup->job == NULL
      || !vk_backup_run_step (backup, vk_backup_list_points, error)
      || !vk_backup_clean_leftovers (backup, error)
      || !vk_backup_check_reach (backup, error)
      || !vk_backup_run_step (backup, choose_level, error)
      || !reaches_threshold (backup, error)
      || !has_room (backup, error)
      || !vk_backup_run_step (backup, open_point, error))
    return FALSE;
  if (backup->state == VK_STATE_SHUT_OFF)
    return TRUE;
  return backup->request->mode == VK_MODE_PUSH ? vk_backup_push_prepare (backup, error) : vk_backup_pull_prepare (backup, error);
}

/* In pull mode it is virt-keep that keeps to a rate, and QEMU in push mode. */
static gboolean
limit_rates (VkBackup *backup, GError **error)
{
  return backup->state == VK_STATE_SHUT_OFF || backup->unchanged || backup->request->mode != VK_MODE_PUSH || vk_backup_set_speeds (backup, error);
}

/* Step 6, and 7 where there is a QEMU. */
static gboolean
copy_disks (VkBackup *backup, GError **error)
{
  if (backup->state == VK_STATE_SHUT_OFF)
    return vk_backup_direct (backup, error);
  if (backup->unchanged)
    return TRUE;
  if (backup->request->mode == VK_MODE_PUSH)
    return vk_backup_push (backup, error) && vk_backup_prove_closed (backup, error);
  return vk_backup_pull (backup, error) && vk_backup_prove_closed (backup, error);
}

/* Steps 8 to 10. */
static gboolean
complete (VkBackup *backup, GError **error)
{
  if (!vk_backup_run_step (backup, vk_backup_complete_point, error))
    return FALSE;
  backup->stored = TRUE;
  vk_backup_retire_checkpoints (backup);
  vk_backup_shorten_chain (backup);
  return TRUE;
}

static gboolean
run_steps (VkBackup **backups, guint n, VkBackupSpread *spread, GError **error)
{
  return vk_backup_each (backups, n, prepare, error)
      && vk_backup_take_instant (backups, n, spread, error)
      && vk_backup_each (backups, n, limit_rates, error)
      && vk_backup_each (backups, n, copy_disks, error)
      && vk_backup_each (backups, n, complete, error);
}

/* After a failure: nothing may be left that a later incremental could start
 * from, and no job that goes on writing. */
static void
undo (VkBackup *backup)
{
  g_autoptr (GError) failure = NULL;
  gboolean over = TRUE;

  if (backup->job != NULL && vk_host_is_lost (backup->host))
    {
      g_autofree char *uuid = g_strdup (backup->xml->uuid);

      g_clear_pointer (&backup->job, vk_backup_job_free);
      g_clear_pointer (&backup->domain, virDomainFree);
      if (vk_host_reconnect (backup->host, RECONNECT_SECONDS, &failure))
        backup->domain = vk_host_find_domain (backup->host, uuid, &failure);
      if (backup->domain != NULL)
        backup->job = vk_backup_job_new (backup->host, backup->domain, forward_event, backup, &failure);
      if (backup->job != NULL)
        vk_backup_clean_leftovers (backup, &failure);
    }
  over = backup->job == NULL || vk_backup_job_stop (backup->job);
  g_clear_pointer (&backup->job, vk_backup_job_free);
  /* To delete a checkpoint QEMU waits until all that it writes is written: what hangs in the
   * store would stop the guest. */
  if (failure == NULL && !over)
    vk_fail (&failure, VK_ERROR_GUEST, "the backup job of '%s' goes on: end it with virsh domjobabort", backup->xml->name);
  if (failure == NULL)
    vk_backup_close_failed (backup);
  if (failure == NULL && backup->checkpoint != NULL && !backup->unchanged)
    vk_checkpoint_delete (backup->domain, backup->checkpoint, &failure);
  if (failure != NULL)
    vk_backup_warn (backup, "not everything could be cleaned up, the next backup does it: %s", failure->message);
}

/* That the guest stands still is worse than whatever else went wrong. */
static void
end_frozen (VkBackup *backup, GError **error)
{
  g_autoptr (GError) failure = NULL;

  if (!backup->still_frozen || vk_backup_thaw_finally (backup, &failure))
    return;
  g_clear_error (error);
  g_propagate_error (error, g_steal_pointer (&failure));
}

static void
release (VkBackup *backup)
{
  g_clear_pointer (&backup->job, vk_backup_job_free);
  vk_backup_dismiss_guard (backup);
  g_ptr_array_unref (backup->disks);
  g_clear_pointer (&backup->limit, vk_rate_limit_free);
  /* The writer's servers have their sockets in the private directories. */
  g_clear_pointer (&backup->writer, vk_point_writer_free);
  vk_backup_remove_run_dirs (backup);
  g_clear_pointer (&backup->domain, virDomainFree);
  g_clear_pointer (&backup->points, g_ptr_array_unref);
  g_free (backup->long_chain);
  g_clear_pointer (&backup->xml, vk_domain_xml_free);
  g_free (backup->live_xml);
  g_free (backup->checkpoint);
  g_free (backup->scratch_stem);
  g_free (backup->data_address);
  g_free (backup->data_number);
}

static void
init (VkBackup *backup, VkHost *host, VkStore *store, const VkBackupRequest *request, VkReporter *reporter, VkManifest *manifest, GCancellable *cancellable)
{
  *backup = (VkBackup) {
    .host = host,
    .store = store,
    .request = request,
    .reporter = reporter,
    .manifest = manifest,
    .cancellable = cancellable,
    .disks = g_ptr_array_new_with_free_func ((GDestroyNotify) disk_free),
  };
}

gboolean
vk_backup_run (VkBackupTask *tasks, guint n, VkBackupSpread *spread, GCancellable *cancellable, GError **error)
{
  g_autofree VkBackup *backups = g_new0 (VkBackup, n);
  g_autofree VkBackup **pointers = g_new0 (VkBackup *, n);
  g_autoptr (GError) failure = NULL;

  for (guint i = 0; i < n; i++)
    {
      init (&backups[i], tasks[i].host, tasks[i].store, &tasks[i].request, tasks[i].reporter, tasks[i].manifest, cancellable);
      pointers[i] = &backups[i];
    }
  run_steps (pointers, n, spread, &failure);
  for (guint i = 0; i < n; i++)
    if (!backups[i].stored)
      undo (&backups[i]);
  for (guint i = 0; i < n; i++)
    end_frozen (&backups[i], &failure);
  for (guint i = 0; i < n; i++)
    {
      tasks[i].stored = backups[i].stored;
      g_clear_pointer (&backups[i].job, vk_backup_job_free);
      vk_backup_stop_paused (&backups[i]);
      vk_backup_hook_end (&backups[i], failure);
      release (&backups[i]);
    }
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

void
vk_estimate_free (VkEstimate *estimate)
{
  g_free (estimate->target);
  g_free (estimate->level);
  g_free (estimate->reason);
  g_free (estimate);
}

GPtrArray *
vk_backup_estimate_run (VkHost *host, VkStore *store, const VkBackupRequest *request, VkReporter *reporter, VkManifest *manifest, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) estimates = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_estimate_free);
  VkBackup backup;
  gboolean done;

  init (&backup, host, store, request, reporter, manifest, cancellable);
  done = vk_backup_inspect (&backup, FALSE, error) && vk_backup_list_points (&backup, error) && vk_backup_choose_level (&backup, FALSE, error);
  for (guint i = 0; done && i < backup.disks->len; i++)
    {
      const VkBackupDisk *disk = g_ptr_array_index (backup.disks, i);
      VkEstimate *estimate = g_new0 (VkEstimate, 1);

      estimate->target = g_strdup (disk->disk->target);
      estimate->level = g_strdup (disk->base ? manifest->level : "full");
      estimate->reason = g_strdup (disk->reason);
      estimate->bytes = vk_backup_estimate (&backup, disk);
      g_ptr_array_add (estimates, estimate);
    }
  manifest->synthetic = done && backup.long_chain != NULL;
  release (&backup);
  return done ? g_steal_pointer (&estimates) : NULL;
}
