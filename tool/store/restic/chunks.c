/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/chunks.h"

static const guint64 gib = G_GUINT64_CONSTANT (1) << 30;
static const guint64 kib = 1 << 10;

/* A small chunk costs little when few bytes of it have changed, but each one takes memory
 * while a backup runs, 32 bytes and 60 more for its place in the index where it holds
 * data, and about 35 bytes in the tree of every point, which does not compress.  Measured
 * (the part chunks of the bench), 16 MiB written in 256 places of a disk that is full of
 * data: chunks stored anew, tree, peak of memory
 *
 *     chunk      all        16 GiB           256 GiB             1 TiB
 *     512 KiB     128 MiB   1.2 MiB   55 MiB  17.7 MiB  151 MiB   70.5 MiB  321 MiB
 *       1 MiB     256 MiB   0.6 MiB   54 MiB   8.9 MiB  103 MiB   35.3 MiB  199 MiB
 *       2 MiB     512 MiB   0.3 MiB   51 MiB   4.5 MiB   78 MiB   17.7 MiB  148 MiB
 *       4 MiB    1024 MiB   0.2 MiB   62 MiB   2.3 MiB   70 MiB    8.9 MiB  112 MiB
 *
 * Places that a guest writes are scattered, so that the tree is soon paid for.  Memory is
 * what bounds it, to less than 200 MiB: with these sizes a disk has at most half a million
 * chunks up to 512 GiB, and a million up to 2 TiB. */
static const struct
{
  guint64 up_to;      /* GiB */
  guint64 chunk_size; /* KiB */
} sizes[] = { { 256, 512 }, { 512, 1024 }, { 2048, 2048 }, { 16384, 4096 } };

guint64
vk_chunks_choose_size (guint64 size)
{
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    if (size <= sizes[i].up_to * gib)
      return sizes[i].chunk_size * kib;
  return VK_CHUNK_SIZE_MAX;
}

static void
zeroes_id (guint64 length, VkResticId *id)
{
  g_autofree guint8 *zeroes = g_malloc0 (length);

  vk_restic_id_of (zeroes, length, id);
}

void
vk_chunks_init (VkChunks *chunks, guint64 size, guint64 chunk_size)
{
  *chunks = (VkChunks) { .size = size, .chunk_size = chunk_size, .count = size / chunk_size + (size % chunk_size != 0) };
  zeroes_id (VK_CHUNK_SIZE_MIN, &chunks->piece);
  zeroes_id (chunk_size, &chunks->zero);
  zeroes_id (size % chunk_size ? size % chunk_size : chunk_size, &chunks->zero_end);
}

guint64
vk_chunks_length (const VkChunks *chunks, guint64 index)
{
  return MIN (chunks->chunk_size, chunks->size - index * chunks->chunk_size);
}

/* How many blobs of VK_CHUNK_SIZE_MIN a whole chunk is. */
static guint64
pieces (const VkChunks *chunks)
{
  return chunks->chunk_size / VK_CHUNK_SIZE_MIN;
}

static void
append_zero (VkChunkWriter *writer, guint64 length)
{
  const VkChunks *chunks = writer->chunks;

  if (length < chunks->chunk_size)
    {
      vk_content_append (writer->content, &chunks->zero_end, 1);
      writer->has_zero_end = TRUE;
    }
  else if (!writer->has_piece)
    {
      vk_content_append (writer->content, &chunks->piece, pieces (chunks));
      writer->has_piece = TRUE;
    }
  else
    {
      vk_content_append (writer->content, &chunks->zero, 1);
      writer->has_zero = TRUE;
    }
}

void
vk_chunk_writer_append (VkChunkWriter *writer, const VkResticId *id)
{
  guint64 length = vk_chunks_length (writer->chunks, writer->next);

  if (id != NULL)
    vk_content_append (writer->content, id, 1);
  else
    append_zero (writer, length);
  writer->next++;
  writer->bytes += length;
}

gboolean
vk_chunk_reader_next (VkChunkReader *reader, const VkResticId **id)
{
  const VkChunks *chunks = reader->chunks;
  gboolean whole = vk_chunks_length (chunks, reader->next) == chunks->chunk_size;
  guint64 entries = 1;
  guint64 equal;

  if (reader->next == chunks->count || reader->at >= vk_content_length (reader->content))
    return FALSE;
  *id = vk_content_get_run (reader->content, reader->at, &equal);
  if (whole && vk_restic_id_equal (*id, &chunks->piece))
    entries = pieces (chunks);
  if (equal < entries)
    return FALSE;
  if (entries > 1 || vk_restic_id_equal (*id, whole ? &chunks->zero : &chunks->zero_end))
    *id = NULL;
  reader->next++;
  reader->at += entries;
  return TRUE;
}

gboolean
vk_chunk_reader_at_end (const VkChunkReader *reader)
{
  return reader->next == reader->chunks->count && reader->at == vk_content_length (reader->content);
}
