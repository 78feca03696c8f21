/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks that go where --target says: block devices, new files, QEMU's image URIs. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/open-files.h"
#include "restore/restore-private.h"

gboolean
vk_restore_is_path (const char *place)
{
  const char *colon = strchr (place, ':');
  const char *slash = strchr (place, '/');

  return colon == NULL || (slash != NULL && slash < colon);
}

gboolean
vk_restore_plan_target (VkRestore *restore, VkRestoreItem *item, const char *place, GError **error)
{
  struct stat status;

  if (!vk_restore_is_path (place))
    {
      item->path = g_strdup (place);
      return TRUE;
    }
  item->path = g_canonicalize_filename (place, NULL);
  if (stat (item->path, &status) < 0 || S_ISREG (status.st_mode))
    item->staged = g_path_get_basename (item->path);
  else if (!S_ISBLK (status.st_mode))
    return vk_fail (error, VK_ERROR_REFUSED, "the disk %s cannot be restored to '%s', which is neither a block device nor a new file", item->name, item->path);
  return TRUE;
}

/* The kernel lets nobody else have a block device that is mounted or part of
 * something bigger; a QEMU takes it without a word. */
gboolean
vk_restore_check_unused (const VkRestoreItem *item, GError **error)
{
  int fd = open (item->path, O_RDWR | O_EXCL | O_CLOEXEC);
  int number = errno;
  g_autofree char *writer = NULL;
  struct stat status;

  if (fd >= 0)
    close (fd);
  if (fd >= 0 && stat (item->path, &status) == 0)
    writer = vk_block_device_writer (status.st_rdev);
  if (fd >= 0 && writer == NULL)
    return TRUE;
  if (writer != NULL)
    vk_fail (error, VK_ERROR_REFUSED, "the block device '%s' is in use by %s, perhaps by a domain that runs: free it before %s is restored to it", item->path, writer, item->name);
  else if (number == EBUSY)
    vk_fail (error, VK_ERROR_REFUSED, "the block device '%s' is in use, mounted for example: free it before %s is restored to it", item->path, item->name);
  else
    vk_fail (error, VK_ERROR_REFUSED, "the block device '%s' cannot be written to: %s", item->path, g_strerror (number));
  return FALSE;
}

static gboolean
check_size (const VkRestoreItem *item, guint64 size, GError **error)
{
  if (size >= item->disk->virtual_size)
    return TRUE;
  vk_fail (error, VK_ERROR_REFUSED, "'%s' has %" PRIu64 " bytes, too few for the %" PRIu64 " of the disk %s: nothing was written", item->path, size,
               item->disk->virtual_size, item->name);
  return FALSE;
}

gboolean
vk_restore_prepare_target (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GError) second = NULL;
  guint64 size;

  if (vk_restore_is_path (item->path) && !vk_restore_check_unused (item, error))
    return FALSE;
  if (vk_qemu_img_target_size (item->path, &size, restore->cancellable, &failure))
    return check_size (item, size, error);
  if (vk_restore_is_path (item->path) || !g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (vk_qemu_img_create_target (item->path, item->disk->virtual_size, restore->cancellable, &second))
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "%s, and it cannot be made: %s", failure->message, second->message);
}
