/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/open-files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What fdinfo says of the mode that the file was opened with, in octal. */
static gboolean
is_for_writing (const char *process, const char *fd)
{
  g_autofree char *path = g_build_filename (process, "fdinfo", fd, NULL);
  g_autofree char *text = NULL;
  const char *flags;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  flags = strstr (text, "flags:");
  return flags != NULL && (strtoul (flags + strlen ("flags:"), NULL, 8) & O_ACCMODE) != O_RDONLY;
}

static gboolean
has_open (const char *process, dev_t device)
{
  g_autofree char *directory = g_build_filename (process, "fd", NULL);
  g_autoptr (GDir) fds = g_dir_open (directory, 0, NULL);
  const char *fd;

  while (fds != NULL && (fd = g_dir_read_name (fds)) != NULL)
    {
      g_autofree char *path = g_build_filename (directory, fd, NULL);
      struct stat status;

      if (stat (path, &status) == 0 && S_ISBLK (status.st_mode) && status.st_rdev == device && is_for_writing (process, fd))
        return TRUE;
    }
  return FALSE;
}

char *
vk_block_device_writer (dev_t device)
{
  g_autoptr (GDir) processes = g_dir_open ("/proc", 0, NULL);
  g_autofree char *own = g_strdup_printf ("%d", (int) getpid ());
  const char *pid;

  while (processes != NULL && (pid = g_dir_read_name (processes)) != NULL)
    {
      g_autofree char *process = g_build_filename ("/proc", pid, NULL);
      g_autofree char *name_path = g_build_filename (process, "comm", NULL);
      g_autofree char *name = NULL;

      if (!g_ascii_isdigit (pid[0]) || strcmp (pid, own) == 0 || !has_open (process, device))
        continue;
      g_file_get_contents (name_path, &name, NULL, NULL);
      return g_strdup_printf ("%s (%s)", name ? g_strchomp (name) : "process", pid);
    }
  return NULL;
}
