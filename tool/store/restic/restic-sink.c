/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/restic-sink.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "store/restic/disk-content.h"

enum
{
  /* Memory for the data of chunks: enough to keep the threads that hash and
   * compress busy, and never less than a few chunks. */
  BUFFER_BYTES = 8 << 20,
  MIN_BUFFERS = 4,
};

typedef struct
{
  VkSink base;
  VkResticDisk *disk;
  VkResticSaver *saver;
  GCancellable *stop;
  GThreadPool *feeder;  /* one thread, which may wait for the saver; NULL once it has ended */
  int event;            /* readable while dispatch() has something to do */

  /* The transfer's thread only. */
  GPtrArray *open;      /* of struct chunk: not yet complete */
  GQueue waiting;       /* of struct request: no buffer was free */
  GQueue finished;      /* of struct request: done() is to be called */

  GMutex lock;          /* over what follows */
  GCond changed;        /* feeding went down */
  GPtrArray *idle;      /* buffers of the size of a chunk */
  guint buffers;        /* how many more may be allocated */
  guint feeding;        /* chunks that the saver has not let go of */
  VkDiskContent *content;
  guint64 bytes_added;
  GError *failure;      /* of the feeder */
} ResticSink;

/* A run of bytes inside a chunk. */
struct hole
{
  guint64 offset;
  guint64 length;
};

struct chunk
{
  ResticSink *sink;
  guint64 index;
  guint64 length;
  guint64 covered; /* bytes that were put or zeroed */
  guint8 *data;    /* NULL until something is put */
  GArray *holes;   /* of struct hole, or NULL */
};

/* A put() or zero() that done() was not called for. */
struct request
{
  const guint8 *data; /* what is left of it */
  guint64 length;
  guint64 offset;
  VkSinkDone done;
  gpointer user_data;
};

static void
chunk_free (struct chunk *chunk)
{
  if (chunk->holes != NULL)
    g_array_unref (chunk->holes);
  g_free (chunk);
}

/* --- towards the saver ------------------------------------------------------ */

static void
note_content (ResticSink *sink, guint64 index, guint64 count, const VkResticId *id)
{
  g_mutex_lock (&sink->lock);
  vk_disk_content_note (sink->content, index, count, id);
  g_mutex_unlock (&sink->lock);
}

/* Called on a thread of the saver's. */
static void
on_saved (const VkResticId *id, gboolean is_new, gpointer user_data)
{
  struct chunk *chunk = user_data;
  ResticSink *sink = chunk->sink;

  note_content (sink, chunk->index, 1, id);
  g_mutex_lock (&sink->lock);
  sink->bytes_added += is_new ? chunk->length : 0;
  g_mutex_unlock (&sink->lock);
}

/* Nobody reads the chunk any more, saved or not.  On any thread. */
static void
on_released (gpointer user_data)
{
  struct chunk *chunk = user_data;
  ResticSink *sink = chunk->sink;

  g_mutex_lock (&sink->lock);
  g_ptr_array_add (sink->idle, chunk->data);
  chunk_free (chunk);
  sink->feeding--;
  eventfd_write (sink->event, 1);
  g_cond_broadcast (&sink->changed);
  g_mutex_unlock (&sink->lock);
}

/* The feeder's thread: waits where the transfer's must not. */
static void
feed (gpointer data, gpointer user_data)
{
  struct chunk *chunk = data;
  ResticSink *sink = user_data;
  g_autoptr (GBytes) content = g_bytes_new_with_free_func (chunk->data, chunk->length, on_released, chunk);
  GError *failure = NULL;

  if (vk_restic_saver_push (sink->saver, VK_BLOB_DATA, content, on_saved, chunk, &failure))
    return;
  g_mutex_lock (&sink->lock);
  if (sink->failure == NULL)
    sink->failure = g_steal_pointer (&failure);
  g_mutex_unlock (&sink->lock);
  g_clear_error (&failure);
}

static void
complete_chunk (ResticSink *sink, struct chunk *chunk)
{
  g_ptr_array_remove_fast (sink->open, chunk);
  if (chunk->data == NULL)
    {
      note_content (sink, chunk->index, 1, NULL);
      chunk_free (chunk);
      return;
    }
  for (guint i = 0; chunk->holes != NULL && i < chunk->holes->len; i++)
    {
      const struct hole *hole = &g_array_index (chunk->holes, struct hole, i);

      memset (chunk->data + hole->offset, 0, hole->length);
    }
  g_mutex_lock (&sink->lock);
  sink->feeding++;
  g_mutex_unlock (&sink->lock);
  g_thread_pool_push (sink->feeder, chunk, NULL);
}

/* --- assembling ------------------------------------------------------------- */

/* The chunk at index, which is begun if it has not been. */
static struct chunk *
open_chunk (ResticSink *sink, guint64 index)
{
  struct chunk *chunk;

  /* No more than the transfer has requests on their way. */
  for (guint i = 0; i < sink->open->len; i++)
    {
      chunk = g_ptr_array_index (sink->open, i);
      if (chunk->index == index)
        return chunk;
    }
  chunk = g_new0 (struct chunk, 1);
  chunk->sink = sink;
  chunk->index = index;
  chunk->length = vk_chunks_length (&sink->disk->chunks, index);
  g_ptr_array_add (sink->open, chunk);
  return chunk;
}

static gboolean
take_buffer (ResticSink *sink, struct chunk *chunk)
{
  if (chunk->data != NULL)
    return TRUE;
  g_mutex_lock (&sink->lock);
  if (sink->idle->len > 0)
    chunk->data = g_ptr_array_steal_index_fast (sink->idle, sink->idle->len - 1);
  else if (sink->buffers > 0)
    {
      sink->buffers--;
      chunk->data = g_malloc (sink->disk->chunks.chunk_size);
    }
  g_mutex_unlock (&sink->lock);
  return chunk->data != NULL;
}

static void
cover (ResticSink *sink, struct chunk *chunk, guint64 length)
{
  chunk->covered += length;
  g_assert (chunk->covered <= chunk->length);
  if (chunk->covered == chunk->length)
    complete_chunk (sink, chunk);
}

/* Copies what chunks have room for.  FALSE when a buffer is missing. */
static gboolean
absorb (ResticSink *sink, struct request *request)
{
  guint64 chunk_size = sink->disk->chunks.chunk_size;

  while (request->length > 0)
    {
      struct chunk *chunk = open_chunk (sink, request->offset / chunk_size);
      guint64 at = request->offset % chunk_size;
      guint64 length = MIN (request->length, chunk->length - at);

      if (!take_buffer (sink, chunk))
        return FALSE;
      memcpy (chunk->data + at, request->data, length);
      request->data += length;
      request->offset += length;
      request->length -= length;
      cover (sink, chunk, length);
    }
  return TRUE;
}

static gint
compare_offsets (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const struct request *one = a;
  const struct request *other = b;

  return one->offset < other->offset ? -1 : one->offset > other->offset;
}

static void
finish_request (ResticSink *sink, struct request *request)
{
  g_queue_push_tail (&sink->finished, request);
  eventfd_write (sink->event, 1);
}

static gboolean
check_range (const ResticSink *sink, guint64 length, guint64 offset, GError **error)
{
  guint64 size = sink->disk->chunks.size;

  if (offset <= size && length <= size - offset)
    return TRUE;
  g_set_error (error, VK_ERROR, VK_ERROR_FAILED, "disk '%s': it has more than its %" G_GUINT64_FORMAT " bytes: was it resized meanwhile?", sink->disk->target, size);
  return FALSE;
}

static struct request *
request_new (const void *data, guint64 length, guint64 offset, VkSinkDone done, gpointer user_data)
{
  struct request *request = g_new (struct request, 1);

  *request = (struct request) { .data = data, .length = length, .offset = offset, .done = done, .user_data = user_data };
  return request;
}

/* Reads are asked for in order, so that only the newest chunk can be one that
 * lacks a read which was not started yet: the others give their buffers back
 * without help, and with two of them nothing can wait for itself. */
static gboolean
restic_put (VkSink *base, const void *data, gsize length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error)
{
  ResticSink *sink = (ResticSink *) base;
  struct request *request;

  if (!check_range (sink, length, offset, error))
    return FALSE;
  request = request_new (data, length, offset, done, user_data);
  if (absorb (sink, request))
    finish_request (sink, request);
  else
    g_queue_insert_sorted (&sink->waiting, request, compare_offsets, NULL);
  return TRUE;
}

/* Zeroes that are not a whole chunk. */
static void
zero_part (ResticSink *sink, guint64 offset, guint64 length)
{
  guint64 chunk_size = sink->disk->chunks.chunk_size;
  struct chunk *chunk = open_chunk (sink, offset / chunk_size);
  struct hole hole = { .offset = offset % chunk_size, .length = length };

  if (chunk->holes == NULL)
    chunk->holes = g_array_new (FALSE, FALSE, sizeof (struct hole));
  g_array_append_val (chunk->holes, hole);
  cover (sink, chunk, length);
}

static gboolean
restic_zero (VkSink *base, guint64 length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error)
{
  ResticSink *sink = (ResticSink *) base;
  guint64 chunk_size = sink->disk->chunks.chunk_size;

  if (!check_range (sink, length, offset, error))
    return FALSE;
  while (length > 0)
    {
      guint64 part = MIN (length, chunk_size - offset % chunk_size);

      if (offset % chunk_size == 0 && length >= chunk_size)
        {
          part = length / chunk_size * chunk_size;
          note_content (sink, offset / chunk_size, part / chunk_size, NULL);
        }
      else
        zero_part (sink, offset, part);
      offset += part;
      length -= part;
    }
  finish_request (sink, request_new (NULL, 0, offset, done, user_data));
  return TRUE;
}

/* --- the poll loop ---------------------------------------------------------- */

static void
restic_prepare (VkSink *base, GArray *fds)
{
  ResticSink *sink = (ResticSink *) base;
  struct pollfd entry = { .fd = sink->event, .events = POLLIN };

  g_array_append_val (fds, entry);
}

static gboolean
check_failure (ResticSink *sink, GError **error)
{
  gboolean ok;

  g_mutex_lock (&sink->lock);
  ok = sink->failure == NULL;
  if (!ok)
    g_propagate_error (error, g_error_copy (sink->failure));
  g_mutex_unlock (&sink->lock);
  return ok && vk_restic_saver_check (sink->saver, error);
}

/* The buffers that have come back go to what waits, in order of the offsets. */
static void
serve_waiting (ResticSink *sink)
{
  GList *next;

  for (GList *link = sink->waiting.head; link != NULL; link = next)
    {
      struct request *request = link->data;

      next = link->next;
      if (!absorb (sink, request))
        continue;
      g_queue_delete_link (&sink->waiting, link);
      g_queue_push_tail (&sink->finished, request);
    }
}

static gboolean
restic_dispatch (VkSink *base, const struct pollfd *fds, guint n_fds, GError **error)
{
  ResticSink *sink = (ResticSink *) base;
  struct request *request;
  eventfd_t count;

  if (fds[0].revents == 0)
    return TRUE;
  eventfd_read (sink->event, &count);
  if (!check_failure (sink, error))
    return FALSE;
  serve_waiting (sink);
  while ((request = g_queue_pop_head (&sink->finished)) != NULL)
    {
      request->done (request->user_data, NULL);
      g_free (request);
    }
  return TRUE;
}

/* --- the end ---------------------------------------------------------------- */

/* Waits until the saver has let go of all chunks. */
static void
drain (ResticSink *sink)
{
  if (sink->feeder == NULL)
    return;
  g_thread_pool_free (g_steal_pointer (&sink->feeder), FALSE, TRUE);
  g_mutex_lock (&sink->lock);
  while (sink->feeding > 0)
    g_cond_wait (&sink->changed, &sink->lock);
  g_mutex_unlock (&sink->lock);
}

/* The blobs of zeroes that are part of the disk are in the repository. */
static gboolean
save_zeroes (ResticSink *sink, const VkChunkWriter *writer, GError **error)
{
  const VkChunks *chunks = &sink->disk->chunks;
  g_autofree guint8 *zeroes = g_malloc0 (chunks->chunk_size);
  VkResticId id;

  return (!writer->has_piece || vk_restic_saver_add (sink->saver, VK_BLOB_DATA, zeroes, VK_CHUNK_SIZE_MIN, &id, error))
      && (!writer->has_zero || vk_restic_saver_add (sink->saver, VK_BLOB_DATA, zeroes, chunks->chunk_size, &id, error))
      && (!writer->has_zero_end || vk_restic_saver_add (sink->saver, VK_BLOB_DATA, zeroes, chunks->size % chunks->chunk_size, &id, error));
}

static gboolean
restic_finish (VkSink *base, GError **error)
{
  ResticSink *sink = (ResticSink *) base;
  g_autoptr (VkContent) content = NULL;
  VkChunkWriter writer;

  drain (sink);
  if (!check_failure (sink, error))
    return FALSE;
  content = vk_disk_content_finish (sink->content, &writer, error);
  if (content == NULL)
    {
      g_prefix_error (error, "disk '%s': ", sink->disk->target);
      return FALSE;
    }
  if (!save_zeroes (sink, &writer, error))
    return FALSE;
  sink->disk->bytes_added = sink->bytes_added;
  sink->disk->content_bytes = writer.bytes;
  sink->disk->content = g_steal_pointer (&content);
  return TRUE;
}

static void
restic_abandon (VkSink *base)
{
  ResticSink *sink = (ResticSink *) base;

  g_cancellable_cancel (sink->stop);
  g_queue_clear_full (&sink->waiting, g_free);
  g_queue_clear_full (&sink->finished, g_free);
}

static void
restic_free (VkSink *base)
{
  ResticSink *sink = (ResticSink *) base;

  if (sink->disk->content == NULL)
    restic_abandon (base);
  drain (sink);
  for (guint i = 0; i < sink->open->len; i++)
    {
      struct chunk *chunk = g_ptr_array_index (sink->open, i);

      g_free (chunk->data);
      chunk_free (chunk);
    }
  g_ptr_array_unref (sink->open);
  g_ptr_array_unref (sink->idle);
  vk_disk_content_free (sink->content);
  g_clear_error (&sink->failure);
  g_object_unref (sink->stop);
  g_mutex_clear (&sink->lock);
  g_cond_clear (&sink->changed);
  close (sink->event);
  g_free (sink);
}

static const VkSinkOps restic_sink_ops = {
  .put = restic_put,
  .zero = restic_zero,
  .prepare = restic_prepare,
  .dispatch = restic_dispatch,
  .finish = restic_finish,
  .abandon = restic_abandon,
  .free = restic_free,
};

VkSink *
vk_restic_sink_new (VkResticDisk *disk, VkResticSaver *saver, GCancellable *stop)
{
  ResticSink *sink = g_new0 (ResticSink, 1);

  sink->base.ops = &restic_sink_ops;
  sink->base.granularity = disk->chunks.chunk_size;
  sink->disk = disk;
  sink->saver = saver;
  sink->stop = g_object_ref (stop);
  sink->event = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  sink->open = g_ptr_array_new ();
  sink->idle = g_ptr_array_new_with_free_func (g_free);
  sink->content = vk_disk_content_new (&disk->chunks, disk->base);
  sink->buffers = MAX (MIN_BUFFERS, BUFFER_BYTES / disk->chunks.chunk_size);
  g_mutex_init (&sink->lock);
  g_cond_init (&sink->changed);
  sink->feeder = g_thread_pool_new (feed, sink, 1, FALSE, NULL);
  return &sink->base;
}
