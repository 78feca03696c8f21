/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One disk, from the store's door to its place. */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "restore/restore-private.h"
#include "transfer/nbd-pool.h"

void
vk_restore_show_fraction (double fraction, gpointer user_data)
{
  VkRestore *restore = user_data;
  VkProgressItem *item = &restore->progress[restore->current];
  VkProgressItem *total = &restore->progress[restore->n_disks];

  total->done -= item->done;
  item->done = (guint64) (fraction * (double) item->total);
  total->done += item->done;
  vk_reporter_progress (restore->reporter, restore->progress, restore->n_disks == 1 ? 1 : restore->n_disks + 1);
}

/* To qemu-img what is wrong with the disk is an input/output error.  Returns FALSE. */
static gboolean
explain (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  if (item->door != NULL && !g_cancellable_is_cancelled (restore->cancellable))
    vk_nbd_server_explain (item->door, error);
  return FALSE;
}

gboolean
vk_restore_open_source (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  g_autoptr (GError) failure = NULL;

  /* qemu-img reads images faster than a server for them. */
  if (item->staged != NULL)
    item->source = vk_store_describe_disk (restore->store, restore->point, item->disk, &failure);
  if (item->source == NULL && failure == NULL)
    item->door = vk_store_open_disk (restore->store, restore->point, item->disk, restore->work.path, &failure);
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  return item->source != NULL || item->door != NULL;
}

const char *
vk_restore_source (const VkRestoreItem *item)
{
  return item->source ? item->source : vk_nbd_server_uri (item->door);
}

/* Whether the disk's images are not those any more that were described, because a point
 * has been removed meanwhile. */
static gboolean
has_moved (VkRestore *restore, VkRestoreItem *item)
{
  g_autofree char *now = item->source ? vk_store_describe_disk (restore->store, restore->point, item->disk, NULL) : NULL;

  if (now == NULL || strcmp (now, item->source) == 0)
    return FALSE;
  g_free (item->source);
  item->source = g_steal_pointer (&now);
  return TRUE;
}

/* One way to copy item to a place. */
typedef gboolean (*CopyFunc) (VkRestore *restore, VkRestoreItem *item, const char *place, GError **error);

static gboolean
convert (VkRestore *restore, VkRestoreItem *item, const char *place, GError **error)
{
  g_autoptr (GError) failure = NULL;

  while (!vk_qemu_img_convert (vk_restore_source (item), place, &item->form, vk_restore_show_fraction, restore, restore->cancellable, &failure))
    {
      if (g_cancellable_is_cancelled (restore->cancellable) || !has_moved (restore, item))
        break;
      g_clear_error (&failure);
    }
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return explain (restore, item, error);
}

static gboolean
overwrite (VkRestore *restore, VkRestoreItem *item, const char *place, GError **error)
{
  g_autofree char *name = vk_point_name (restore->point);

  return vk_qemu_img_overwrite (vk_nbd_server_uri (item->door), place, item->disk->virtual_size, name, restore->work.path, vk_restore_show_fraction, restore, restore->cancellable, error)
      || explain (restore, item, error);
}

typedef struct
{
  VkRestore *restore;
  const VkManifestDisk *disk;
  GCancellable *cancellable;
  GError *error;
} ChainCheck;

static gpointer
check_chain (gpointer user_data)
{
  ChainCheck *check = user_data;

  vk_store_check_disk (check->restore->store, check->restore->point, check->disk, check->cancellable, &check->error);
  return NULL;
}

/* Images are hashed beside the copy, which reads the same pages; FALSE also
 * when only that has failed. */
static gboolean
copy_and_check (CopyFunc copy, VkRestore *restore, VkRestoreItem *item, const char *place, GError **error)
{
  g_autoptr (GCancellable) stop = g_cancellable_new ();
  ChainCheck check = { .restore = restore, .disk = item->disk, .cancellable = stop };
  GThread *thread = g_thread_new ("digest", check_chain, &check);
  gboolean copied = copy (restore, item, place, error);

  if (!copied)
    g_cancellable_cancel (stop);
  g_thread_join (thread);
  if (copied && check.error != NULL)
    {
      g_propagate_error (error, check.error);
      return FALSE;
    }
  g_clear_error (&check.error);
  return copied;
}

static gboolean
run (CopyFunc copy, VkRestore *restore, VkRestoreItem *item, const char *place, GError **error)
{
  return restore->store->ops->door_checks ? copy (restore, item, place, error) : copy_and_check (copy, restore, item, place, error);
}

gboolean
vk_restore_copy_to_file (VkRestore *restore, VkRestoreItem *item, const char *path, GError **error)
{
  if (run (convert, restore, item, path, error))
    return TRUE;
  unlink (path);
  return FALSE;
}

/* Makes what has been written to place durable: the path of a block device or file, or the URI of a
 * VkNbdServer, name for people. */
static gboolean
flush (VkRestore *restore, const char *place, const char *name, GError **error)
{
  const VkNbdPoolOptions options = { .uri = place, .name = name, .error_code = VK_ERROR_STORE, .max_connections = 1 };
  g_autoptr (VkNbdPool) pool = NULL;

  if (vk_restore_is_path (place))
    return vk_file_sync (place, error);
  pool = vk_nbd_pool_new (&options, restore->cancellable, error);
  return pool != NULL && vk_nbd_pool_finish (pool, restore->cancellable, error);
}

static gboolean
finish_over (VkRestore *restore, VkRestoreItem *item, const char *place, const char *name, GError **error)
{
  return vk_qemu_img_finish_overwrite (vk_nbd_server_uri (item->door), place, item->disk->virtual_size, restore->cancellable, error)
      && flush (restore, place, name, error);
}

gboolean
vk_restore_finish_over (VkRestore *restore, VkRestoreItem *item, const char *path, GError **error)
{
  return finish_over (restore, item, path, path, error);
}

/* Only what has been checked, and is there to stay, may look like a disk. */
static gboolean
overwrite_all (VkRestore *restore, VkRestoreItem *item, const char *place, const char *name, gboolean finish, GError **error)
{
  return run (overwrite, restore, item, place, error)
      && flush (restore, place, name, error)
      && (!finish || finish_over (restore, item, place, name, error));
}

gboolean
vk_restore_copy_over (VkRestore *restore, VkRestoreItem *item, const char *target, gboolean finish, GError **error)
{
  g_autoptr (VkNbdServer) server = NULL;

  if (vk_restore_is_path (target))
    return overwrite_all (restore, item, target, target, finish, error);
  server = vk_nbd_server_target (target, "raw", restore->work.path, error);
  return server != NULL && overwrite_all (restore, item, vk_nbd_server_uri (server), target, finish, error) && vk_nbd_server_stop (server, error);
}

gboolean
vk_restore_copy_disk (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  g_autofree char *partial = NULL;

  if (item->delta)
    return vk_restore_copy_delta (restore, item, error);
  if (item->staged == NULL)
    return item->volume != NULL ? vk_restore_copy_volume (restore, item, error) : vk_restore_copy_over (restore, item, item->path, TRUE, error);
  partial = vk_staging_partial (item->staging, item->staged, error);
  return partial != NULL
      && vk_restore_copy_to_file (restore, item, partial, error)
      && vk_staging_complete (item->staging, item->staged, error);
}
