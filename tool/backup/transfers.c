/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One transfer a disk, each on a thread of its own, all watched from the main
 * thread. */
#include "config.h"

#include "backup/backup-private.h"
#include "base/error.h"

/* QEMU serves an export on one thread; more connections than this were not
 * faster. */
enum { EXPORT_CONNECTIONS = 2, PROGRESS_MILLISECONDS = 250 };

typedef struct
{
  VkBackup *backup;
  VkBackupDisk *disk;
  VkDiskUriFunc uri_of;
  GThread *thread;
  GError *error;
  GCancellable *cancellable; /* of all transfers together */
  guint *running;            /* counts down on the main thread */
  gboolean *all_done;
} Transfer;

static gboolean
transfer_ended (gpointer user_data)
{
  Transfer *transfer = user_data;

  *transfer->running -= 1;
  *transfer->all_done = *transfer->running == 0;
  return G_SOURCE_REMOVE;
}

static gpointer
run_transfer (gpointer user_data)
{
  Transfer *transfer = user_data;
  g_autofree char *uri = transfer->uri_of (transfer->backup, transfer->disk);
  VkTransferOptions options = {
    .disk = transfer->disk->disk->target,
    .uri = uri,
    .tls_dir = transfer->backup->request->server.tls_dir,
    .dirty_bitmap = transfer->disk->bitmap_context,
    .max_connections = EXPORT_CONNECTIONS,
    .limit = transfer->disk->limit ? transfer->disk->limit : transfer->backup->limit,
  };

  if (!vk_transfer_run (&options, transfer->disk->sink, transfer->disk->progress, transfer->cancellable, &transfer->error))
    g_cancellable_cancel (transfer->cancellable);
  g_idle_add (transfer_ended, transfer);
  return NULL;
}

static void
show_progress (VkBackup *backup)
{
  guint n_disks = backup->disks->len;
  g_autofree VkProgressItem *items = g_new0 (VkProgressItem, n_disks + 1);
  VkProgressItem *total = &items[n_disks];

  for (guint i = 0; i < n_disks; i++)
    {
      const VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      items[i].disk = disk->disk->target;
      items[i].total = disk->size;
      items[i].max_rate = disk->rate;
      vk_transfer_progress_get (disk->progress, NULL, &items[i].done, NULL);
      total->done += items[i].done;
      total->total += items[i].total;
    }
  total->max_rate = backup->request->max_rate;
  vk_reporter_progress (backup->reporter, items, n_disks == 1 ? 1 : n_disks + 1);
}

static void
forward_cancel (GCancellable *cancellable, gpointer user_data)
{
  g_cancellable_cancel (user_data);
}

/* The first failure that is not just the echo of another one. */
static void
take_error (Transfer *transfers, guint n, GError **error)
{
  Transfer *chosen = NULL;

  for (guint i = 0; i < n; i++)
    if (transfers[i].error != NULL
        && (chosen == NULL || g_error_matches (chosen->error, G_IO_ERROR, G_IO_ERROR_CANCELLED)))
      chosen = &transfers[i];
  if (chosen != NULL)
    g_propagate_error (error, g_steal_pointer (&chosen->error));
  for (guint i = 0; i < n; i++)
    g_clear_error (&transfers[i].error);
}

static gboolean
on_tick (gpointer user_data, GError **error)
{
  show_progress (user_data);
  return vk_backup_watch_scratch (user_data, error);
}

/* FALSE when the job died, when there is no more room for it, or the user wants no more. */
static gboolean
wait_for_all (VkBackup *backup, const gboolean *all_done, GError **error)
{
  if (backup->state != VK_STATE_SHUT_OFF)
    return vk_backup_job_run_until (backup->job, all_done, on_tick, backup, backup->cancellable, error);
  while (!*all_done && !g_cancellable_is_cancelled (backup->cancellable))
    {
      vk_host_run_until (all_done, NULL, g_get_monotonic_time () + PROGRESS_MILLISECONDS * 1000, backup->cancellable);
      show_progress (backup);
    }
  return !g_cancellable_set_error_if_cancelled (backup->cancellable, error);
}

/* Runs one transfer a disk, all at once, and watches the job meanwhile.  When
 * the job dies the reads fail or are cancelled, and the job's own reason is
 * the one that is reported. */
gboolean
vk_backup_transfer (VkBackup *backup, VkDiskUriFunc uri_of, GError **error)
{
  guint n = backup->disks->len;
  g_autofree Transfer *transfers = g_new0 (Transfer, n);
  g_autoptr (GCancellable) together = g_cancellable_new ();
  gulong forward = g_cancellable_connect (backup->cancellable, G_CALLBACK (forward_cancel), together, NULL);
  g_autoptr (GError) job_error = NULL;
  g_autoptr (GError) transfer_error = NULL;
  gboolean all_done = FALSE;
  gboolean job_lives;
  guint running = n;

  vk_backup_make_limits (backup);
  for (guint i = 0; i < n; i++)
    {
      transfers[i] = (Transfer) { .backup = backup, .disk = g_ptr_array_index (backup->disks, i), .uri_of = uri_of, .cancellable = together, .running = &running, .all_done = &all_done };
      transfers[i].thread = g_thread_new ("transfer", run_transfer, &transfers[i]);
    }
  job_lives = wait_for_all (backup, &all_done, &job_error);
  /* Before anything else: the store that is written to may hang. */
  if (!job_lives && backup->state != VK_STATE_SHUT_OFF)
    vk_backup_end_failed_pull (backup, &job_error);
  if (!job_lives)
    g_cancellable_cancel (together);
  for (guint i = 0; i < n; i++)
    g_thread_join (transfers[i].thread);
  while (!all_done)
    g_main_context_iteration (NULL, TRUE);
  g_cancellable_disconnect (backup->cancellable, forward);
  take_error (transfers, n, &transfer_error);
  if (job_lives && transfer_error == NULL)
    return TRUE;
  if (job_lives && backup->state != VK_STATE_SHUT_OFF && !g_cancellable_is_cancelled (backup->cancellable))
    {
      vk_backup_job_explain (backup->job, &transfer_error);
      vk_backup_end_failed_pull (backup, &transfer_error);
    }
  g_propagate_error (error, job_lives ? g_steal_pointer (&transfer_error) : g_steal_pointer (&job_error));
  return FALSE;
}

gboolean
vk_backup_open_sinks (VkBackup *backup, GError **error)
{
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      disk->sink = vk_point_writer_open_sink (backup->writer, disk->disk->target, disk->size, vk_backup_disk_base (backup, disk), disk->secret, backup->run_dir, error);
      if (disk->sink == NULL)
        return FALSE;
      disk->progress = vk_transfer_progress_new ();
    }
  return TRUE;
}

gboolean
vk_backup_close_sinks (VkBackup *backup, GError **error)
{
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      vk_transfer_progress_get (disk->progress, NULL, NULL, &disk->moved);
      g_clear_pointer (&disk->sink, vk_sink_free);
    }
  return vk_point_writer_close_sinks (backup->writer, error);
}
