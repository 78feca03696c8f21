/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether there is room, before anything is written. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/room.h"
#include "host/storage-pool.h"
#include "restore/restore-private.h"

/* What goes to one file system. */
struct need
{
  dev_t device;
  const char *directory; /* in it */
  guint64 bytes;
};

static gboolean
add_need (GArray *needs, const char *directory, guint64 bytes, GError **error)
{
  struct need need = { .directory = directory, .bytes = bytes };
  struct stat status;

  if (stat (directory, &status) < 0)
    return vk_fail (error, VK_ERROR_STORE, "cannot look at '%s': %s", directory, g_strerror (errno));
  need.device = status.st_dev;
  for (guint i = 0; i < needs->len; i++)
    if (g_array_index (needs, struct need, i).device == status.st_dev)
      {
        g_array_index (needs, struct need, i).bytes += bytes;
        return TRUE;
      }
  g_array_append_val (needs, need);
  return TRUE;
}

static gboolean
compare (const char *place, guint64 available, guint64 bytes, GError **error)
{
  g_autofree char *needed = g_format_size_full (bytes, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *left = g_format_size_full (available, G_FORMAT_SIZE_IEC_UNITS);

  if (available >= bytes)
    return TRUE;
  vk_fail (error, VK_ERROR_STORE, "there is not enough room in '%s': %s (%" PRIu64 " bytes) are needed, %s (%" PRIu64 " bytes) are free; nothing was restored", place, needed, bytes,
               left, available);
  return FALSE;
}

static gboolean
check_file_system (const struct need *need, GError **error)
{
  VkRoom room;

  return vk_room_get (need->directory, &room, error) && compare (need->directory, room.left, need->bytes, error);
}

/* Of a compressed image nothing is known before it is made. */
static gboolean
measure (VkRestore *restore, VkRestoreItem *item, guint64 *bytes, GError **error)
{
  *bytes = item->file ? item->file->size : 0;
  if (item->disk == NULL || item->form.compress)
    return TRUE;
  return vk_qemu_img_measure (vk_restore_source (item), &item->form, bytes, restore->cancellable, error);
}

/* Without a file beside it: a volume takes the whole disk, unless it is a file
 * elsewhere; what is there already has its size. */
static gboolean
check_volume (VkRestore *restore, const VkRestoreItem *item, guint64 *planned, GError **error)
{
  guint64 available;

  if (item->volume == NULL || vk_storage_pool_has_files (restore->pool))
    return TRUE;
  g_assert (item->disk != NULL);
  *planned += item->disk->virtual_size;
  return vk_storage_pool_available (restore->pool, &available, error)
      && compare (restore->request->pool, available, *planned, error);
}

static gboolean
check_item (VkRestore *restore, VkRestoreItem *item, GArray *needs, guint64 *planned, GError **error)
{
  guint64 bytes;

  if (item->staged == NULL && (item->volume == NULL || vk_storage_pool_is_local (restore->pool)))
    return check_volume (restore, item, planned, error);
  return measure (restore, item, &bytes, error)
      && add_need (needs, item->staged ? vk_staging_parent (item->staging) : restore->work.path, bytes, error)
      && check_volume (restore, item, planned, error);
}

gboolean
vk_restore_check_space (VkRestore *restore, GError **error)
{
  g_autoptr (GArray) needs = g_array_new (FALSE, FALSE, sizeof (struct need));
  guint64 planned = 0;

  for (guint i = 0; i < restore->items->len; i++)
    {
      VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      if (item->complete)
        continue;
      if ((item->disk != NULL && !vk_restore_open_source (restore, item, error)) || !check_item (restore, item, needs, &planned, error))
        return FALSE;
    }
  for (guint i = 0; i < needs->len; i++)
    if (!check_file_system (&g_array_index (needs, struct need, i), error))
      return FALSE;
  return TRUE;
}
