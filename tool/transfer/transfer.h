/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies one disk from an NBD export into a sink: block status first, then
 * only what holds data (or, with a dirty bitmap, only what changed), several
 * requests in flight on several connections, memory bounded by the depth of
 * that queue and independent of the disk's size. */
#pragma once

#include <gio/gio.h>

#include "transfer/progress.h"
#include "transfer/rate-limit.h"
#include "transfer/sink.h"

typedef struct
{
  const char *disk;         /* the disk's target, for messages */
  const char *uri;          /* NBD URI of the export */
  const char *tls_dir;      /* as in VkNbdPoolOptions */
  const char *dirty_bitmap; /* meta context that marks changed blocks, e.g.
                               "qemu:dirty-bitmap:backup-vda"; NULL to copy the whole disk */
  guint max_connections;    /* at most so many to the export; 1 or more */
  VkRateLimit *limit;       /* of what is read from the export; NULL: none */
} VkTransferOptions;

/* The size in bytes of the export at uri, without copying anything. */
gboolean vk_transfer_export_size (const char *uri, guint64 *size, GError **error);

/* Runs the transfer to its end on the calling thread, including
 * sink->ops->finish().  Changed extents that read as zeroes are zero()ed
 * unless sink->reads_zero and there is no dirty bitmap; unchanged ones, as far as
 * sink->granularity lets them be, are left alone.  Data blocks found to hold only zeroes
 * are treated the same.
 * progress may be NULL.  A side that gives no sign of life for vk_copy_patience() has
 * stalled, which is an error.  Errors: VK_ERROR_FAILED for the export (message names
 * disk, offset and length), the sink's own error, G_IO_ERROR_CANCELLED. */
gboolean vk_transfer_run (const VkTransferOptions *options, VkSink *sink, VkTransferProgress *progress, GCancellable *cancellable, GError **error);
