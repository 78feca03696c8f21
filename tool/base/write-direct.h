/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Writes all of data to fd, at the position where it stands, whole blocks of it past the
 * page cache where the file system can do that (O_DIRECT of open(2)): nobody reads soon
 * what a backup has written, and the copy into the cache takes longer than anything else
 * that is done with it.  Returns: FALSE with errno. */
gboolean vk_write_direct (int fd, const void *data, gsize length);

/* Memory of length bytes out of which that writes without a copy in between.
 * Returns: (transfer full), for free(). */
void *vk_write_direct_memory (gsize length);
