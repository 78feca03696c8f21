/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stream/tar-writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"

/* Blocks of tar's usual 10240 bytes, some at a time. */
enum { TAR_BLOCK = 10240, BLOCK_BYTES = 6 * TAR_BLOCK, READ_BYTES = 256 << 10, MEMBER_MODE = 0600 };

struct VkTarWriter
{
  struct archive *archive;
  GOutputStream *output;
  const VkStreamListener *listener;
  GCancellable *cancellable;
  GPollFD waited;  /* fd of the cancellable, kept so that GIO need not make one for each piece; -1: none */
  GError *failure; /* why the output took no more */
  gboolean given_up; /* nothing more goes there */
  gint64 seconds;
  guint64 bytes; /* written */
  guint64 moved; /* of the members */
};

/* A pipe that can be written to takes so much without making us wait; when it cannot, GIO
 * waits for the cancellable as well.  libarchive does not free what it has opened when writing fails: so it
 * hears of no failure, and nothing more is written. */
static la_ssize_t
write_block (struct archive *archive, void *user_data, const void *data, size_t length)
{
  VkTarWriter *writer = user_data;
  gssize written;

  if (writer->failure != NULL || writer->given_up)
    return (la_ssize_t) length;
  written = g_output_stream_write (writer->output, data, MIN (length, PIPE_BUF), writer->cancellable, &writer->failure);
  if (written < 0)
    return (la_ssize_t) length;
  writer->bytes += (guint64) written;
  return written;
}

/* Says why libarchive's function has failed.  Returns: FALSE. */
static gboolean
fail (VkTarWriter *writer, GError **error)
{
  if (writer->failure == NULL)
    vk_fail (error, VK_ERROR_STORE, "cannot write the tar archive: %s", archive_error_string (writer->archive));
  else if (g_error_matches (writer->failure, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE) || g_error_matches (writer->failure, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED))
    vk_fail (error, VK_ERROR_STORE, "whoever read the tar archive has gone away before its end: what was read of it is not whole");
  else if (g_error_matches (writer->failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_propagate_error (error, g_error_copy (writer->failure));
  else
    vk_fail (error, VK_ERROR_STORE, "cannot write the tar archive: %s", writer->failure->message);
  return FALSE;
}

VkTarWriter *
vk_tar_writer_new (GOutputStream *output, gint64 seconds, const VkStreamListener *listener, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkTarWriter) writer = g_new0 (VkTarWriter, 1);

  writer->archive = archive_write_new ();
  writer->output = output;
  writer->seconds = seconds;
  writer->listener = listener;
  writer->cancellable = cancellable;
  writer->waited.fd = -1;
  g_cancellable_make_pollfd (cancellable, &writer->waited);
  if (archive_write_set_format_pax_restricted (writer->archive) == ARCHIVE_OK
      && archive_write_set_bytes_per_block (writer->archive, BLOCK_BYTES) == ARCHIVE_OK
      && archive_write_set_bytes_in_last_block (writer->archive, TAR_BLOCK) == ARCHIVE_OK
      && archive_write_open (writer->archive, writer, NULL, write_block, NULL) == ARCHIVE_OK)
    return g_steal_pointer (&writer);
  fail (writer, error);
  return NULL;
}

static gboolean
add_header (VkTarWriter *writer, const char *name, guint64 size, GError **error)
{
  struct archive_entry *entry = archive_entry_new ();
  int result;

  archive_entry_set_pathname (entry, name);
  archive_entry_set_filetype (entry, AE_IFREG);
  archive_entry_set_perm (entry, MEMBER_MODE);
  archive_entry_set_size (entry, (la_int64_t) size);
  archive_entry_set_mtime (entry, writer->seconds, 0);
  result = archive_write_header (writer->archive, entry);
  archive_entry_free (entry);
  return (result == ARCHIVE_OK && writer->failure == NULL) || fail (writer, error);
}

static gboolean
add_data (VkTarWriter *writer, const void *data, gsize length, GError **error)
{
  if (archive_write_data (writer->archive, data, length) != (la_ssize_t) length || writer->failure != NULL)
    return fail (writer, error);
  writer->moved += length;
  if (writer->listener->tell != NULL)
    writer->listener->tell (writer->moved, writer->listener->user_data);
  return TRUE;
}

gboolean
vk_tar_writer_add_bytes (VkTarWriter *writer, const char *name, const void *data, gsize length, GError **error)
{
  return add_header (writer, name, length, error) && add_data (writer, data, length, error);
}

/* The next bytes of a file; 0 at its end, -1 with *error. */
static gssize
read_some (int fd, guint8 *buffer, const char *path, GError **error)
{
  gssize got;

  do
    got = read (fd, buffer, READ_BYTES);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    vk_fail_errno (error, "cannot read '%s'", path);
  return got;
}

static gboolean
copy_file (VkTarWriter *writer, int fd, const char *path, guint64 size, char **sha256, GError **error)
{
  g_autofree guint8 *buffer = g_malloc (READ_BYTES);
  g_autoptr (VkDigest) digest = vk_digest_new ();
  guint64 left = size;
  gssize got = 1;

  while (left > 0 && got > 0)
    {
      got = read_some (fd, buffer, path, error);
      if (got < 0)
        return FALSE;
      got = (gssize) MIN ((guint64) got, left);
      vk_digest_update (digest, buffer, (gsize) got);
      if (!add_data (writer, buffer, (gsize) got, error))
        return FALSE;
      left -= (guint64) got;
    }
  *sha256 = vk_digest_finish (digest);
  return TRUE;
}

gboolean
vk_tar_writer_add_file (VkTarWriter *writer, const char *name, const char *path, guint64 size, const char *sha256, GError **error)
{
  struct stat status;
  g_auto (VkFd) fd = vk_fd_open_regular (path, &status, error);
  g_autofree char *found = NULL;

  if (fd < 0)
    return FALSE;
  posix_fadvise (fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  if ((guint64) status.st_size == size
      && (!add_header (writer, name, size, error) || !copy_file (writer, fd, path, size, &found, error)))
    return FALSE;
  if (g_strcmp0 (found, sha256) == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "'%s' is not what was stored any more: the tar archive is not whole", path);
}

gboolean
vk_tar_writer_finish (VkTarWriter *writer, guint64 *bytes, GError **error)
{
  if (archive_write_close (writer->archive) != ARCHIVE_OK || writer->failure != NULL)
    return fail (writer, error);
  *bytes = writer->bytes;
  return TRUE;
}

void
vk_tar_writer_free (VkTarWriter *writer)
{
  /* Freeing closes it, and closing would end it as if it were whole. */
  writer->given_up = TRUE;
  archive_write_free (writer->archive);
  if (writer->waited.fd >= 0)
    g_cancellable_release_fd (writer->cancellable);
  g_clear_error (&writer->failure);
  g_free (writer);
}
