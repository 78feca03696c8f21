/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One whole restore point as a tar archive, as virt-keep-store(5) describes it: the manifest, the images and
 * files that it names, and SHA256SUMS, which says that this was all. */
#pragma once

#include <gio/gio.h>

#include "store/store.h"
#include "stream/tar-writer.h"

/* Writes a point of an image store, whose disks are all full.  *bytes is the length of the stream.  Ends early when cancellable is
 * cancelled.  VK_ERROR_STORE, also when nobody reads the stream any more: it is not whole then. */
gboolean vk_stream_write (const VkPoint *point, GOutputStream *output, const VkStreamListener *listener, GCancellable *cancellable, guint64 *bytes, GError **error);

/* Reads a stream from anybody into a new image store in the directory path, which need not exist, and has to be
 * private.  Nothing is written elsewhere.  name: what messages call the stream.  *store (transfer full, also on failure)
 * is NULL as long as there is none.
 * Returns: (transfer full) the point, when the stream was whole and every digest in it is right; NULL with
 * VK_ERROR_STORE when not, VK_ERROR_SCRATCH when there is no room for it. */
VkPoint *vk_stream_read (GInputStream *input, const char *name, const char *path, const VkStreamListener *listener, GCancellable *cancellable, VkStore **store, guint64 *bytes, GError **error);

/* The bytes of the members that manifest names, in which no disk may build on another, or VK_ERROR_STORE. */
gboolean vk_stream_size (const VkManifest *manifest, guint64 *bytes, GError **error);
