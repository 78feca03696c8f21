/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/domain-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

/* Whoever only looks whether the lock is held (vk_domain_lock_is_held()) has it for a
 * moment; more often than this nobody looks. */
enum { LOOK_ATTEMPTS = 5, LOOK_MILLISECONDS = 10 };

struct VkDomainLock
{
  char *directory;
  int mode; /* of the directory, if it has to be made */
  char *path;
  int fd;
};

/* Whether the locked file is still the one that the path names: the process
 * that had the lock before may have removed the file with its directory. */
static gboolean
is_current (const VkDomainLock *lock)
{
  struct stat locked, named;

  return fstat (lock->fd, &locked) == 0 && stat (lock->path, &named) == 0
      && locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

/* What the holder has written into the file, "" for nothing.  Returns: (transfer full). */
static char *
read_holder (int fd)
{
  char holder[32] = "";
  gssize length = pread (fd, holder, sizeof holder - 1, 0);

  return g_strdup (length > 0 ? g_strchomp (holder) : "");
}

static void
set_busy_error (const VkDomainLock *lock, const char *domain_name, GError **error)
{
  g_autofree char *holder = read_holder (lock->fd);

  vk_fail (error, VK_ERROR_BUSY, "another virt-keep is at work on '%s' in this store%s%s: wait for it, or see virt-keep status (lock: %s)", domain_name,
               *holder ? ", process " : "", holder, lock->path);
}

/* Goes on after a process that only looks. */
static gboolean
lock_file (const VkDomainLock *lock)
{
  for (guint i = 0; i < LOOK_ATTEMPTS; i++)
    {
      if (flock (lock->fd, LOCK_EX | LOCK_NB) == 0)
        return TRUE;
      g_usleep (LOOK_MILLISECONDS * 1000);
    }
  return FALSE;
}

/* What is written into a device or a FIFO would not be a lock. */
static gboolean
is_regular (const VkDomainLock *lock)
{
  struct stat status;

  return fstat (lock->fd, &status) == 0 && S_ISREG (status.st_mode);
}

/* FALSE without *error: the file went away meanwhile, try again. */
static gboolean
try_lock (VkDomainLock *lock, const char *domain_name, GError **error)
{
  if (!vk_directory_make (lock->directory, lock->mode, error))
    return FALSE;
  lock->fd = open (lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (lock->fd < 0)
    {
      if (errno != ENOENT)
        vk_fail (error, VK_ERROR_STORE, "cannot create '%s': %s", lock->path, g_strerror (errno));
      return FALSE;
    }
  if (is_regular (lock) && lock_file (lock) && is_current (lock))
    return TRUE;
  if (!is_regular (lock))
    vk_fail (error, VK_ERROR_STORE, "'%s' is not a regular file", lock->path);
  else if (is_current (lock))
    set_busy_error (lock, domain_name, error);
  close (lock->fd);
  lock->fd = -1;
  return FALSE;
}

static void
lock_free (VkDomainLock *lock)
{
  if (lock->fd >= 0)
    close (lock->fd);
  g_free (lock->directory);
  g_free (lock->path);
  g_free (lock);
}

VkDomainLock *
vk_domain_lock_take (const char *directory, int mode, const char *domain_name, GError **error)
{
  VkDomainLock *lock = g_new0 (VkDomainLock, 1);
  /* The process id is for people; what holds the lock is the open file, so
   * that no crash can leave it behind. */
  g_autofree char *holder = g_strdup_printf ("%d\n", (int) getpid ());
  g_autoptr (GError) failure = NULL;

  lock->directory = g_strdup (directory);
  lock->mode = mode;
  lock->path = g_build_filename (directory, VK_DOMAIN_LOCK, NULL);
  lock->fd = -1;
  while (!try_lock (lock, domain_name, &failure) && failure == NULL)
    ;
  if (failure == NULL && (ftruncate (lock->fd, 0) < 0 || pwrite (lock->fd, holder, strlen (holder), 0) < 0))
    vk_fail (&failure, VK_ERROR_STORE, "cannot write '%s': %s", lock->path, g_strerror (errno));
  if (failure == NULL)
    return lock;
  g_propagate_error (error, g_steal_pointer (&failure));
  lock_free (lock);
  return NULL;
}

/* But for the lock. */
static gboolean
is_empty (const char *directory)
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (strcmp (name, VK_DOMAIN_LOCK) != 0)
      return FALSE;
  return dir != NULL;
}

void
vk_domain_lock_release (VkDomainLock *lock)
{
  if (is_empty (lock->directory))
    {
      unlink (lock->path);
      rmdir (lock->directory);
    }
  lock_free (lock);
}

gboolean
vk_domain_lock_is_held (const char *directory, char **holder)
{
  g_autofree char *path = g_build_filename (directory, VK_DOMAIN_LOCK, NULL);
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  gboolean held = fd >= 0 && flock (fd, LOCK_SH | LOCK_NB) < 0;
  g_autofree char *process = held ? read_holder (fd) : NULL;

  *holder = NULL;
  if (held)
    *holder = *process ? g_strdup_printf ("process %s", process) : g_strdup ("another process");
  if (fd >= 0)
    close (fd);
  return held;
}
