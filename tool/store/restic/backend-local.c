/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A repository in a directory, laid out as restic's local backend does. */
#include "config.h"

#include "store/restic/backend.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/write-direct.h"
#include "store/restic/id.h"

/* Packs are spread over directories named by their first two digits. */
enum { DATA_DIRECTORIES = 256, DIRECTORY_MODE = 0700, FILE_MODE = 0600 };

/* More calls at once make a disk seek, not read faster. */
enum { PARALLEL = 2 };

/* The directory that holds files of that type, packs of that name. */
static char *
directory_of (VkBackend *backend, VkResticType type, const char *name)
{
  const char *directory = vk_restic_type_directory (type);
  g_autofree char *prefix = g_strndup (name ? name : "", 2);

  if (type == VK_RESTIC_CONFIG)
    return g_strdup (backend->restic_url);
  if (type == VK_RESTIC_DATA)
    return g_build_filename (backend->restic_url, directory, prefix, NULL);
  return g_build_filename (backend->restic_url, directory, NULL);
}

static char *
path_of (VkBackend *backend, VkResticType type, const char *name)
{
  g_autofree char *directory = directory_of (backend, type, name);

  return g_build_filename (directory, type == VK_RESTIC_CONFIG ? "config" : name, NULL);
}

static gboolean
make_data_directories (VkBackend *backend, GError **error)
{
  g_autofree char *data = g_build_filename (backend->restic_url, vk_restic_type_directory (VK_RESTIC_DATA), NULL);

  for (guint i = 0; i < DATA_DIRECTORIES; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%02x", data, i);

      if (g_mkdir (path, DIRECTORY_MODE) < 0 && errno != EEXIST)
        return vk_fail_errno (error, "cannot create the directory '%s'", path);
    }
  return vk_file_sync (data, error);
}

static gboolean
local_create (VkBackend *backend, GCancellable *cancellable, GError **error)
{
  for (VkResticType type = VK_RESTIC_KEY; type <= VK_RESTIC_DATA; type++)
    {
      g_autofree char *path = g_build_filename (backend->restic_url, vk_restic_type_directory (type), NULL);

      if (!vk_directory_make (path, DIRECTORY_MODE, error))
        return FALSE;
    }
  return make_data_directories (backend, error);
}

/* What is in the directory path, as far as it is named like a file of a
 * repository: a temporary file, of restic's or ours, never is. */
static gboolean
list_directory (const char *path, GPtrArray *entries, GError **error)
{
  g_autoptr (VkDir) directory = opendir (path);
  struct dirent *entry;

  if (directory == NULL)
    return vk_fail_errno (error, "cannot read the directory '%s'", path);
  while ((entry = readdir (directory)) != NULL)
    {
      VkBackendEntry *found;
      struct stat status;
      VkResticId id;

      if (!vk_restic_id_parse (entry->d_name, &id) || fstatat (dirfd (directory), entry->d_name, &status, 0) < 0 || !S_ISREG (status.st_mode))
        continue;
      found = g_new0 (VkBackendEntry, 1);
      found->name = g_strdup (entry->d_name);
      found->size = (guint64) status.st_size;
      g_ptr_array_add (entries, found);
    }
  return TRUE;
}

static gboolean
list_packs (VkBackend *backend, GPtrArray *entries, GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < DATA_DIRECTORIES; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%s/%02x", backend->restic_url, vk_restic_type_directory (VK_RESTIC_DATA), i);
      g_autoptr (GError) failure = NULL;

      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (!list_directory (path, entries, &failure) && !g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
    }
  return TRUE;
}

static GPtrArray *
local_list (VkBackend *backend, VkResticType type, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_backend_entry_free);
  g_autofree char *path = g_build_filename (backend->restic_url, vk_restic_type_directory (type), NULL);
  gboolean ok = type == VK_RESTIC_DATA ? list_packs (backend, entries, cancellable, error) : list_directory (path, entries, error);

  return ok ? g_steal_pointer (&entries) : NULL;
}

/* Opens a regular file for reading; -1 with *error set otherwise. */
static int
open_file (const char *path, struct stat *status, GError **error)
{
  g_auto (VkFd) fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  int opened;

  if (fd < 0 || fstat (fd, status) < 0)
    {
      vk_fail_errno (error, "cannot open '%s'", path);
      return -1;
    }
  if (!S_ISREG (status->st_mode))
    {
      vk_fail (error, VK_ERROR_STORE, "'%s' is not a regular file", path);
      return -1;
    }
  opened = fd;
  fd = -1;
  return opened;
}

static gboolean
read_all (int fd, guint8 *buffer, gsize length, guint64 offset, const char *path, GError **error)
{
  while (length > 0)
    {
      gssize got = pread (fd, buffer, length, (off_t) offset);

      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return vk_fail_errno (error, "cannot read '%s'", path);
      if (got == 0)
        return vk_fail (error, VK_ERROR_STORE, "'%s' was cut off while it was being read", path);
      buffer += got;
      offset += (guint64) got;
      length -= (gsize) got;
    }
  return TRUE;
}

static GBytes *
local_load (VkBackend *backend, VkResticType type, const char *name, guint64 offset, gsize length, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = path_of (backend, type, name);
  g_autofree guint8 *content = NULL;
  g_auto (VkFd) fd = -1;
  struct stat status;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;
  fd = open_file (path, &status, error);
  if (fd < 0)
    return NULL;
  if (offset > (guint64) status.st_size || length > (guint64) status.st_size - offset)
    {
      vk_fail (error, VK_ERROR_STORE, "'%s' ends after %" PRId64 " bytes, before the %zu bytes at %" PRIu64 " that are wanted",
                   path, (gint64) status.st_size, length, offset);
      return NULL;
    }
  if (length == 0 && (guint64) status.st_size - offset > VK_BACKEND_MAX_FILE)
    {
      vk_fail (error, VK_ERROR_STORE, "'%s' is of %" PRId64 " bytes, more than any file of a repository", path, (gint64) status.st_size);
      return NULL;
    }
  if (length == 0)
    length = (gsize) ((guint64) status.st_size - offset);
  content = g_malloc (length);
  if (!read_all (fd, content, length, offset, path, error))
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&content), length);
}

/* --- saving --------------------------------------------------------------- */

/* Stores the file by way of one without a name, of which nothing is left when
 * this process is killed.  FALSE with errno: ENOTSUP where that does not exist,
 * EEXIST when there is such a file. */
static gboolean
save_nameless (const char *directory, const char *path, GBytes *content)
{
  g_auto (VkFd) fd = open (directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, FILE_MODE);
  g_autofree char *link = NULL;

  if (fd < 0)
    {
      if (errno == EISDIR || errno == EINVAL || errno == ENOSYS)
        errno = ENOTSUP;
      return FALSE;
    }
  if (!vk_write_direct (fd, g_bytes_get_data (content, NULL), g_bytes_get_size (content)) || fsync (fd) < 0)
    return FALSE;
  link = g_strdup_printf ("/proc/self/fd/%d", fd);
  if (linkat (AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
    return TRUE;
  /* Without /proc, or where a file without links stays so. */
  if (errno == ENOENT || errno == EPERM || errno == EXDEV)
    errno = ENOTSUP;
  return FALSE;
}

/* Does the same by way of a temporary file, and replaces what is there but for
 * the config. */
static gboolean
save_renamed (const char *path, gboolean replace, GBytes *content, GError **error)
{
  g_autofree char *temporary = g_strdup_printf ("%s-tmp-%08x%08x", path, g_random_int (), g_random_int ());

  if (vk_file_write (temporary, g_bytes_get_data (content, NULL), g_bytes_get_size (content), error)
      && (replace ? vk_file_replace (temporary, path, error) : vk_file_rename (temporary, path, error)))
    return TRUE;
  unlink (temporary);
  return FALSE;
}

/* A file that another writer has stored may not be on disk yet. */
static gboolean
is_stored (VkBackend *backend, VkResticType type, const char *name, const char *path, GBytes *content)
{
  g_autoptr (GBytes) stored = local_load (backend, type, name, 0, 0, NULL, NULL);

  return stored != NULL && g_bytes_equal (stored, content) && vk_file_sync (path, NULL);
}

static gboolean
store_file (VkBackend *backend, VkResticType type, const char *name, GBytes *content, GError **error)
{
  g_autofree char *directory = directory_of (backend, type, name);
  g_autofree char *path = path_of (backend, type, name);

  if (save_nameless (directory, path, content))
    return vk_file_sync (directory, error);
  if (errno == EEXIST && type == VK_RESTIC_CONFIG)
    return vk_fail (error, VK_ERROR_REFUSED, "there is a repository in '%s' already", directory);
  if (errno == EEXIST && is_stored (backend, type, name, path, content))
    return vk_file_sync (directory, error);
  if (errno != ENOTSUP && errno != EEXIST)
    return vk_fail_errno (error, "cannot write '%s'", path);
  return save_renamed (path, type != VK_RESTIC_CONFIG, content, error);
}

static gboolean
local_save (VkBackend *backend, VkResticType type, const char *name, GBytes *content, GCancellable *cancellable, GError **error)
{
  g_autofree char *directory = directory_of (backend, type, name);

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  /* Other writers leave out the directories of packs until they need them. */
  if (type == VK_RESTIC_DATA && !vk_directory_make (directory, DIRECTORY_MODE, error))
    return FALSE;
  return store_file (backend, type, name, content, error);
}

static gboolean
local_stat (VkBackend *backend, VkResticType type, const char *name, guint64 *size, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = path_of (backend, type, name);
  struct stat status;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (stat (path, &status) < 0)
    return vk_fail_errno (error, "cannot examine '%s'", path);
  *size = (guint64) status.st_size;
  return TRUE;
}

/* Those of this host alone, which everybody reaches through the same kernel or through a
 * server on it.  What a network's client knows of a directory may be old. */
static gboolean
local_lists_at_once (VkBackend *backend)
{
  static const guint32 zfs_magic = 0x2fc12fc1; /* not in linux/magic.h: it is not part of Linux */
  struct statfs status;

  if (statfs (backend->restic_url, &status) < 0)
    return FALSE;
  switch ((guint32) status.f_type)
    {
    case EXT4_SUPER_MAGIC: /* and ext2, ext3 */
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
      return TRUE;
    default:
      return (guint32) status.f_type == zfs_magic;
    }
}

static gboolean
local_remove (VkBackend *backend, VkResticType type, const char *name, GCancellable *cancellable, GError **error)
{
  g_autofree char *directory = directory_of (backend, type, name);
  g_autofree char *path = path_of (backend, type, name);

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (unlink (path) < 0)
    return errno == ENOENT ? TRUE : vk_fail_errno (error, "cannot remove '%s'", path);
  return vk_file_sync (directory, error);
}

static void
local_free (VkBackend *backend)
{
  g_free (backend->location);
  g_free (backend->restic_url);
  g_free (backend);
}

static const VkBackendOps local_ops = {
  .create = local_create,
  .list = local_list,
  .load = local_load,
  .save = local_save,
  .stat = local_stat,
  .lists_at_once = local_lists_at_once,
  .remove = local_remove,
  .free = local_free,
};

VkBackend *
vk_backend_local_new (const char *path, GError **error)
{
  VkBackend *backend;

  if (!g_path_is_absolute (path))
    {
      vk_fail (error, VK_ERROR_USAGE, "'%s' is no place of a restic repository: give an absolute path", path);
      return NULL;
    }
  backend = g_new0 (VkBackend, 1);
  backend->ops = &local_ops;
  backend->location = g_strdup (path);
  backend->restic_url = g_canonicalize_filename (path, NULL);
  backend->parallel = PARALLEL;
  return backend;
}
