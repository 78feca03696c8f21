/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/image/image-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "store/image/image-layout.h"

/* The bytes of an image on which QEMU's locks lie: for what it does with the image,
 * and for what others must not. */
enum { QEMU_LOCKS_START = 100, QEMU_LOCKS_LENGTH = 200 };

struct VkImageLock
{
  char *directory;
  char *path;
  int fd;
};

/* Whether the locked file is still the one that the path names: the process
 * that had the lock before may have removed the file with its directory. */
static gboolean
is_current (const VkImageLock *lock)
{
  struct stat locked, named;

  return fstat (lock->fd, &locked) == 0 && stat (lock->path, &named) == 0
      && locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

static void
set_busy_error (const VkImageLock *lock, const char *domain_name, GError **error)
{
  char holder[32] = "";
  gssize length = pread (lock->fd, holder, sizeof holder - 1, 0);

  g_strchomp (holder);
  g_set_error (error, VK_ERROR, VK_ERROR_BUSY, "another virt-keep is at work on '%s' in this store%s%s: wait for it, or see virt-keep status (lock: %s)", domain_name,
               length > 0 ? ", process " : "", length > 0 ? holder : "", lock->path);
}

/* FALSE without *error: the file went away meanwhile, try again. */
static gboolean
try_lock (VkImageLock *lock, const char *domain_name, GError **error)
{
  if (!vk_directory_make (lock->directory, VK_IMAGE_DIRECTORY_MODE, error))
    return FALSE;
  lock->fd = open (lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock->fd < 0)
    {
      if (errno != ENOENT)
        g_set_error (error, VK_ERROR, VK_ERROR_STORE, "cannot create '%s': %s", lock->path, g_strerror (errno));
      return FALSE;
    }
  if (flock (lock->fd, LOCK_EX | LOCK_NB) == 0 && is_current (lock))
    return TRUE;
  if (is_current (lock))
    set_busy_error (lock, domain_name, error);
  close (lock->fd);
  lock->fd = -1;
  return FALSE;
}

static void
lock_free (VkImageLock *lock)
{
  if (lock->fd >= 0)
    close (lock->fd);
  g_free (lock->directory);
  g_free (lock->path);
  g_free (lock);
}

VkImageLock *
vk_image_lock_take (const char *directory, const char *domain_name, GError **error)
{
  VkImageLock *lock = g_new0 (VkImageLock, 1);
  /* The process id is for people; what holds the lock is the open file, so
   * that no crash can leave it behind. */
  g_autofree char *holder = g_strdup_printf ("%d\n", (int) getpid ());
  g_autoptr (GError) failure = NULL;

  lock->directory = g_strdup (directory);
  lock->path = g_build_filename (directory, VK_IMAGE_LOCK, NULL);
  lock->fd = -1;
  while (!try_lock (lock, domain_name, &failure) && failure == NULL)
    ;
  if (failure == NULL && (ftruncate (lock->fd, 0) < 0 || pwrite (lock->fd, holder, strlen (holder), 0) < 0))
    g_set_error (&failure, VK_ERROR, VK_ERROR_STORE, "cannot write '%s': %s", lock->path, g_strerror (errno));
  if (failure == NULL)
    return lock;
  g_propagate_error (error, g_steal_pointer (&failure));
  lock_free (lock);
  return NULL;
}

void
vk_image_lock_release (VkImageLock *lock)
{
  g_autoptr (GPtrArray) names = vk_image_directory_names (lock->directory, NULL);

  if (names != NULL && names->len == 1)
    {
      unlink (lock->path);
      rmdir (lock->directory);
    }
  lock_free (lock);
}

/* Whether any lock of QEMU's is in the way of all of them. */
static gboolean
is_open_in_qemu (const char *path)
{
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = QEMU_LOCKS_START, .l_len = QEMU_LOCKS_LENGTH };
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  gboolean found = fd >= 0 && fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;

  if (fd >= 0)
    close (fd);
  return found;
}

gboolean
vk_image_refuse_open (const VkPoint *point, GError **error)
{
  for (guint i = 0; point->manifest != NULL && i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      g_autofree char *path = g_build_filename (point->location, disk->image, NULL);
      g_autofree char *name = NULL;

      if (!is_open_in_qemu (path))
        continue;
      name = vk_point_name (point);
      g_set_error (error, VK_ERROR, VK_ERROR_BUSY, "the restore point '%s' is being read: a domain was booted from it or from one that builds on it, or it is being restored or exported (image: %s)", name, path);
      return FALSE;
    }
  return TRUE;
}
