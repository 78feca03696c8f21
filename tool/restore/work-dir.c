/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "restore/work-dir.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"

static const char parent[] = "/var/tmp";
static const char prefix[] = "virt-keep-restore-";

/* Long enough for a new directory to be locked by the one who made it. */
enum { STALE_SECONDS = 60 };

static int
open_directory (const char *path)
{
  return open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* Nobody holds it, and it is ours and not just being made. */
static void
remove_if_stale (const char *path)
{
  int fd = open_directory (path);
  struct stat status;

  if (fd < 0)
    return;
  if (fstat (fd, &status) == 0 && status.st_uid == geteuid () && time (NULL) - status.st_mtime > STALE_SECONDS && flock (fd, LOCK_EX | LOCK_NB) == 0)
    vk_tree_remove (path, NULL);
  close (fd);
}

static void
remove_stale (void)
{
  g_autoptr (GDir) directory = g_dir_open (parent, 0, NULL);
  const char *name;

  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL)
    if (g_str_has_prefix (name, prefix))
      {
        g_autofree char *path = g_build_filename (parent, name, NULL);

        remove_if_stale (path);
      }
}

gboolean
vk_work_dir_make (VkWorkDir *dir, GError **error)
{
  remove_stale ();
  dir->fd = -1;
  dir->path = vk_directory_make_private (parent, prefix, NULL, error);
  if (dir->path == NULL)
    return FALSE;
  dir->fd = open_directory (dir->path);
  if (dir->fd >= 0)
    flock (dir->fd, LOCK_EX | LOCK_NB);
  return TRUE;
}

void
vk_work_dir_remove (VkWorkDir *dir)
{
  if (dir->path == NULL)
    return;
  vk_tree_remove (dir->path, NULL);
  if (dir->fd >= 0)
    close (dir->fd);
  g_clear_pointer (&dir->path, g_free);
}
