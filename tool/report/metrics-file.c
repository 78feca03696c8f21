/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "report/metrics-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/files.h"

/* More than this is no file of ours, in bytes. */
enum { FILE_LIMIT = 64 << 20 };

/* "DIR/.NAME.SUFFIX": collectors read what ends with ".prom". */
static char *
beside (const char *path, const char *suffix)
{
  g_autofree char *directory = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);

  return g_strdup_printf ("%s/.%s.%s", directory, name, suffix);
}

/* Returns: a descriptor that has the lock, or -1. */
static VkFd
lock (const char *path, GError **error)
{
  g_autofree char *name = beside (path, "lock");
  g_auto (VkFd) fd = open (name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  int failed;

  if (fd < 0)
    {
      vk_fail_errno (error, "cannot open '%s'", name);
      return -1;
    }
  do
    failed = flock (fd, LOCK_EX);
  while (failed != 0 && errno == EINTR);
  if (failed == 0)
    return vk_fd_steal (&fd);
  vk_fail_errno (error, "cannot lock '%s'", name);
  return -1;
}

/* Returns: (transfer full); without samples when there is no file. */
static VkMetrics *
load (const char *path, GError **error)
{
  g_autoptr (VkMetrics) metrics = vk_metrics_new ();
  g_autoptr (GError) failure = NULL;
  g_autofree char *text = vk_file_read (path, FILE_LIMIT, NULL, &failure);
  guint line;

  if (text == NULL && !g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  if (text == NULL || vk_metrics_parse (metrics, text, &line))
    return g_steal_pointer (&metrics);
  vk_fail (error, VK_ERROR_REFUSED, "line %u of '%s' is none of virt-keep's: name a file that has nothing but its metrics, or remove this one", line, path);
  return NULL;
}

/* Only who has the lock writes the temporary file, so one that is there was left behind. */
static gboolean
save (const VkMetrics *metrics, const char *path, GError **error)
{
  g_autofree char *text = vk_metrics_to_text (metrics);
  g_autofree char *new_path = beside (path, "new");

  unlink (new_path);
  if (vk_file_write (new_path, text, strlen (text), error)
      && (chmod (new_path, 0644) == 0 || vk_fail_errno (error, "cannot make readable '%s'", new_path))
      && vk_file_replace (new_path, path, error))
    return TRUE;
  unlink (new_path);
  return FALSE;
}

gboolean
vk_metrics_file_update (const char *path, VkMetricsFunc func, gpointer user_data, GError **error)
{
  g_auto (VkFd) locked = lock (path, error);
  g_autoptr (VkMetrics) metrics = locked >= 0 ? load (path, error) : NULL;

  if (metrics == NULL || func == NULL)
    return metrics != NULL;
  func (metrics, user_data);
  return save (metrics, path, error);
}
