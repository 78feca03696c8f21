/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/nbd-sink.h"

#include <inttypes.h>

#include "base/error.h"
#include "transfer/nbd-pool.h"

enum
{
  /* NBD has 32 bits for a length. */
  MAX_ZERO_BYTES = 1 << 30,
  /* For servers that cannot write zeroes by themselves. */
  ZERO_BUFFER_BYTES = 1 << 20,
};

typedef struct
{
  VkSink base;
  char *uri;
  char *name;
  VkNbdPool *pool;
  gboolean can_zero;
  guint8 *zeroes;  /* ZERO_BUFFER_BYTES, if the server cannot do it */
  GQueue running;  /* of struct operation */
  GQueue finished; /* done not yet called */
} VkNbdSink;

/* One put() or zero(). */
struct operation
{
  VkNbdSink *sink;
  GList link; /* in running or finished */
  const guint8 *data;
  guint64 length;
  guint64 offset;
  guint pending; /* commands not yet answered */
  int failure;   /* errno of the first that failed */
  VkSinkDone done;
  gpointer user_data;
};

static int
on_completed (void *user_data, int *error)
{
  struct operation *operation = user_data;
  VkNbdSink *sink = operation->sink;

  if (operation->failure == 0)
    operation->failure = *error;
  if (--operation->pending == 0)
    {
      g_queue_unlink (&sink->running, &operation->link);
      g_queue_push_tail_link (&sink->finished, &operation->link);
    }
  return 0;
}

/* Starts the command for a part of operation. */
static gboolean
start_command (struct operation *operation, guint64 done, guint64 length, GError **error)
{
  VkNbdSink *sink = operation->sink;
  struct nbd_handle *nbd = vk_nbd_pool_idlest (sink->pool);
  nbd_completion_callback completion = { .callback = on_completed, .user_data = operation };
  guint64 offset = operation->offset + done;
  gint64 cookie;

  if (operation->data != NULL)
    cookie = nbd_aio_pwrite (nbd, operation->data + done, length, offset, completion, 0);
  else if (sink->can_zero)
    cookie = nbd_aio_zero (nbd, length, offset, completion, 0);
  else
    cookie = nbd_aio_pwrite (nbd, sink->zeroes, length, offset, completion, 0);
  return vk_nbd_pool_started (sink->pool, nbd, cookie, error);
}

static gboolean
start_operation (VkNbdSink *sink, const guint8 *data, guint64 length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error)
{
  struct operation *operation = g_new0 (struct operation, 1);
  guint64 step = vk_nbd_pool_max_payload (sink->pool);

  if (data == NULL)
    step = sink->can_zero ? MAX_ZERO_BYTES : MIN (step, ZERO_BUFFER_BYTES);
  operation->sink = sink;
  operation->link.data = operation;
  operation->data = data;
  operation->length = length;
  operation->offset = offset;
  operation->pending = (guint) ((length + step - 1) / step);
  operation->done = done;
  operation->user_data = user_data;
  g_queue_push_tail_link (&sink->running, &operation->link);
  for (guint64 at = 0; at < length; at += step)
    if (!start_command (operation, at, MIN (step, length - at), error))
      return FALSE;
  return TRUE;
}

static gboolean
nbd_sink_put (VkSink *base, const void *data, gsize length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error)
{
  return start_operation ((VkNbdSink *) base, data, length, offset, done, user_data, error);
}

static gboolean
nbd_sink_zero (VkSink *base, guint64 length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error)
{
  return start_operation ((VkNbdSink *) base, NULL, length, offset, done, user_data, error);
}

static void
nbd_sink_prepare (VkSink *base, GArray *fds)
{
  vk_nbd_pool_prepare (((VkNbdSink *) base)->pool, fds);
}

static void
report (struct operation *operation)
{
  g_autoptr (GError) error = NULL;

  if (operation->failure != 0)
    vk_fail (&error, VK_ERROR_STORE, "%s: cannot write %" PRIu64 " bytes at offset %" PRIu64 ": %s", operation->sink->name, operation->length,
                 operation->offset, g_strerror (operation->failure));
  operation->done (operation->user_data, error);
}

static gboolean
nbd_sink_dispatch (VkSink *base, const struct pollfd *fds, guint n_fds, GError **error)
{
  VkNbdSink *sink = (VkNbdSink *) base;
  GList *link;

  if (!vk_nbd_pool_dispatch (sink->pool, fds, n_fds, error))
    return FALSE;
  while ((link = g_queue_pop_head_link (&sink->finished)) != NULL)
    {
      struct operation *operation = link->data;

      report (operation);
      g_free (operation);
    }
  return TRUE;
}

static gboolean
nbd_sink_finish (VkSink *base, GCancellable *cancellable, GError **error)
{
  return vk_nbd_pool_finish (((VkNbdSink *) base)->pool, cancellable, error);
}

static void
nbd_sink_abandon (VkSink *base)
{
  VkNbdSink *sink = (VkNbdSink *) base;

  g_clear_pointer (&sink->pool, vk_nbd_pool_free);
}

static void
free_operations (GQueue *operations)
{
  GList *link;

  while ((link = g_queue_pop_head_link (operations)) != NULL)
    g_free (link->data);
}

static void
nbd_sink_free (VkSink *base)
{
  VkNbdSink *sink = (VkNbdSink *) base;

  nbd_sink_abandon (base);
  free_operations (&sink->running);
  free_operations (&sink->finished);
  g_free (sink->zeroes);
  g_free (sink->name);
  g_free (sink->uri);
  g_free (sink);
}

static const VkSinkOps nbd_sink_ops = {
  .put = nbd_sink_put,
  .zero = nbd_sink_zero,
  .prepare = nbd_sink_prepare,
  .dispatch = nbd_sink_dispatch,
  .finish = nbd_sink_finish,
  .abandon = nbd_sink_abandon,
  .free = nbd_sink_free,
};

/* Whether the export is what we are to write to. */
static gboolean
check_export (VkNbdSink *sink, guint64 size, GError **error)
{
  guint64 export_size = vk_nbd_pool_size (sink->pool);

  if (nbd_is_read_only (vk_nbd_pool_first (sink->pool)) != 0)
    return vk_fail (error, VK_ERROR_STORE, "%s: the NBD export %s cannot be written to", sink->name, sink->uri);
  if (export_size != size)
    return vk_fail (error, VK_ERROR_STORE, "%s: the NBD export %s has %" PRIu64 " bytes where %" PRIu64 " are needed", sink->name, sink->uri, export_size, size);
  return TRUE;
}

VkSink *
vk_nbd_sink_new (const char *uri, const char *name, guint64 size, guint max_connections, gboolean reads_zero, GError **error)
{
  VkNbdSink *sink = g_new0 (VkNbdSink, 1);
  g_autoptr (VkSink) base = &sink->base;
  VkNbdPoolOptions options = { .error_code = VK_ERROR_STORE, .max_connections = max_connections };

  base->ops = &nbd_sink_ops;
  base->reads_zero = reads_zero;
  g_queue_init (&sink->running);
  g_queue_init (&sink->finished);
  sink->uri = g_strdup (uri);
  sink->name = g_strdup (name);
  options.uri = sink->uri;
  options.name = sink->name;
  sink->pool = vk_nbd_pool_new (&options, NULL, error);
  if (sink->pool == NULL || !check_export (sink, size, error))
    return NULL;
  sink->can_zero = nbd_can_zero (vk_nbd_pool_first (sink->pool)) == 1;
  if (!sink->can_zero)
    sink->zeroes = g_malloc0 (ZERO_BUFFER_BYTES);
  return g_steal_pointer (&base);
}
