/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "restore/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

/* Its own files, which no restored one is called: those begin with a letter of
 * the point's. */
static const char request_name[] = ".request";
static const char placing_name[] = ".placing";

enum { REQUEST_LIMIT = 1 << 20, DIRECTORY_MODE = 0700 };

struct VkStaging
{
  char *parent;
  char *path;
  int fd; /* of the directory: locked */
  gboolean is_other; /* it is of another request */
};

static char *
inside (const VkStaging *staging, const char *name)
{
  return g_build_filename (staging->path, name, NULL);
}

static gboolean
has_file (const VkStaging *staging, const char *name)
{
  g_autofree char *path = inside (staging, name);
  struct stat status;

  return lstat (path, &status) == 0 && S_ISREG (status.st_mode);
}

static void
staging_free (VkStaging *staging)
{
  if (staging->fd >= 0)
    close (staging->fd);
  g_free (staging->parent);
  g_free (staging->path);
  g_free (staging);
}

/* The one that had the lock before may have removed the directory. */
static gboolean
is_current (const VkStaging *staging)
{
  struct stat locked, named;

  return fstat (staging->fd, &locked) == 0 && stat (staging->path, &named) == 0
      && locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

static gboolean
is_ours (const VkStaging *staging)
{
  struct stat status;

  return fstat (staging->fd, &status) == 0 && status.st_uid == geteuid () && (status.st_mode & 0022) == 0;
}

/* FALSE without *error: the directory went away meanwhile, try again. */
static gboolean
try_lock (VkStaging *staging, GError **error)
{
  int number;

  if (mkdir (staging->path, DIRECTORY_MODE) < 0 && errno != EEXIST)
    {
      number = errno;
      return vk_fail (error, VK_ERROR_STORE, "cannot create '%s': %s", staging->path, g_strerror (number));
    }
  staging->fd = open (staging->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  number = errno;
  if (staging->fd < 0 && number != ENOENT)
    vk_fail (error, VK_ERROR_STORE, "cannot open '%s': %s", staging->path, g_strerror (number));
  if (staging->fd < 0)
    return FALSE;
  if (!is_ours (staging))
    return vk_fail (error, VK_ERROR_REFUSED, "'%s' belongs to another user, who could change what is restored: restore to another place", staging->path);
  if (flock (staging->fd, LOCK_EX | LOCK_NB) == 0 && is_current (staging))
    return TRUE;
  if (is_current (staging))
    vk_fail (error, VK_ERROR_BUSY, "another virt-keep is restoring this domain to '%s': wait for it", staging->parent);
  close (staging->fd);
  staging->fd = -1;
  return FALSE;
}

static gboolean
lock (VkStaging *staging, GError **error)
{
  g_autoptr (GError) failure = NULL;

  while (!try_lock (staging, &failure))
    if (failure != NULL)
      {
        g_propagate_error (error, g_steal_pointer (&failure));
        return FALSE;
      }
  return TRUE;
}

/* What is there is of the same request, or there is nothing yet. */
static gboolean
take_up (VkStaging *staging, const char *request, gboolean replace, GError **error)
{
  g_autofree char *path = inside (staging, request_name);
  g_autofree char *half = g_strconcat (path, ".new", NULL);
  g_autoptr (GError) failure = NULL;
  g_autofree char *text = vk_file_read (path, REQUEST_LIMIT, NULL, &failure);

  staging->is_other = text != NULL && strcmp (text, request) != 0;
  if (text != NULL && (replace || !staging->is_other))
    return TRUE;
  if (text != NULL)
    return vk_fail (error, VK_ERROR_REFUSED, "'%s' was left by another restore that was interrupted: give the same command as then to finish it, or remove that directory", staging->path);
  if (!g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  return vk_tree_remove (half, error) && vk_file_write (half, request, strlen (request), error) && vk_file_rename (half, path, error);
}

char *
vk_staging_directory (const char *parent, const char *prefix, const VkPoint *point)
{
  /* What a store says is not trusted to be a UUID. */
  g_autofree char *uuid = g_strdelimit (g_strdup (point->manifest->domain_uuid), "/", '_');
  g_autofree char *name = g_strconcat (prefix, uuid, NULL);

  return g_build_filename (parent, name, NULL);
}

VkStaging *
vk_staging_open (const char *parent, const char *prefix, const VkPoint *point, const char *request, gboolean replace, GError **error)
{
  VkStaging *staging = g_new0 (VkStaging, 1);

  staging->parent = g_strdup (parent);
  staging->path = vk_staging_directory (parent, prefix, point);
  staging->fd = -1;
  if (lock (staging, error) && take_up (staging, request, replace, error))
    return staging;
  staging_free (staging);
  return NULL;
}

const char *
vk_staging_parent (const VkStaging *staging)
{
  return staging->parent;
}

static char *
partial_path (const VkStaging *staging, const char *name)
{
  g_autofree char *partial = g_strconcat (".", name, ".partial", NULL);

  return inside (staging, partial);
}

char *
vk_staging_partial (VkStaging *staging, const char *name, GError **error)
{
  g_autofree char *path = partial_path (staging, name);

  return vk_tree_remove (path, error) ? g_steal_pointer (&path) : NULL;
}

char *
vk_staging_path (const VkStaging *staging, const char *name)
{
  return inside (staging, name);
}

gboolean
vk_staging_complete (VkStaging *staging, const char *name, GError **error)
{
  g_autofree char *from = partial_path (staging, name);
  g_autofree char *to = inside (staging, name);

  return vk_file_rename (from, to, error);
}

gboolean
vk_staging_has (const VkStaging *staging, const char *name)
{
  return has_file (staging, name);
}

gboolean
vk_staging_has_placed (const VkStaging *staging, const char *name, const char *final_path)
{
  return has_file (staging, placing_name) && !has_file (staging, name) && g_file_test (final_path, G_FILE_TEST_IS_REGULAR);
}

gboolean
vk_staging_begin_placing (VkStaging *staging, GError **error)
{
  g_autofree char *path = inside (staging, placing_name);

  return has_file (staging, placing_name) || (vk_file_write (path, "", 0, error) && vk_file_sync (staging->path, error));
}

gboolean
vk_staging_place (VkStaging *staging, const char *name, const char *final_path, GError **error)
{
  g_autofree char *from = inside (staging, name);

  return vk_staging_has_placed (staging, name, final_path) || vk_file_rename (from, final_path, error);
}

/* Whether a file is left in it that is worth it; all else goes.  all: so do complete
 * ones. */
static gboolean
clear (VkStaging *staging, gboolean all)
{
  g_autoptr (GDir) directory = g_dir_open (staging->path, 0, NULL);
  gboolean found = FALSE;
  const char *name;

  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL)
    {
      gboolean is_ours = strcmp (name, request_name) == 0 || strcmp (name, placing_name) == 0;
      gboolean is_aside = g_str_has_prefix (name, VK_STAGING_ASIDE);
      g_autofree char *path = inside (staging, name);

      if (!is_aside && (all || (name[0] == '.' && !is_ours)))
        vk_tree_remove (path, NULL);
      else if (!is_ours)
        found = TRUE;
    }
  return found;
}

gboolean
vk_staging_renew (VkStaging *staging, const char *request, GError **error)
{
  if (!staging->is_other)
    return TRUE;
  clear (staging, TRUE);
  return take_up (staging, request, FALSE, error);
}

gboolean
vk_staging_close (VkStaging *staging, gboolean keep)
{
  /* A present disk that could not be put back is not thrown away in any case. */
  gboolean kept = clear (staging, !keep) || (keep && has_file (staging, placing_name));

  if (!kept)
    vk_tree_remove (staging->path, NULL);
  staging_free (staging);
  return kept;
}
