/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a disk is cut into chunks, and what the content of its file in a snapshot
 * looks like then: one blob a chunk, all of the same size but the last.
 *
 * `restic restore --sparse' makes holes in a file only if the blob of 512 KiB of
 * zeroes is part of it.  So the first chunk of zeroes is written as so many of
 * those; the others, of which there may be millions, are one blob each. */
#pragma once

#include "store/manifest.h"
#include "store/restic/content.h"

typedef struct
{
  guint64 size;       /* of the disk, bytes */
  guint64 chunk_size; /* bytes, VK_CHUNK_SIZE_MIN..VK_CHUNK_SIZE_MAX, a power of two */
  guint64 count;      /* of chunks; the last one may be shorter */
  VkResticId piece;   /* VK_CHUNK_SIZE_MIN bytes of zeroes */
  VkResticId zero;    /* a chunk of zeroes */
  VkResticId zero_end; /* zeroes as long as the last chunk */
} VkChunks;

/* The size of chunks for a new disk of size bytes. */
guint64 vk_chunks_choose_size (guint64 size);

void vk_chunks_init (VkChunks *chunks, guint64 size, guint64 chunk_size);

/* The length of the chunk at index, in bytes. */
guint64 vk_chunks_length (const VkChunks *chunks, guint64 index);

/* --- writing a content ---------------------------------------------------- */

typedef struct
{
  const VkChunks *chunks;
  VkContent *content; /* (transfer none) */
  guint64 next;       /* index of the chunk to append */
  guint64 bytes;      /* sum of the lengths of what has been appended */
  gboolean has_piece; /* which blobs of zeroes are part of it */
  gboolean has_zero;
  gboolean has_zero_end;
} VkChunkWriter;

/* Appends the next chunk: of zeroes for NULL. */
void vk_chunk_writer_append (VkChunkWriter *writer, const VkResticId *id);

/* --- reading one ---------------------------------------------------------- */

typedef struct
{
  const VkChunks *chunks;
  const VkContent *content;
  guint64 next; /* index of the chunk to read */
  guint64 at;   /* index in content */
} VkChunkReader;

/* The next chunk; *id is NULL for one of zeroes and valid as long as the content
 * otherwise.  FALSE when the content ends, or is not of such chunks. */
gboolean vk_chunk_reader_next (VkChunkReader *reader, const VkResticId **id);

/* Everything has been read, and there is nothing left. */
gboolean vk_chunk_reader_at_end (const VkChunkReader *reader);
