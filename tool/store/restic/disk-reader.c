/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/disk-reader.h"

#include <glib/gi18n.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"

enum
{
  /* Reads that are no further apart than this, in bytes, may be of one program
   * that reads from one end to the other with many requests at a time. */
  STREAM_BYTES = 32 << 20,
  /* After as many of them in a row, reading ahead begins. */
  STREAM_READS = 3,
  /* So far ahead, in bytes: half of what the repository's cache takes. */
  AHEAD_BYTES = 32 << 20,
};

struct VkDiskReader
{
  VkRestic *repo;
  char *name;
  VkDiskMap *map;
  GThreadPool *pool;   /* that reads ahead */
  GCancellable *stop;  /* for those threads */

  GMutex lock;         /* over what follows */
  guint64 front;       /* where the furthest of the reads ended, bytes */
  guint64 ahead;       /* up to where blobs have been asked for */
  guint reads;         /* in a row */
};

/* --- reading ahead -------------------------------------------------------- */

/* Runs on the threads of the pool.  The blob goes to the cache; what is wrong
 * with it will be found when it is wanted. */
static void
run (gpointer data, gpointer user_data)
{
  g_autofree VkResticId *id = data;
  VkDiskReader *reader = user_data;
  g_autoptr (GBytes) blob = NULL;

  if (!g_cancellable_is_cancelled (reader->stop))
    blob = vk_restic_load_blob (reader->repo, VK_BLOB_DATA, id, reader->stop, NULL);
}

/* With the lock held: asks for the blobs up to end. */
static void
ask_ahead (VkDiskReader *reader, guint64 end)
{
  while (reader->ahead < end)
    {
      VkDiskPiece piece;
      VkDiskState state;

      vk_disk_map_find (reader->map, reader->ahead, &piece);
      if (piece.state == VK_DISK_DATA)
        {
          g_thread_pool_push (reader->pool, g_memdup2 (piece.id, sizeof *piece.id), NULL);
          reader->ahead = piece.offset + piece.length;
        }
      else
        reader->ahead += vk_disk_map_run (reader->map, reader->ahead, &state);
    }
}

/* Is it one of a stream of reads? */
static void
look_ahead (VkDiskReader *reader, guint64 offset, guint64 end)
{
  g_mutex_lock (&reader->lock);
  if (end + STREAM_BYTES >= reader->front && offset <= reader->front + STREAM_BYTES)
    reader->reads++;
  else
    {
      reader->reads = 1;
      reader->front = reader->ahead = end;
    }
  reader->front = MAX (reader->front, end);
  reader->ahead = MAX (reader->ahead, reader->front);
  if (reader->reads >= STREAM_READS)
    ask_ahead (reader, MIN (reader->front + AHEAD_BYTES, vk_disk_map_size (reader->map)));
  g_mutex_unlock (&reader->lock);
}

/* --- reading -------------------------------------------------------------- */

/* Says which bytes of the file cannot be had. */
static gboolean
set_range_error (VkDiskReader *reader, const VkDiskPiece *piece, GError *failure, GError **error)
{
  g_propagate_prefixed_error (error, failure, "%s, bytes %" PRIu64 " to %" PRIu64 ": ", reader->name, piece->offset, piece->offset + piece->length - 1);
  return FALSE;
}

/* Copies length bytes that are at offset in the blob. */
static gboolean
copy_from_blob (VkDiskReader *reader, const VkDiskPiece *piece, guint64 offset, guint8 *buffer, gsize length, GCancellable *cancellable, GError **error)
{
  GError *failure = NULL;
  g_autoptr (GBytes) blob = vk_restic_load_blob (reader->repo, VK_BLOB_DATA, piece->id, cancellable, &failure);

  if (blob != NULL && g_bytes_get_size (blob) != piece->length)
    failure = g_error_new (VK_ERROR, VK_ERROR_DAMAGED, _("its blob has %zu bytes instead of %u"), g_bytes_get_size (blob), piece->length);
  if (failure != NULL)
    return set_range_error (reader, piece, failure, error);
  memcpy (buffer, (const guint8 *) g_bytes_get_data (blob, NULL) + offset, length);
  return TRUE;
}

/* At offset: up to length bytes, as many as one blob or a row of zeros has.
 * *done gets their number. */
static gboolean
read_some (VkDiskReader *reader, guint8 *buffer, guint64 offset, gsize length, gsize *done, GCancellable *cancellable, GError **error)
{
  VkDiskPiece piece;
  VkDiskState state;

  vk_disk_map_find (reader->map, offset, &piece);
  if (piece.state == VK_DISK_ZERO)
    {
      *done = (gsize) MIN (length, vk_disk_map_run (reader->map, offset, &state));
      memset (buffer, 0, *done);
      return TRUE;
    }
  *done = (gsize) MIN (length, piece.offset + piece.length - offset);
  return copy_from_blob (reader, &piece, offset - piece.offset, buffer, *done, cancellable, error);
}

gboolean
vk_disk_reader_read (VkDiskReader *reader, void *buffer, guint64 offset, gsize length, GCancellable *cancellable, GError **error)
{
  guint8 *next = buffer;

  g_return_val_if_fail (offset <= vk_disk_map_size (reader->map) && length <= vk_disk_map_size (reader->map) - offset, FALSE);
  look_ahead (reader, offset, offset + length);
  while (length > 0)
    {
      gsize done;

      if (!read_some (reader, next, offset, length, &done, cancellable, error))
        return FALSE;
      next += done;
      offset += done;
      length -= done;
    }
  return TRUE;
}

/* --- opening -------------------------------------------------------------- */

VkDiskReader *
vk_disk_reader_new (VkRestic *repo, const char *name, VkContent *content, guint64 size, guint64 chunk_size, GError **error)
{
  guint threads = MAX (g_get_num_processors (), vk_restic_backend (repo)->parallel);
  g_autoptr (VkDiskReader) reader = g_new0 (VkDiskReader, 1);

  reader->repo = repo;
  reader->name = g_strdup (name);
  reader->stop = g_cancellable_new ();
  g_mutex_init (&reader->lock);
  reader->map = vk_disk_map_new (repo, content, size, chunk_size, error);
  if (reader->map == NULL)
    {
      g_prefix_error (error, "%s: ", name);
      return NULL;
    }
  reader->pool = g_thread_pool_new (run, reader, (gint) threads, FALSE, error);
  return reader->pool ? g_steal_pointer (&reader) : NULL;
}

void
vk_disk_reader_free (VkDiskReader *reader)
{
  if (reader == NULL)
    return;
  /* What has been asked for is not read any more, but its memory is freed. */
  g_cancellable_cancel (reader->stop);
  if (reader->pool != NULL)
    g_thread_pool_free (reader->pool, FALSE, TRUE);
  vk_disk_map_free (reader->map);
  g_object_unref (reader->stop);
  g_mutex_clear (&reader->lock);
  g_free (reader->name);
  g_free (reader);
}

const VkDiskMap *
vk_disk_reader_map (VkDiskReader *reader)
{
  return reader->map;
}
