/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sink that reads what an NBD server has, and writes only where that differs. */
#pragma once

#include "transfer/sink.h"

/* Connects to uri (an NBD URI); name is what messages call the disk behind it.
 * size is what the export must have, in bytes.  *written counts the bytes that
 * differed, as they are sent; it has to live as long as the sink.
 * Returns: (transfer full), or NULL with VK_ERROR_STORE set. */
VkSink *vk_delta_sink_new (const char *uri, const char *name, guint64 size, guint64 *written, GError **error);
