/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/delta-sink.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "transfer/extents.h"
#include "transfer/nbd-pool.h"
#include "transfer/nbd-read.h"

enum
{
  /* What is compared and written at once: a page of a guest, a sector of a disk. */
  BLOCK_BYTES = 4096,
  /* What is read at once of what should be zeroes. */
  CHUNK_BYTES = 1 << 20,
  /* What is asked about at once, below the 32 bits that NBD has for a length. */
  STATUS_BYTES = 1 << 30,
};

typedef struct
{
  VkSink base;
  char *name;
  VkNbdPool *pool;
  guint64 *written;
  GQueue running; /* of struct operation */
  GQueue ready;   /* whose commands have been answered */
} VkDeltaSink;

enum phase
{
  PHASE_STATUS, /* asked what the server has there */
  PHASE_READ,
  PHASE_WRITE,
};

struct extent
{
  guint64 length;
  gboolean zero;
};

/* One put() or zero(): chunk after chunk is read, compared and written. */
struct operation
{
  VkDeltaSink *sink;
  GList link; /* in running or ready */
  const guint8 *data; /* NULL: zeroes */
  guint64 length;
  guint64 offset;
  enum phase phase;
  guint64 at;    /* bytes that are dealt with */
  GArray *extents; /* of struct extent: what comes next, for zeroes */
  guint8 *buffer; /* what the server has of the chunk */
  guint64 chunk;  /* bytes */
  VkNbdRead read; /* of all of the chunk */
  guint pending; /* commands not yet answered */
  int failure;   /* errno of the first that failed */
  VkSinkDone done;
  gpointer user_data;
};

static void
operation_free (struct operation *operation)
{
  g_array_unref (operation->extents);
  g_free (operation->buffer);
  g_free (operation);
}

/* ---- commands --------------------------------------------------------------- */

static int
on_completed (void *user_data, int *error)
{
  struct operation *operation = user_data;
  VkDeltaSink *sink = operation->sink;

  if (operation->failure == 0)
    operation->failure = *error;
  if (--operation->pending == 0)
    {
      if (operation->phase == PHASE_READ)
        operation->failure = vk_nbd_read_failure (&operation->read, operation->failure);
      g_queue_unlink (&sink->running, &operation->link);
      g_queue_push_tail_link (&sink->ready, &operation->link);
    }
  return 0;
}

static int
on_extents (void *user_data, const char *context G_GNUC_UNUSED, uint64_t offset G_GNUC_UNUSED, uint32_t *entries, size_t n_entries, int *error G_GNUC_UNUSED)
{
  struct operation *operation = user_data;

  for (size_t i = 0; i + 1 < n_entries; i += 2)
    {
      struct extent extent = { .length = entries[i], .zero = (entries[i + 1] & LIBNBD_STATE_ZERO) != 0 };

      if (extent.length > 0)
        g_array_append_val (operation->extents, extent);
    }
  return 0;
}

/* Starts a command for length bytes at start of operation's chunk; the operation
 * stays in running until the last is answered. */
static gboolean
start_command (struct operation *operation, guint64 start, guint64 length, GError **error)
{
  VkDeltaSink *sink = operation->sink;
  struct nbd_handle *nbd = vk_nbd_pool_idlest (sink->pool);
  nbd_completion_callback completion = { .callback = on_completed, .user_data = operation };
  nbd_extent_callback extents = { .callback = on_extents, .user_data = operation };
  guint64 offset = operation->offset + operation->at + start;
  gint64 cookie;

  operation->pending++;
  if (operation->phase == PHASE_STATUS)
    cookie = nbd_aio_block_status (nbd, length, offset, extents, completion, 0);
  else if (operation->phase == PHASE_READ)
    cookie = vk_nbd_read_start (&operation->read, nbd, operation->buffer + start, length, offset, completion);
  else if (operation->data != NULL)
    cookie = nbd_aio_pwrite (nbd, operation->data + operation->at + start, length, offset, completion, 0);
  else
    cookie = nbd_aio_zero (nbd, length, offset, completion, 0);
  return vk_nbd_pool_started (sink->pool, nbd, cookie, error);
}

static gboolean
start_read (struct operation *operation, guint64 length, GError **error)
{
  guint64 step = vk_nbd_pool_max_payload (operation->sink->pool);

  operation->phase = PHASE_READ;
  operation->read = (VkNbdRead) { 0 };
  if (operation->chunk < length)
    operation->buffer = g_realloc (operation->buffer, length);
  operation->chunk = length;
  for (guint64 start = 0; start < length; start += step)
    if (!start_command (operation, start, MIN (step, length - start), error))
      return FALSE;
  return TRUE;
}

/* ---- comparing --------------------------------------------------------------- */

static gboolean
is_zero (const guint8 *data, gsize length)
{
  return length == 0 || (data[0] == 0 && memcmp (data, data + 1, length - 1) == 0);
}

/* Whether length bytes at start of the chunk differ from what shall be there. */
static gboolean
differs (const struct operation *operation, guint64 start, gsize length)
{
  if (operation->data == NULL)
    return !is_zero (operation->buffer + start, length);
  return memcmp (operation->buffer + start, operation->data + operation->at + start, length) != 0;
}

/* The end of the block that start is in, in the chunk. */
static guint64
block_end (const struct operation *operation, guint64 start)
{
  guint64 offset = operation->offset + operation->at + start;

  return MIN (start + BLOCK_BYTES - offset % BLOCK_BYTES, operation->chunk);
}

static gboolean
write_differences (struct operation *operation, GError **error)
{
  guint64 step = vk_nbd_pool_max_payload (operation->sink->pool);
  guint64 start = 0;

  operation->phase = PHASE_WRITE;
  while (start < operation->chunk)
    {
      guint64 end = block_end (operation, start);

      if (!differs (operation, start, end - start))
        {
          start = end;
          continue;
        }
      while (end < operation->chunk && end - start + BLOCK_BYTES <= step && differs (operation, end, block_end (operation, end) - end))
        end = block_end (operation, end);
      *operation->sink->written += end - start;
      if (!start_command (operation, start, end - start, error))
        return FALSE;
      start = end;
    }
  return TRUE;
}

/* ---- from step to step ----------------------------------------------------------- */

/* Of zeroes: skips what is zero there already.  Sets *length to what has to be read,
 * 0 when the server has to be asked first, or nothing is left. */
static void
skip_zeroes (struct operation *operation, guint64 *length)
{
  while (operation->extents->len > 0 && operation->at < operation->length)
    {
      struct extent *extent = &g_array_index (operation->extents, struct extent, 0);
      guint64 left = operation->length - operation->at;

      *length = MIN (MIN (extent->length, left), extent->zero ? G_MAXUINT64 : CHUNK_BYTES);
      extent->length -= *length;
      if (!extent->zero)
        {
          if (extent->length == 0)
            g_array_remove_index (operation->extents, 0);
          return;
        }
      operation->at += *length;
      g_array_remove_index (operation->extents, 0);
    }
  *length = 0;
}

/* *finished: everything is dealt with; otherwise commands run. */
static gboolean
start_next (struct operation *operation, gboolean *finished, GError **error)
{
  guint64 length = 0;

  if (operation->data != NULL)
    length = operation->length - operation->at;
  else
    skip_zeroes (operation, &length);
  *finished = operation->at == operation->length;
  if (*finished)
    return TRUE;
  if (length > 0)
    return start_read (operation, length, error);
  operation->phase = PHASE_STATUS;
  return start_command (operation, 0, MIN (operation->length - operation->at, STATUS_BYTES), error);
}

static gboolean
step (struct operation *operation, gboolean *finished, GError **error)
{
  *finished = FALSE;
  if (operation->phase == PHASE_READ)
    {
      if (!write_differences (operation, error))
        return FALSE;
      if (operation->pending > 0)
        return TRUE;
    }
  /* A server that answers without an extent would be asked for ever. */
  if (operation->phase == PHASE_STATUS && operation->extents->len == 0)
    {
      struct extent unknown = { .length = MIN (operation->length - operation->at, STATUS_BYTES) };

      g_array_append_val (operation->extents, unknown);
    }
  else if (operation->phase == PHASE_WRITE)
    operation->at += operation->chunk;
  return start_next (operation, finished, error);
}

static gboolean
start_operation (VkDeltaSink *sink, const guint8 *data, guint64 length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error)
{
  struct operation *operation = g_new0 (struct operation, 1);
  gboolean finished;

  operation->sink = sink;
  operation->link.data = operation;
  operation->data = data;
  operation->length = length;
  operation->offset = offset;
  operation->extents = g_array_new (FALSE, FALSE, sizeof (struct extent));
  operation->done = done;
  operation->user_data = user_data;
  g_queue_push_tail_link (&sink->running, &operation->link);
  return start_next (operation, &finished, error);
}

static gboolean
delta_put (VkSink *base, const void *data, gsize length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error)
{
  return start_operation ((VkDeltaSink *) base, data, length, offset, done, user_data, error);
}

static gboolean
delta_zero (VkSink *base, guint64 length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error)
{
  return start_operation ((VkDeltaSink *) base, NULL, length, offset, done, user_data, error);
}

static void
delta_prepare (VkSink *base, GArray *fds)
{
  vk_nbd_pool_prepare (((VkDeltaSink *) base)->pool, fds);
}

static void
report (struct operation *operation)
{
  g_autoptr (GError) error = NULL;

  if (operation->failure != 0)
    vk_fail (&error, VK_ERROR_STORE, "%s: cannot %s %" PRIu64 " bytes at offset %" PRIu64 ": %s", operation->sink->name, operation->phase == PHASE_WRITE ? "write" : "read",
                 operation->length, operation->offset, g_strerror (operation->failure));
  operation->done (operation->user_data, error);
}

static gboolean
delta_dispatch (VkSink *base, const struct pollfd *fds, guint n_fds, GError **error)
{
  VkDeltaSink *sink = (VkDeltaSink *) base;
  GList *link;

  if (!vk_nbd_pool_dispatch (sink->pool, fds, n_fds, error))
    return FALSE;
  while ((link = g_queue_pop_head_link (&sink->ready)) != NULL)
    {
      struct operation *operation = link->data;
      gboolean finished = TRUE;

      g_queue_push_tail_link (&sink->running, link);
      if (operation->failure == 0 && !step (operation, &finished, error))
        return FALSE;
      if (!finished)
        continue;
      g_queue_unlink (&sink->running, link);
      report (operation);
      operation_free (operation);
    }
  return TRUE;
}

static gboolean
delta_finish (VkSink *base, GCancellable *cancellable, GError **error)
{
  return vk_nbd_pool_finish (((VkDeltaSink *) base)->pool, cancellable, error);
}

static void
delta_abandon (VkSink *base)
{
  g_clear_pointer (&((VkDeltaSink *) base)->pool, vk_nbd_pool_free);
}

static void
free_operations (GQueue *operations)
{
  GList *link;

  while ((link = g_queue_pop_head_link (operations)) != NULL)
    operation_free (link->data);
}

static void
delta_free (VkSink *base)
{
  VkDeltaSink *sink = (VkDeltaSink *) base;

  delta_abandon (base);
  free_operations (&sink->running);
  free_operations (&sink->ready);
  g_free (sink->name);
  g_free (sink);
}

static const VkSinkOps delta_ops = {
  .put = delta_put,
  .zero = delta_zero,
  .prepare = delta_prepare,
  .dispatch = delta_dispatch,
  .finish = delta_finish,
  .abandon = delta_abandon,
  .free = delta_free,
};

static gboolean
check_export (VkDeltaSink *sink, guint64 size, GError **error)
{
  struct nbd_handle *nbd = vk_nbd_pool_first (sink->pool);

  if (nbd_is_read_only (nbd) == 0 && nbd_can_zero (nbd) == 1 && nbd_can_meta_context (nbd, VK_CONTEXT_ALLOCATION) == 1 && vk_nbd_pool_size (sink->pool) == size)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "%s: its NBD export cannot be written to as a disk of %" PRIu64 " bytes", sink->name, size);
}

VkSink *
vk_delta_sink_new (const char *uri, const char *name, guint64 size, guint64 *written, GError **error)
{
  static const char *const contexts[] = { VK_CONTEXT_ALLOCATION, NULL };
  VkDeltaSink *sink = g_new0 (VkDeltaSink, 1);
  g_autoptr (VkSink) base = &sink->base;
  VkNbdPoolOptions options = { .uri = uri, .name = name, .error_code = VK_ERROR_STORE, .max_connections = 1, .contexts = contexts };

  base->ops = &delta_ops;
  g_queue_init (&sink->running);
  g_queue_init (&sink->ready);
  sink->written = written;
  sink->name = g_strdup (name);
  options.name = sink->name;
  sink->pool = vk_nbd_pool_new (&options, NULL, error);
  return sink->pool != NULL && check_export (sink, size, error) ? g_steal_pointer (&base) : NULL;
}
