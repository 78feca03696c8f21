/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/restic-sink.h"

#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "store/restic/chunk-feeder.h"

typedef struct
{
  VkSink base;
  VkResticDisk *disk;
  VkChunkFeeder *feeder;
  GCancellable *stop;
  GPtrArray *open;      /* of struct chunk: not yet complete */
  GQueue waiting;       /* of struct request: no buffer was free */
  GQueue finished;      /* of struct request: done() is to be called */
} ResticSink;

/* A run of bytes inside a chunk. */
struct hole
{
  guint64 offset;
  guint64 length;
};

struct chunk
{
  guint64 index;
  guint64 length;
  guint64 covered; /* bytes that were put or zeroed */
  guint64 zeroed;  /* of those, the ones that were zeroed */
  guint8 *data;    /* NULL until something is placed or put */
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

static void
give_data (ResticSink *sink, struct chunk *chunk)
{
  for (guint i = 0; chunk->holes != NULL && i < chunk->holes->len; i++)
    {
      const struct hole *hole = &g_array_index (chunk->holes, struct hole, i);

      memset (chunk->data + hole->offset, 0, hole->length);
    }
  vk_chunk_feeder_give (sink->feeder, chunk->index, chunk->data);
}

static void
give_zeroes (ResticSink *sink, struct chunk *chunk)
{
  if (chunk->data != NULL)
    vk_chunk_feeder_return_buffer (sink->feeder, chunk->data);
  vk_chunk_feeder_give_zeroes (sink->feeder, chunk->index, 1);
}

static void
complete_chunk (ResticSink *sink, struct chunk *chunk)
{
  g_ptr_array_remove_fast (sink->open, chunk);
  if (chunk->zeroed < chunk->length)
    give_data (sink, chunk);
  else
    give_zeroes (sink, chunk);
  chunk_free (chunk);
}

/* --- assembling ------------------------------------------------------------- */

/* The chunk at index if it has been begun, or NULL. */
static struct chunk *
find_chunk (const ResticSink *sink, guint64 index)
{
  /* No more than the transfer has requests on their way. */
  for (guint i = 0; i < sink->open->len; i++)
    {
      struct chunk *chunk = g_ptr_array_index (sink->open, i);

      if (chunk->index == index)
        return chunk;
    }
  return NULL;
}

/* The chunk at index, which is begun if it has not been. */
static struct chunk *
open_chunk (ResticSink *sink, guint64 index)
{
  struct chunk *chunk = find_chunk (sink, index);

  if (chunk != NULL)
    return chunk;
  chunk = g_new0 (struct chunk, 1);
  chunk->index = index;
  chunk->length = vk_chunks_length (&sink->disk->chunks, index);
  g_ptr_array_add (sink->open, chunk);
  return chunk;
}

static void
cover (ResticSink *sink, struct chunk *chunk, guint64 length)
{
  chunk->covered += length;
  g_assert (chunk->covered <= chunk->length);
  if (chunk->covered == chunk->length)
    complete_chunk (sink, chunk);
}

/* Copies what is not in its place yet.  FALSE when a buffer is missing. */
static gboolean
absorb (ResticSink *sink, struct request *request)
{
  guint64 chunk_size = sink->disk->chunks.chunk_size;

  while (request->length > 0)
    {
      struct chunk *chunk = open_chunk (sink, request->offset / chunk_size);
      guint64 at = request->offset % chunk_size;
      guint64 length = MIN (request->length, chunk->length - at);

      if (chunk->data == NULL)
        chunk->data = vk_chunk_feeder_take_buffer (sink->feeder);
      if (chunk->data == NULL)
        return FALSE;
      if (request->data != chunk->data + at)
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
  eventfd_write (vk_chunk_feeder_event (sink->feeder), 1);
}

static gboolean
check_range (const ResticSink *sink, guint64 length, guint64 offset, GError **error)
{
  guint64 size = sink->disk->chunks.size;

  if (offset <= size && length <= size - offset)
    return TRUE;
  return vk_fail (error, VK_ERROR_FAILED, "disk '%s': it has more than its %" PRIu64 " bytes: was it resized meanwhile?", sink->disk->target, size);
}

static struct request *
request_new (const void *data, guint64 length, guint64 offset, VkSinkDone done, gpointer user_data)
{
  struct request *request = g_new (struct request, 1);

  *request = (struct request) { .data = data, .length = length, .offset = offset, .done = done, .user_data = user_data };
  return request;
}

/* What is in one chunk is read into its buffer; of what is in several, each gets its own
 * part later.  Buffers go first to what has been read and waits for one. */
static gboolean
restic_place (VkSink *base, gsize length, guint64 offset, void **place)
{
  ResticSink *sink = (ResticSink *) base;
  guint64 at = offset % sink->disk->chunks.chunk_size;
  struct chunk *chunk;

  *place = NULL;
  if (!check_range (sink, length, offset, NULL) || length > sink->disk->chunks.chunk_size - at)
    return TRUE;
  chunk = open_chunk (sink, offset / sink->disk->chunks.chunk_size);
  if (chunk->data == NULL && sink->waiting.length == 0)
    chunk->data = vk_chunk_feeder_take_buffer (sink->feeder);
  if (chunk->data == NULL)
    return FALSE;
  *place = chunk->data + at;
  return TRUE;
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
  chunk->zeroed += length;
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

      if (offset % chunk_size == 0 && length >= chunk_size && find_chunk (sink, offset / chunk_size) == NULL)
        {
          part = length / chunk_size * chunk_size;
          vk_chunk_feeder_give_zeroes (sink->feeder, offset / chunk_size, part / chunk_size);
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
  struct pollfd entry = { .fd = vk_chunk_feeder_event (sink->feeder), .events = POLLIN };

  g_array_append_val (fds, entry);
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
  eventfd_read (fds[0].fd, &count);
  if (!vk_chunk_feeder_check (sink->feeder, error))
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

static gboolean
restic_finish (VkSink *base, GCancellable *cancellable, GError **error)
{
  return vk_chunk_feeder_finish (((ResticSink *) base)->feeder, error);
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
  vk_chunk_feeder_free (sink->feeder);
  for (guint i = 0; i < sink->open->len; i++)
    {
      struct chunk *chunk = g_ptr_array_index (sink->open, i);

      g_free (chunk->data);
      chunk_free (chunk);
    }
  g_ptr_array_unref (sink->open);
  g_object_unref (sink->stop);
  g_free (sink);
}

static const VkSinkOps restic_sink_ops = {
  .place = restic_place,
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
  sink->feeder = vk_chunk_feeder_new (disk, saver);
  sink->stop = g_object_ref (stop);
  sink->open = g_ptr_array_new ();
  return &sink->base;
}
