/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <unistd.h>

#include "base/error.h"

void
vk_fd_close (VkFd *fd)
{
  if (*fd >= 0)
    close (*fd);
}

VkFd
vk_fd_steal (VkFd *fd)
{
  VkFd stolen = *fd;

  *fd = -1;
  return stolen;
}

/* In parentheses, as it may be a macro, too. */
gboolean
(vk_fail_errno) (GError **error, const char *format, ...)
{
  int number = errno;
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (_(format), args);
  va_end (args);
  g_set_error (error, VK_ERROR, number == ENOENT ? VK_ERROR_NOT_FOUND : VK_ERROR_STORE, "%s: %s", text, g_strerror (number));
  return FALSE;
}

VkFd
vk_fd_open_regular (const char *path, struct stat *status, GError **error)
{
  g_auto (VkFd) fd = open (path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0)
    vk_fail_errno (error, "cannot open '%s'", path);
  else if (fstat (fd, status) < 0)
    vk_fail_errno (error, "cannot examine '%s'", path);
  else if (!S_ISREG (status->st_mode))
    vk_fail (error, VK_ERROR_STORE, "'%s' is not a regular file", path);
  else
    return vk_fd_steal (&fd);
  return -1;
}

VkFd
vk_fd_create (const char *path, GError **error)
{
  VkFd fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0)
    vk_fail_errno (error, "cannot create '%s'", path);
  return fd;
}

gboolean
vk_fd_write_all (int fd, const void *data, gsize length, const char *path, GError **error)
{
  const guint8 *bytes = data;

  while (length > 0)
    {
      gssize written = write (fd, bytes, length);

      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return vk_fail_errno (error, "cannot write '%s'", path);
      bytes += written;
      length -= (gsize) written;
    }
  return TRUE;
}

VkFd
vk_fd_take_output (GError **error)
{
  g_auto (VkFd) taken = fcntl (STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

  if (taken >= 0 && dup2 (STDERR_FILENO, STDOUT_FILENO) >= 0)
    return vk_fd_steal (&taken);
  vk_fail (error, VK_ERROR_FAILED, "cannot take standard output: %s", g_strerror (errno));
  return -1;
}
