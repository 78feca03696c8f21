/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { COPY_BUFFER_BYTES = 1 << 20 };

gboolean
vk_file_write (const char *path, const void *data, gsize length, GError **error)
{
  g_auto (VkFd) fd = vk_fd_create (path, error);

  if (fd < 0 || !vk_fd_write_all (fd, data, length, path, error))
    return FALSE;
  if (fsync (fd) < 0)
    return vk_fail_errno (error, "cannot sync '%s'", path);
  return TRUE;
}

char *
vk_file_read (const char *path, gsize limit, gsize *length, GError **error)
{
  struct stat status;
  g_auto (VkFd) fd = vk_fd_open_regular (path, &status, error);
  g_autoptr (GByteArray) content = g_byte_array_new ();
  guint8 buffer[65536];

  if (fd < 0)
    return NULL;
  for (;;)
    {
      gssize got = read (fd, buffer, sizeof buffer);

      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        {
          vk_fail_errno (error, "cannot read '%s'", path);
          return NULL;
        }
      if (got == 0)
        break;
      if (content->len + (gsize) got > limit)
        {
          vk_fail (error, VK_ERROR_STORE, "'%s' is larger than the %zu bytes that are accepted", path, limit);
          return NULL;
        }
      g_byte_array_append (content, buffer, (guint) got);
    }
  if (length != NULL)
    *length = content->len;
  else if (content->len > 0 && memchr (content->data, 0, content->len) != NULL)
    {
      vk_fail (error, VK_ERROR_STORE, "'%s' contains a NUL byte, which no text has", path);
      return NULL;
    }
  g_byte_array_append (content, (const guint8 *) "", 1);
  return (char *) g_byte_array_free (g_steal_pointer (&content), FALSE);
}

/* Copies [from, to) of one open file to the same place of another. */
static gboolean
copy_range (int in, int out, off_t from, off_t to, void *buffer, const char *from_path, const char *to_path, GError **error)
{
  if (lseek (in, from, SEEK_SET) < 0)
    return vk_fail_errno (error, "cannot read '%s'", from_path);
  if (lseek (out, from, SEEK_SET) < 0)
    return vk_fail_errno (error, "cannot write '%s'", to_path);
  while (from < to)
    {
      gssize got = read (in, buffer, (gsize) MIN (to - from, COPY_BUFFER_BYTES));

      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return vk_fail_errno (error, "cannot read '%s'", from_path);
      if (got == 0)
        break;
      if (!vk_fd_write_all (out, buffer, (gsize) got, to_path, error))
        return FALSE;
      from += got;
    }
  return TRUE;
}

static gboolean
copy_data (int in, int out, off_t size, const char *from_path, const char *to_path, GError **error)
{
  g_autofree void *buffer = g_malloc (COPY_BUFFER_BYTES);
  off_t position = 0;

  while (position < size)
    {
      off_t data = lseek (in, position, SEEK_DATA);
      off_t hole;

      if (data < 0 && errno == ENXIO)
        break;
      if (data < 0)
        return vk_fail_errno (error, "cannot read '%s'", from_path);
      hole = lseek (in, data, SEEK_HOLE);
      if (hole < 0)
        return vk_fail_errno (error, "cannot read '%s'", from_path);
      if (!copy_range (in, out, data, MIN (hole, size), buffer, from_path, to_path, error))
        return FALSE;
      position = hole;
    }
  if (ftruncate (out, size) < 0 || fsync (out) < 0)
    return vk_fail_errno (error, "cannot write '%s'", to_path);
  return TRUE;
}

gboolean
vk_file_copy (const char *from_path, const char *to_path, GError **error)
{
  struct stat status;
  g_auto (VkFd) in = vk_fd_open_regular (from_path, &status, error);
  g_auto (VkFd) out = in < 0 ? -1 : vk_fd_create (to_path, error);

  if (in < 0 || out < 0)
    return FALSE;
  if (copy_data (in, out, status.st_size, from_path, to_path, error))
    return TRUE;
  unlink (to_path);
  return FALSE;
}

gboolean
vk_file_clone (const char *from_path, const char *to_path)
{
  struct stat status;
  g_auto (VkFd) in = vk_fd_open_regular (from_path, &status, NULL);
  g_auto (VkFd) out = in < 0 ? -1 : vk_fd_create (to_path, NULL);

  if (out < 0)
    return FALSE;
  if (ioctl (out, FICLONE, in) == 0)
    return TRUE;
  unlink (to_path);
  return FALSE;
}

VkFd
vk_file_hold (const char *path, GError **error)
{
  VkFd fd = open (path, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    vk_fail_errno (error, "cannot open '%s'", path);
  return fd;
}

gboolean
vk_file_sync_held (VkFd held, const char *path, GError **error)
{
  return fsync (held) == 0 || vk_fail_errno (error, "cannot sync '%s'", path);
}

gboolean
vk_file_sync (const char *path, GError **error)
{
  g_auto (VkFd) fd = vk_file_hold (path, error);

  return fd >= 0 && vk_file_sync_held (fd, path, error);
}

/* link(2)-and-unlink would do on file systems without RENAME_NOREPLACE, but
 * not for directories; there the check and the rename are two steps, made
 * safe by the lock that every writer of a store holds. */
static gboolean
rename_without_replacing (const char *from_path, const char *to_path)
{
  struct stat status;

  if (renameat2 (AT_FDCWD, from_path, AT_FDCWD, to_path, RENAME_NOREPLACE) == 0)
    return TRUE;
  if (errno != EINVAL && errno != ENOSYS)
    return FALSE;
  if (lstat (to_path, &status) == 0)
    {
      errno = EEXIST;
      return FALSE;
    }
  return rename (from_path, to_path) == 0;
}

gboolean
vk_file_rename (const char *from_path, const char *to_path, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (to_path);

  if (!rename_without_replacing (from_path, to_path))
    return vk_fail_errno (error, "cannot create '%s'", to_path);
  return vk_file_sync (directory, error);
}

gboolean
vk_file_replace (const char *from_path, const char *to_path, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (to_path);

  if (rename (from_path, to_path) < 0)
    return vk_fail_errno (error, "cannot replace '%s'", to_path);
  return vk_file_sync (directory, error);
}

gboolean
vk_directory_make (const char *path, int mode, GError **error)
{
  g_autofree char *parent = g_path_get_dirname (path);

  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return TRUE;
  if (!g_file_test (parent, G_FILE_TEST_EXISTS) && !vk_directory_make (parent, mode, error))
    return FALSE;
  if (g_mkdir (path, mode) < 0)
    return errno == EEXIST && g_file_test (path, G_FILE_TEST_IS_DIR) ? TRUE : vk_fail_errno (error, "cannot create the directory '%s'", path);
  /* The mode was cut down by the umask: what others have to pass through must
   * not depend on who called us. */
  if (g_chmod (path, mode) < 0)
    return vk_fail_errno (error, "cannot change the mode of '%s'", path);
  return vk_file_sync (parent, error);
}

static gboolean
remove_below (int parent, const char *name, const char *path, GError **error)
{
  g_auto (VkFd) fd = -1;
  g_autoptr (VkDir) directory = NULL;
  struct dirent *entry;

  if (unlinkat (parent, name, 0) == 0 || errno == ENOENT)
    return TRUE;
  if (errno != EISDIR && errno != EPERM)
    return vk_fail_errno (error, "cannot remove '%s'", path);
  fd = openat (parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return vk_fail_errno (error, "cannot remove '%s'", path);
  directory = fdopendir (fd);
  if (directory == NULL)
    return vk_fail_errno (error, "cannot read the directory '%s'", path);
  vk_fd_steal (&fd);
  while ((entry = readdir (directory)) != NULL)
    {
      g_autofree char *entry_path = g_build_filename (path, entry->d_name, NULL);

      if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0
          && !remove_below (dirfd (directory), entry->d_name, entry_path, error))
        return FALSE;
    }
  if (unlinkat (parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
    return vk_fail_errno (error, "cannot remove '%s'", path);
  return TRUE;
}

gboolean
vk_tree_remove (const char *path, GError **error)
{
  return remove_below (AT_FDCWD, path, path, error);
}

guint64
vk_tree_size (const char *path)
{
  g_autoptr (GDir) dir = NULL;
  struct stat status;
  const char *name;
  guint64 size = 0;

  if (lstat (path, &status) < 0)
    return 0;
  if (S_ISREG (status.st_mode))
    return (guint64) status.st_size;
  /* g_dir_open() follows links. */
  dir = S_ISDIR (status.st_mode) ? g_dir_open (path, 0, NULL) : NULL;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      size += vk_tree_size (child);
    }
  return size;
}

char *
vk_directory_make_private (const char *parent, const char *prefix, const char *hint, GError **error)
{
  g_autofree char *template = g_strdup_printf ("%s/%sXXXXXX", parent, prefix);

  if (g_mkdtemp (template) != NULL)
    return g_steal_pointer (&template);
  vk_fail (error, VK_ERROR_REFUSED, "cannot create a private directory in '%s': %s%s%s", parent, g_strerror (errno), hint ? ": " : "", hint ? hint : "");
  return NULL;
}

gboolean
vk_directory_has (const char *path, const char *const *names)
{
  for (gsize i = 0; names[i] != NULL; i++)
    {
      g_autofree char *file = g_build_filename (path, names[i], NULL);

      if (!g_file_test (file, G_FILE_TEST_EXISTS))
        return FALSE;
    }
  return TRUE;
}
