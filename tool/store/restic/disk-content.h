/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The content of a disk while its chunks become known, a little out of order.
 * Takes 32 bytes a chunk, and 48 more for each that does not follow its
 * predecessor at once. */
#pragma once

#include "store/restic/chunks.h"

typedef struct VkDiskContent VkDiskContent;

/* base: the content that chunks come from that never become known, or NULL when
 * all do.  chunks and base must outlive it.  Returns: (transfer full). */
VkDiskContent *vk_disk_content_new (const VkChunks *chunks, const VkContent *base);
void vk_disk_content_free (VkDiskContent *disk);

/* The chunks from index on are count times id; of zeroes for NULL.  Each chunk
 * becomes known at most once.  One thread at a time. */
void vk_disk_content_note (VkDiskContent *disk, guint64 index, guint64 count, const VkResticId *id);

/* Everything is known.  *writer says which blobs of zeroes are part of the
 * content.  VK_ERROR_FAILED when a chunk is missing.  Returns: (transfer full). */
VkContent *vk_disk_content_finish (VkDiskContent *disk, VkChunkWriter *writer, GError **error);
