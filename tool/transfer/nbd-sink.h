/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sink that writes to an NBD server, e.g. qemu-nbd on a new qcow2 image. */
#pragma once

#include "transfer/sink.h"

/* Connects to uri (an NBD URI), on up to max_connections connections where the
 * server allows several writers; qemu-nbd, which has one thread for all of
 * them, spends the least time on a single one.  name is what messages call
 * what is written to, e.g. the path of the image.  size is what the export
 * must have, in bytes.  finish() sends NBD_CMD_FLUSH and disconnects.
 * Returns: (transfer full), or NULL with VK_ERROR_STORE set. */
VkSink *vk_nbd_sink_new (const char *uri, const char *name, guint64 size, guint max_connections, gboolean reads_zero, GError **error);
