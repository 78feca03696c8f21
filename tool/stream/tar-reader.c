/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stream/tar-reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <glib/gi18n.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"

enum { BLOCK_BYTES = 64 << 10, READ_BYTES = 256 << 10, RECORD = 512, END_BYTES = 2 * RECORD };

struct VkTarReader
{
  struct archive *archive;
  struct archive_entry *entry; /* the member that is read; libarchive's */
  GInputStream *input;
  const char *name;
  const VkStreamListener *listener;
  GCancellable *cancellable;
  GPollFD waited;  /* fd of the cancellable, see tar-writer.c; -1: none */
  GError *failure; /* why the input gave no more */
  guint64 bytes;   /* of the input */
  guint64 zeros;   /* how many of them, the last ones, are zero */
  guint64 moved;   /* of the members */
  guint64 padding; /* zeros that belong to the last member */
  guint8 block[BLOCK_BYTES];
};

/* The end of an archive is two records of zeros, and libarchive does not insist on them. */
static void
count_zeros (VkTarReader *reader, gsize length)
{
  gsize zeros = 0;

  while (zeros < length && reader->block[length - 1 - zeros] == 0)
    zeros++;
  reader->zeros = zeros == length ? reader->zeros + zeros : zeros;
  reader->bytes += length;
}

static la_ssize_t
read_block (struct archive *archive, void *user_data, const void **data)
{
  VkTarReader *reader = user_data;
  gssize got = g_input_stream_read (reader->input, reader->block, BLOCK_BYTES, reader->cancellable, &reader->failure);

  if (got < 0)
    {
      archive_set_error (archive, EIO, "the input gave no more");
      return ARCHIVE_FATAL;
    }
  count_zeros (reader, (gsize) got);
  *data = reader->block;
  return got;
}

/* In parentheses, as it may be a macro, too. */
gboolean
(vk_tar_reader_refuse) (const VkTarReader *reader, GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (_(format), args);
  va_end (args);
  return vk_fail (error, VK_ERROR_STORE, "%s is not a whole stream of virt-keep: %s", reader->name, text);
}

/* Says why libarchive's function has failed.  Returns: FALSE. */
static gboolean
fail (VkTarReader *reader, GError **error)
{
  const char *reason = archive_error_string (reader->archive);

  if (reader->failure != NULL && g_error_matches (reader->failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_propagate_error (error, g_error_copy (reader->failure));
  else if (reader->failure != NULL)
    vk_fail (error, VK_ERROR_STORE, "cannot read %s: %s", reader->name, reader->failure->message);
  else if (reader->bytes == 0)
    vk_tar_reader_refuse (reader, error, "there is nothing in it");
  else if (reader->entry == NULL)
    vk_tar_reader_refuse (reader, error, "it is no tar archive, or its beginning is damaged");
  else
    vk_tar_reader_refuse (reader, error, "it is damaged, or ends too early: %s", reason ? reason : "libarchive does not say why");
  return FALSE;
}

VkTarReader *
vk_tar_reader_new (GInputStream *input, const char *name, const VkStreamListener *listener, GCancellable *cancellable)
{
  VkTarReader *reader = g_new0 (VkTarReader, 1);

  reader->archive = archive_read_new ();
  reader->input = input;
  reader->name = name;
  reader->listener = listener;
  reader->cancellable = cancellable;
  reader->waited.fd = -1;
  g_cancellable_make_pollfd (cancellable, &reader->waited);
  return reader;
}

static gboolean
open_archive (VkTarReader *reader)
{
  return archive_read_support_format_tar (reader->archive) == ARCHIVE_OK
      && archive_read_open (reader->archive, reader, NULL, read_block, NULL) == ARCHIVE_OK;
}

static gboolean
check_member (const VkTarReader *reader, const char *member, gint64 size, GError **error)
{
  if (member == NULL || *member == '\0')
    return vk_tar_reader_refuse (reader, error, "a member has no name that can be read");
  if (archive_entry_hardlink (reader->entry) != NULL || archive_entry_symlink (reader->entry) != NULL)
    return vk_tar_reader_refuse (reader, error, "its member '%s' is a link", member);
  if (archive_entry_filetype (reader->entry) != AE_IFREG)
    return vk_tar_reader_refuse (reader, error, "its member '%s' is no regular file", member);
  if (strchr (member, '/') != NULL || member[0] == '.')
    return vk_tar_reader_refuse (reader, error, "its member '%s' has no plain name", member);
  if (!archive_entry_size_is_set (reader->entry) || size < 0 || archive_entry_sparse_count (reader->entry) > 0)
    return vk_tar_reader_refuse (reader, error, "its member '%s' has no plain size", member);
  return TRUE;
}

gboolean
vk_tar_reader_next (VkTarReader *reader, const char **member, guint64 *size, GError **error)
{
  struct archive_entry *entry;
  gint64 length;
  int result;

  *member = NULL;
  if (reader->entry == NULL && !open_archive (reader))
    return fail (reader, error);
  result = archive_read_next_header (reader->archive, &entry);
  if (result == ARCHIVE_EOF && reader->bytes > 0)
    return TRUE;
  if (result != ARCHIVE_OK)
    return fail (reader, error);
  reader->entry = entry;
  length = archive_entry_size (entry);
  if (!check_member (reader, archive_entry_pathname (entry), length, error))
    return FALSE;
  *member = archive_entry_pathname (entry);
  *size = (guint64) length;
  reader->padding = (RECORD - *size % RECORD) % RECORD;
  return TRUE;
}

/* The next bytes of the member; 0 at its end, -1 with *error. */
static gssize
read_some (VkTarReader *reader, void *buffer, gsize length, GError **error)
{
  la_ssize_t got = archive_read_data (reader->archive, buffer, length);

  if (got < 0)
    {
      fail (reader, error);
      return -1;
    }
  reader->moved += (guint64) got;
  if (reader->listener->tell != NULL)
    reader->listener->tell (reader->moved, reader->listener->user_data);
  return got;
}

char *
vk_tar_reader_text (VkTarReader *reader, gsize limit, GError **error)
{
  guint64 size = (guint64) archive_entry_size (reader->entry);
  g_autofree char *text = NULL;
  gsize length = 0;
  gssize got;

  if (size > limit)
    {
      vk_tar_reader_refuse (reader, error, "its text is too long");
      return NULL;
    }
  text = g_malloc0 ((gsize) size + 1);
  while (length < size && (got = read_some (reader, text + length, (gsize) size - length, error)) != 0)
    {
      if (got < 0)
        return NULL;
      length += (gsize) got;
    }
  if (strlen (text) == size)
    return g_steal_pointer (&text);
  vk_tar_reader_refuse (reader, error, "where its text should be are other bytes");
  return NULL;
}

gboolean
vk_tar_reader_save (VkTarReader *reader, const char *path, const char *sha256, GError **error)
{
  g_auto (VkFd) fd = vk_fd_create (path, error);
  g_autofree guint8 *buffer = g_malloc (READ_BYTES);
  g_autoptr (VkDigest) digest = vk_digest_new ();
  g_autofree char *found = NULL;
  gssize got;

  if (fd < 0)
    return FALSE;
  while ((got = read_some (reader, buffer, READ_BYTES, error)) != 0)
    {
      if (got < 0 || !vk_fd_write_all (fd, buffer, (gsize) got, path, error))
        return FALSE;
      vk_digest_update (digest, buffer, (gsize) got);
    }
  found = vk_digest_finish (digest);
  if (strcmp (found, sha256) == 0)
    return TRUE;
  return vk_tar_reader_refuse (reader, error, "its member '%s' is damaged: its SHA-256 is not the one in the manifest", archive_entry_pathname (reader->entry));
}

gboolean
vk_tar_reader_finish (VkTarReader *reader, guint64 *bytes, GError **error)
{
  guint64 end = (guint64) archive_filter_bytes (reader->archive, 0);
  const void *data;
  la_ssize_t got;

  /* Whoever writes must not find the reader gone, and more zeros may follow the end. */
  do
    got = read_block (reader->archive, reader, &data);
  while (got > 0 && reader->bytes - reader->zeros <= end);
  if (got < 0)
    return fail (reader, error);
  if (reader->bytes - reader->zeros > end)
    return vk_tar_reader_refuse (reader, error, "something stands behind its end");
  if (reader->zeros < reader->padding + END_BYTES)
    return vk_tar_reader_refuse (reader, error, "the end of the archive is missing");
  *bytes = reader->bytes;
  return TRUE;
}

void
vk_tar_reader_free (VkTarReader *reader)
{
  archive_read_free (reader->archive);
  if (reader->waited.fd >= 0)
    g_cancellable_release_fd (reader->cancellable);
  g_clear_error (&reader->failure);
  g_free (reader);
}
