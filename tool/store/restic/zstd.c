/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/zstd.h"

#include <zstd.h>

#include "base/error.h"

enum { PIECE_BYTES = 128 << 10 };

static void
free_compressor (gpointer context)
{
  ZSTD_freeCCtx (context);
}

static void
free_decompressor (gpointer context)
{
  ZSTD_freeDCtx (context);
}

/* A context takes longer to make than a small blob to compress. */
static ZSTD_CCtx *
compressor (void)
{
  static GPrivate kept = G_PRIVATE_INIT (free_compressor);
  ZSTD_CCtx *context = g_private_get (&kept);

  if (context == NULL)
    {
      context = ZSTD_createCCtx ();
      g_private_set (&kept, context);
    }
  return context;
}

static ZSTD_DCtx *
decompressor (void)
{
  static GPrivate kept = G_PRIVATE_INIT (free_decompressor);
  ZSTD_DCtx *context = g_private_get (&kept);

  if (context == NULL)
    {
      context = ZSTD_createDCtx ();
      g_private_set (&kept, context);
    }
  return context;
}

/* With enough room, zstd's compression fails only for want of memory. */
static gsize
must (gsize result)
{
  if (ZSTD_isError (result))
    g_error ("zstd cannot compress: %s", ZSTD_getErrorName (result));
  return result;
}

static void
set_damaged_error (GError **error, const char *words)
{
  vk_fail (error, VK_ERROR_DAMAGED, "it cannot be decompressed: %s", words);
}

gsize
vk_zstd_bound (gsize length)
{
  return ZSTD_compressBound (length);
}

gsize
vk_zstd_compress_into (const void *data, gsize length, int level, void *target)
{
  return must (ZSTD_compressCCtx (compressor (), target, ZSTD_compressBound (length), data, length, level));
}

/* Memory that is new for each chunk costs a fault for each of its pages. */
const guint8 *
vk_zstd_compress_here (const void *data, gsize length, int level, gsize *size)
{
  static GPrivate kept = G_PRIVATE_INIT ((GDestroyNotify) g_byte_array_unref);
  GByteArray *target = g_private_get (&kept);

  if (target == NULL)
    {
      target = g_byte_array_new ();
      g_private_set (&kept, target);
    }
  if (target->len < ZSTD_compressBound (length))
    g_byte_array_set_size (target, (guint) ZSTD_compressBound (length));
  *size = vk_zstd_compress_into (data, length, level, target->data);
  return target->data;
}

GBytes *
vk_zstd_compress (const void *data, gsize length, int level)
{
  void *target = g_malloc (ZSTD_compressBound (length));
  gsize size = vk_zstd_compress_into (data, length, level, target);

  return g_bytes_new_take (g_realloc (target, size), size);
}

gboolean
vk_zstd_decompress_into (const void *data, gsize size, void *target, gsize length, GError **error)
{
  gsize got = ZSTD_decompressDCtx (decompressor (), target, length, data, size);

  if (!ZSTD_isError (got) && got == length)
    return TRUE;
  set_damaged_error (error, ZSTD_isError (got) ? ZSTD_getErrorName (got) : "it is shorter than it should be");
  return FALSE;
}

struct VkZstdReader
{
  ZSTD_DCtx *context;
  ZSTD_inBuffer in;
  guint64 left;           /* of the limit, bytes */
  gboolean within_frame;
};

VkZstdReader *
vk_zstd_reader_new (const void *data, gsize size, guint64 limit)
{
  VkZstdReader *reader = g_new0 (VkZstdReader, 1);

  reader->context = ZSTD_createDCtx ();
  reader->in.src = data;
  reader->in.size = size;
  reader->left = limit;
  return reader;
}

void
vk_zstd_reader_free (VkZstdReader *reader)
{
  if (reader == NULL)
    return;
  ZSTD_freeDCtx (reader->context);
  g_free (reader);
}

gssize
vk_zstd_reader_read (VkZstdReader *reader, void *buffer, gsize size, GError **error)
{
  ZSTD_outBuffer out = { buffer, size, 0 };

  while (out.pos == 0 && (reader->in.pos < reader->in.size || reader->within_frame))
    {
      gsize before = reader->in.pos;
      gsize result = ZSTD_decompressStream (reader->context, &out, &reader->in);

      if (ZSTD_isError (result))
        {
          set_damaged_error (error, ZSTD_getErrorName (result));
          return -1;
        }
      reader->within_frame = result != 0;
      if (reader->in.pos == before && out.pos == 0 && reader->within_frame)
        {
          set_damaged_error (error, "its end is missing");
          return -1;
        }
    }
  if (out.pos > reader->left)
    {
      set_damaged_error (error, "it is larger than anything of its kind");
      return -1;
    }
  reader->left -= out.pos;
  return (gssize) out.pos;
}

GBytes *
vk_zstd_reader_read_all (VkZstdReader *reader, GError **error)
{
  g_autoptr (GByteArray) content = g_byte_array_new ();
  g_autofree guint8 *piece = g_malloc (PIECE_BYTES);
  gssize got;

  while ((got = vk_zstd_reader_read (reader, piece, PIECE_BYTES, error)) > 0)
    g_byte_array_append (content, piece, (guint) got);
  return got == 0 ? g_byte_array_free_to_bytes (g_steal_pointer (&content)) : NULL;
}

struct VkZstdWriter
{
  ZSTD_CCtx *context;
  GByteArray *compressed;
};

VkZstdWriter *
vk_zstd_writer_new (int level, guint headroom)
{
  VkZstdWriter *writer = g_new0 (VkZstdWriter, 1);

  writer->context = ZSTD_createCCtx ();
  must (ZSTD_CCtx_setParameter (writer->context, ZSTD_c_compressionLevel, level));
  writer->compressed = g_byte_array_new ();
  g_byte_array_set_size (writer->compressed, headroom);
  return writer;
}

/* Returns what zstd still holds back, bytes. */
static gsize
compress_piece (VkZstdWriter *writer, ZSTD_inBuffer *in, ZSTD_EndDirective directive)
{
  guint8 piece[16 << 10];
  ZSTD_outBuffer out = { piece, sizeof piece, 0 };
  gsize left = must (ZSTD_compressStream2 (writer->context, &out, in, directive));

  g_byte_array_append (writer->compressed, piece, (guint) out.pos);
  return left;
}

void
vk_zstd_writer_write (VkZstdWriter *writer, const void *data, gsize length)
{
  ZSTD_inBuffer in = { data, length, 0 };

  while (in.pos < in.size)
    compress_piece (writer, &in, ZSTD_e_continue);
}

GByteArray *
vk_zstd_writer_finish (VkZstdWriter *writer)
{
  ZSTD_inBuffer in = { "", 0, 0 };
  GByteArray *compressed;

  while (compress_piece (writer, &in, ZSTD_e_end) > 0)
    ;
  compressed = g_steal_pointer (&writer->compressed);
  vk_zstd_writer_free (writer);
  return compressed;
}

void
vk_zstd_writer_free (VkZstdWriter *writer)
{
  if (writer == NULL)
    return;
  ZSTD_freeCCtx (writer->context);
  if (writer->compressed != NULL)
    g_byte_array_unref (writer->compressed);
  g_free (writer);
}
