/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a transfer's bytes go.  A sink is driven by the transfer's own poll
 * loop on one thread: put() and zero() only start work, done() tells its end.
 * Everything is asynchronous so that reads and writes overlap without a thread
 * for each. */
#pragma once

#include <gio/gio.h>
#include <poll.h>

typedef struct VkSink VkSink;

/* Called once for every accepted put() or zero(), from dispatch() of the same
 * sink.  error is NULL on success and belongs to the sink. */
typedef void (*VkSinkDone) (gpointer user_data, const GError *error);

typedef struct
{
  /* Where length bytes at offset, which are put or zeroed later in any case, are to be read
   * into and put from: memory of the sink's, or *place is NULL where it has none for them.
   * FALSE while there is no room for them: ask again after a dispatch().  The whole of it is
   * NULL where a sink never has any. */
  gboolean (*place) (VkSink *sink, gsize length, guint64 offset, void **place);

  /* Starts writing length bytes of data at offset (bytes, inside the disk).
   * data stays valid and unchanged until done is called.  FALSE with *error
   * set when the sink has failed; done is then not called. */
  gboolean (*put) (VkSink *sink, const void *data, gsize length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error);

  /* Starts making length bytes at offset read as zeroes. */
  gboolean (*zero) (VkSink *sink, guint64 length, guint64 offset, VkSinkDone done, gpointer user_data, GError **error);

  /* Appends to fds (of struct pollfd) what poll(2) must wait for now. */
  void (*prepare) (VkSink *sink, GArray *fds);

  /* Handles what poll(2) reported for exactly the entries that prepare()
   * appended. */
  gboolean (*dispatch) (VkSink *sink, const struct pollfd *fds, guint n_fds, GError **error);

  /* Everything was put: makes the sink hold the complete disk.  Blocks. */
  gboolean (*finish) (VkSink *sink, GCancellable *cancellable, GError **error);

  /* The transfer has failed: drops all work in progress at once.  Nothing that
   * was put is touched and no done called from here on; free() comes next. */
  void (*abandon) (VkSink *sink);

  /* Frees the sink, finished or not. */
  void (*free) (VkSink *sink);
} VkSinkOps;

struct VkSink
{
  const VkSinkOps *ops;
  gboolean reads_zero; /* what is never written reads as zeroes, so zero extents need no zero() */
  guint64 granularity; /* bytes, see vk_extent_reader_new(): of what has changed, aligned chunks of that
                          size (the last one of the disk may be shorter) are written whole; 0: any bytes */
};

void vk_sink_free (VkSink *sink);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkSink, vk_sink_free)
