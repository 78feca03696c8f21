/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zstd in one piece and as a stream.  The contexts of the one-piece calls are
 * kept for each thread. */
#pragma once

#include <glib.h>

/* The level of trees, index files and the like, about restic's default; and that of
 * disks, of which it took a third off the processor's time for a twentieth more
 * space. */
enum { VK_ZSTD_LEVEL = 3, VK_ZSTD_DATA_LEVEL = 1 };

/* Returns: (transfer full) one frame that says how long its content is. */
GBytes *vk_zstd_compress (const void *data, gsize length, int level);

/* The most that vk_zstd_compress_into() may write. */
gsize vk_zstd_bound (gsize length);

/* The number of bytes that were written to target, which has room for
 * vk_zstd_bound (length). */
gsize vk_zstd_compress_into (const void *data, gsize length, int level, void *target);

/* The same into memory of this thread's.  *size gets the number of bytes.
 * Returns: (transfer none), until the thread calls this again. */
const guint8 *vk_zstd_compress_here (const void *data, gsize length, int level, gsize *size);

/* All frames of data; FALSE, with VK_ERROR_DAMAGED, unless they decompress to
 * exactly length bytes, which are written to target. */
gboolean vk_zstd_decompress_into (const void *data, gsize size, void *target, gsize length, GError **error);

/* Reads what data decompresses to, a piece at a time. */
typedef struct VkZstdReader VkZstdReader;

/* data (not copied) must outlive the reader; more than limit bytes of content
 * are VK_ERROR_DAMAGED. */
VkZstdReader *vk_zstd_reader_new (const void *data, gsize size, guint64 limit);
void vk_zstd_reader_free (VkZstdReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkZstdReader, vk_zstd_reader_free)

/* Up to size bytes to buffer; 0 at the end, -1 with VK_ERROR_DAMAGED. */
gssize vk_zstd_reader_read (VkZstdReader *reader, void *buffer, gsize size, GError **error);

/* Everything that is left.  Returns: (transfer full). */
GBytes *vk_zstd_reader_read_all (VkZstdReader *reader, GError **error);

/* Compresses what is written to it, a piece at a time. */
typedef struct VkZstdWriter VkZstdWriter;

/* The frame will begin behind so many bytes that are left free. */
VkZstdWriter *vk_zstd_writer_new (int level, guint headroom);
void vk_zstd_writer_write (VkZstdWriter *writer, const void *data, gsize length);

/* Ends the frame and frees the writer.  Returns: (transfer full). */
GByteArray *vk_zstd_writer_finish (VkZstdWriter *writer);
void vk_zstd_writer_free (VkZstdWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkZstdWriter, vk_zstd_writer_free)
