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

struct VkImageClaims
{
  GArray *fds;
};

void
vk_image_claims_free (VkImageClaims *claims)
{
  for (guint i = 0; i < claims->fds->len; i++)
    close (g_array_index (claims->fds, int, i));
  g_array_unref (claims->fds);
  g_free (claims);
}

const GArray *
vk_image_claims_fds (const VkImageClaims *claims)
{
  return claims->fds;
}

static gboolean
claim_point (VkImageClaims *claims, const VkPoint *point, gboolean alone, GError **error)
{
  int fd = open (point->location, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  g_autofree char *name = NULL;

  if (fd < 0)
    return TRUE;
  if (flock (fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 || errno != EWOULDBLOCK)
    {
      g_array_append_val (claims->fds, fd);
      return TRUE;
    }
  close (fd);
  name = vk_point_name (point);
  g_set_error (error, VK_ERROR, VK_ERROR_BUSY, alone ? "the restore point '%s' is in use: a domain runs that was booted from it, or from one that builds on it"
                                                     : "the restore point '%s' is just being removed", name);
  return FALSE;
}

VkImageClaims *
vk_image_claim (const GPtrArray *points, GHashTable *doomed, gboolean alone, GError **error)
{
  g_autoptr (VkImageClaims) claims = g_new0 (VkImageClaims, 1);

  claims->fds = g_array_new (FALSE, FALSE, sizeof (int));
  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if ((doomed == NULL || g_hash_table_contains (doomed, point->id)) && !claim_point (claims, point, alone, error))
        return NULL;
    }
  return g_steal_pointer (&claims);
}
