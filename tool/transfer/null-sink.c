/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/null-sink.h"

#include <sys/eventfd.h>
#include <unistd.h>

/* done() may only be called from dispatch(), so what was put waits for it; the
 * eventfd wakes the poll loop. */

typedef struct
{
  VkSinkDone done;
  gpointer user_data;
} Pending;

typedef struct
{
  VkSink base;
  GArray *pending; /* of Pending */
  int event;       /* readable while pending is not empty */
} NullSink;

static gboolean
null_put (VkSink *base, const void *data, gsize length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error)
{
  NullSink *sink = (NullSink *) base;
  Pending pending = { done, user_data };

  g_array_append_val (sink->pending, pending);
  eventfd_write (sink->event, 1);
  return TRUE;
}

static gboolean
null_zero (VkSink *base, guint64 length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error)
{
  return null_put (base, NULL, 0, offset, done, user_data, error);
}

static void
null_prepare (VkSink *base, GArray *fds)
{
  NullSink *sink = (NullSink *) base;
  struct pollfd entry = { .fd = sink->event, .events = POLLIN };

  g_array_append_val (fds, entry);
}

static gboolean
null_dispatch (VkSink *base, const struct pollfd *fds, guint n_fds, GError **error)
{
  NullSink *sink = (NullSink *) base;
  g_autoptr (GArray) now = sink->pending;
  eventfd_t count;

  /* What done() puts meanwhile belongs to the next round. */
  sink->pending = g_array_new (FALSE, FALSE, sizeof (Pending));
  if (now->len > 0)
    eventfd_read (sink->event, &count);
  for (guint i = 0; i < now->len; i++)
    {
      Pending *pending = &g_array_index (now, Pending, i);

      pending->done (pending->user_data, NULL);
    }
  return TRUE;
}

static void
null_abandon (VkSink *base)
{
  NullSink *sink = (NullSink *) base;

  g_array_set_size (sink->pending, 0);
}

static gboolean
null_finish (VkSink *base, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

static void
null_free (VkSink *base)
{
  NullSink *sink = (NullSink *) base;

  close (sink->event);
  g_array_unref (sink->pending);
  g_free (sink);
}

static const VkSinkOps null_ops = {
  .put = null_put,
  .zero = null_zero,
  .prepare = null_prepare,
  .dispatch = null_dispatch,
  .finish = null_finish,
  .abandon = null_abandon,
  .free = null_free,
};

VkSink *
vk_null_sink_new (void)
{
  NullSink *sink = g_new0 (NullSink, 1);

  sink->base.ops = &null_ops;
  sink->base.reads_zero = TRUE;
  sink->pending = g_array_new (FALSE, FALSE, sizeof (Pending));
  sink->event = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  return &sink->base;
}
