/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/run-dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

/* Opens the directory, which has to be ours, and locks it; -1 when that cannot be: somebody
 * holds it, or it has been removed meanwhile. */
static int
lock_directory (const char *path)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat mine, its;

  if (fd < 0)
    return -1;
  if (flock (fd, LOCK_EX | LOCK_NB) == 0 && fstat (fd, &mine) == 0 && mine.st_uid == geteuid ()
      && lstat (path, &its) == 0 && its.st_ino == mine.st_ino && its.st_dev == mine.st_dev)
    return fd;
  close (fd);
  return -1;
}

GPtrArray *
vk_run_dir_find_left (const char *parent, const char *prefix)
{
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) names = g_dir_open (parent, 0, NULL);
  const char *name;

  while (names != NULL && (name = g_dir_read_name (names)) != NULL)
    {
      g_autofree char *path = g_build_filename (parent, name, NULL);
      int lock = g_str_has_prefix (name, prefix) ? lock_directory (path) : -1;

      if (lock < 0)
        continue;
      close (lock);
      g_ptr_array_add (paths, g_steal_pointer (&path));
    }
  return paths;
}

gboolean
vk_run_dir_remove_left (const char *path, GError **error)
{
  int lock = lock_directory (path);
  gboolean removed;

  if (lock < 0)
    return vk_fail (error, VK_ERROR_BUSY, "'%s' is in use, or has gone", path);
  removed = vk_tree_remove (path, error);
  close (lock);
  return removed;
}

static void
remove_left_ones (const char *parent, const char *prefix)
{
  g_autoptr (GPtrArray) paths = vk_run_dir_find_left (parent, prefix);

  for (guint i = 0; i < paths->len; i++)
    vk_run_dir_remove_left (g_ptr_array_index (paths, i), NULL);
}

VkRunDir *
vk_run_dir_new (const char *parent, const char *prefix, mode_t mode, const char *hint, GError **error)
{
  g_autofree char *path = NULL;
  VkRunDir *dir;
  int lock;

  remove_left_ones (parent, prefix);
  do
    {
      g_free (path);
      path = vk_directory_make_private (parent, prefix, hint, error);
      if (path == NULL)
        return NULL;
      /* Another run may have found it before it was locked. */
      lock = lock_directory (path);
    }
  while (lock < 0);
  fchmod (lock, mode);
  dir = g_new0 (VkRunDir, 1);
  dir->path = g_steal_pointer (&path);
  dir->lock = lock;
  return dir;
}

void
vk_run_dir_free (VkRunDir *dir)
{
  vk_tree_remove (dir->path, NULL);
  close (dir->lock);
  g_free (dir->path);
  g_free (dir);
}
