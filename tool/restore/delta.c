/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Only what differs is written into the domain's own disks.  Those that are files
 * have other names until all are done, so that the domain cannot be started with
 * half of them; what was interrupted is finished by the next run, with whatever
 * point. */
#include "config.h"

#include <glib/gi18n.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "restore/restore-private.h"
#include "transfer/delta-sink.h"
#include "transfer/transfer.h"

enum { MAX_CONNECTIONS = 4, TICK_MILLISECONDS = 200, HALF_ATTEMPTS = 50 };

/* Beside the disk: it may build on other images, by relative path. */
static char *
hidden_path (const VkRestoreItem *item)
{
  g_autofree char *directory = g_path_get_dirname (item->path);
  g_autofree char *base = g_path_get_basename (item->path);
  g_autofree char *name = g_strdup_printf (".%s.virt-keep-delta", base);

  return g_build_filename (directory, name, NULL);
}

static gboolean
is_file (const char *path)
{
  struct stat status;

  return lstat (path, &status) == 0 && S_ISREG (status.st_mode);
}

gboolean
vk_restore_refuse_half_written (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  g_autofree char *hidden = hidden_path (item);

  if (restore->request->delta || !is_file (hidden))
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "'%s' is '%s', half written by a restore with --delta that was interrupted: finish it with --in-place --delta, of any restore point, or rename it", hidden, item->path);
}

typedef struct
{
  const VkTransferOptions *options;
  VkSink *sink;
  VkTransferProgress *progress;
  GCancellable *cancellable;
  GError *error;
  gboolean ok;
  int ended; /* atomic */
} Copy;

static gpointer
run_copy (gpointer data)
{
  Copy *copy = data;

  copy->ok = vk_transfer_run (copy->options, copy->sink, copy->progress, copy->cancellable, &copy->error);
  g_atomic_int_set (&copy->ended, 1);
  return NULL;
}

static void
show_progress (VkRestore *restore, const VkTransferProgress *progress)
{
  guint64 size, position;

  vk_transfer_progress_get (progress, &size, &position, NULL);
  if (size > 0)
    vk_restore_show_fraction ((double) position / (double) size, restore);
}

/* Reads both, and writes into the server's disk what differs. */
static gboolean
copy_differences (VkRestore *restore, VkRestoreItem *item, VkNbdServer *server, GError **error)
{
  VkTransferOptions options = { .disk = item->name, .uri = vk_nbd_server_uri (item->door), .max_connections = MAX_CONNECTIONS };
  g_autoptr (VkTransferProgress) progress = vk_transfer_progress_new ();
  g_autoptr (VkSink) sink = vk_delta_sink_new (vk_nbd_server_uri (server), item->path, item->disk->virtual_size, &item->written, error);
  Copy copy = { .options = &options, .sink = sink, .progress = progress, .cancellable = restore->cancellable };
  GThread *thread;

  if (sink == NULL)
    return FALSE;
  thread = g_thread_new ("delta", run_copy, &copy);
  while (!g_atomic_int_get (&copy.ended))
    {
      show_progress (restore, progress);
      g_usleep (TICK_MILLISECONDS * 1000);
    }
  g_thread_join (thread);
  if (copy.error != NULL)
    g_propagate_error (error, copy.error);
  return copy.ok;
}

static gboolean
check_size (VkRestoreItem *item, VkNbdServer *server, GError **error)
{
  guint64 size;

  if (!vk_transfer_export_size (vk_nbd_server_uri (server), &size, error))
    return FALSE;
  if (size == item->disk->virtual_size)
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "'%s' has %" PRIu64 " bytes now, and had %" PRIu64 " then: restore it without --delta", item->path, size, item->disk->virtual_size);
}

/* The qemu-nbd of a run that was killed may still have to flush what it was given
 * before it lets go of the image. */
static VkNbdServer *
open_place (VkRestore *restore, const VkRestoreItem *item, const char *place, GError **error)
{
  guint attempts = item->is_half ? HALF_ATTEMPTS : 1;
  g_autoptr (GError) failure = NULL;

  for (guint i = 0; i < attempts && !g_cancellable_is_cancelled (restore->cancellable); i++)
    {
      VkNbdServer *server;

      if (i > 0)
        g_usleep (TICK_MILLISECONDS * 1000);
      g_clear_error (&failure);
      server = vk_nbd_server_target (place, item->form.format, restore->work.path, &failure);
      if (server != NULL)
        return server;
    }
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else
    g_cancellable_set_error_if_cancelled (restore->cancellable, error);
  return NULL;
}

static gboolean
write_delta (VkRestore *restore, VkRestoreItem *item, const char *place, GError **error)
{
  g_auto (VkFd) held = vk_file_hold (place, error);
  g_autoptr (VkNbdServer) server = held < 0 ? NULL : open_place (restore, item, place, error);
  gboolean done = server != NULL && check_size (item, server, error) && copy_differences (restore, item, server, error);

  if (done)
    return vk_nbd_server_stop (server, error) && vk_file_sync_held (held, place, error);
  /* The image is closed properly, so that the next run finds it sound. */
  if (server != NULL)
    vk_nbd_server_stop (server, NULL);
  return FALSE;
}

gboolean
vk_restore_copy_delta (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  return write_delta (restore, item, item->hidden ? item->hidden : item->path, error);
}

static gboolean
hide (VkRestoreItem *item, GError **error)
{
  g_autofree char *hidden = hidden_path (item);

  if (is_file (item->path) && is_file (hidden))
    return vk_fail (error, VK_ERROR_REFUSED, "both '%s' and the half written '%s' are there: remove the one that is not wanted", item->path, hidden);
  item->is_half = is_file (hidden);
  if (!item->is_half && !is_file (item->path))
    return TRUE;
  if (!item->is_half && !vk_file_rename (item->path, hidden, error))
    return FALSE;
  item->hidden = g_steal_pointer (&hidden);
  return TRUE;
}

gboolean
vk_restore_hide (VkRestore *restore, GError **error)
{
  if (!restore->request->delta)
    return TRUE;
  if (!vk_in_place_check_off (restore->in_place, error))
    return FALSE;
  for (guint i = 0; i < restore->n_disks; i++)
    {
      VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      /* Nothing is kept aside: what is written has to be right. */
      if (!restore->store->ops->door_checks && !vk_store_check_disk (restore->store, restore->point, item->disk, restore->cancellable, error))
        return FALSE;
    }
  for (guint i = 0; i < restore->n_disks; i++)
    if (!hide (g_ptr_array_index (restore->items, i), error))
      return FALSE;
  return TRUE;
}

gboolean
vk_restore_show (VkRestore *restore, GError **error)
{
  for (guint i = 0; i < restore->n_disks; i++)
    {
      VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      if (item->hidden != NULL && !vk_file_rename (item->hidden, item->path, error))
        return FALSE;
      g_clear_pointer (&item->hidden, g_free);
    }
  return TRUE;
}

void
vk_restore_show_untouched (VkRestore *restore, GError **error)
{
  const VkRestoreItem *half = NULL;

  for (guint i = 0; i < restore->n_disks; i++)
    {
      const VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      if (item->hidden != NULL && (item->is_half || item->written > 0))
        half = item;
    }
  if (half != NULL)
    g_prefix_error (error, _("the disks are half written, and called '%s' and so on until the same command has finished them: "), half->hidden);
  else
    vk_restore_show (restore, NULL);
}
