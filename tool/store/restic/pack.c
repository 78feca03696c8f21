/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/write-direct.h"

/* A header's entry: type, length of the sealed blob, length of its content if
 * it is compressed, id. */
enum
{
  ENTRY_BYTES = 1 + 4 + VK_RESTIC_ID_BYTES,
  COMPRESSED_ENTRY_BYTES = ENTRY_BYTES + 4,
  HEADER_LENGTH_BYTES = 4,
};

/* The type in a header: the bit of trees and the bit of compressed blobs. */
enum { TYPE_TREE = 1, TYPE_COMPRESSED = 2, TYPE_MAX = 3 };

struct VkPackBuilder
{
  guint8 *memory; /* from vk_write_direct_memory(), of room bytes */
  gsize room;
  GByteArray *borrowed; /* the content, in the place of memory, if it is not NULL */
  gsize length;         /* of the content */
  GArray *blobs;        /* of VkPackBlob */
  gsize size;
  guint filling;   /* blobs whose room has not been filled in yet */
  gboolean closed; /* nothing more is added */
};

static GArray *
new_blobs (void)
{
  return g_array_new (FALSE, FALSE, sizeof (VkPackBlob));
}

VkPackBuilder *
vk_pack_builder_new (gsize size)
{
  VkPackBuilder *builder = g_new0 (VkPackBuilder, 1);

  builder->memory = vk_write_direct_memory (size);
  builder->room = size;
  builder->blobs = new_blobs ();
  builder->size = size;
  return builder;
}

void
vk_pack_builder_free (VkPackBuilder *builder)
{
  if (builder == NULL)
    return;
  free (builder->memory);
  g_clear_pointer (&builder->borrowed, g_byte_array_unref);
  g_clear_pointer (&builder->blobs, g_array_unref);
  g_free (builder);
}

/* The length of what follows the blobs, for count of them. */
static gsize
trailer_bound (guint count)
{
  return (gsize) count * COMPRESSED_ENTRY_BYTES + VK_SEAL_OVERHEAD + HEADER_LENGTH_BYTES;
}

gboolean
vk_pack_builder_fits (const VkPackBuilder *builder, gsize length)
{
  guint count = builder->blobs->len + 1;

  if (builder->blobs->len == 0)
    return TRUE;
  if (builder->borrowed != NULL)
    return FALSE;
  return builder->length + length + trailer_bound (count) <= builder->size && trailer_bound (count) <= VK_PACK_HEADER_LIMIT;
}

/* An empty pack takes any blob, and then has room for its header, too. */
static void
make_room (VkPackBuilder *builder, gsize length)
{
  if (length <= builder->room)
    return;
  free (builder->memory);
  builder->memory = vk_write_direct_memory (length);
  builder->room = length;
}

guint8 *
vk_pack_builder_reserve (VkPackBuilder *builder, VkPackBlob *blob)
{
  if (builder->length == 0)
    make_room (builder, blob->length + trailer_bound (1));
  blob->offset = (guint32) builder->length;
  builder->length += blob->length;
  g_array_append_val (builder->blobs, *blob);
  builder->filling++;
  return builder->memory + blob->offset;
}

gboolean
vk_pack_builder_filled (VkPackBuilder *builder)
{
  return --builder->filling == 0 && builder->closed;
}

gboolean
vk_pack_builder_close (VkPackBuilder *builder)
{
  builder->closed = TRUE;
  return builder->filling == 0;
}

void
vk_pack_builder_add (VkPackBuilder *builder, VkPackBlob *blob, const guint8 *sealed)
{
  memcpy (vk_pack_builder_reserve (builder, blob), sealed, blob->length);
  vk_pack_builder_filled (builder);
}

void
vk_pack_builder_add_array (VkPackBuilder *builder, VkPackBlob *blob, GByteArray *sealed)
{
  g_autoptr (GByteArray) array = sealed;

  if (builder->length > 0 || array->len < builder->size / 2)
    {
      vk_pack_builder_add (builder, blob, array->data);
      return;
    }
  builder->length = array->len;
  builder->borrowed = g_steal_pointer (&array);
  blob->offset = 0;
  g_array_append_val (builder->blobs, *blob);
}

guint
vk_pack_builder_count (const VkPackBuilder *builder)
{
  return builder->blobs->len;
}

static void
put_number (guint8 *bytes, guint32 number)
{
  guint32 little_endian = GUINT32_TO_LE (number);

  memcpy (bytes, &little_endian, sizeof little_endian);
}

static void
append_number (GByteArray *array, guint32 number)
{
  guint8 bytes[sizeof number];

  put_number (bytes, number);
  g_byte_array_append (array, bytes, sizeof bytes);
}

/* Makes the content longer.  Returns: (transfer none) all of it. */
static guint8 *
extend (VkPackBuilder *builder, gsize length)
{
  builder->length += length;
  if (builder->borrowed == NULL)
    return builder->memory;
  g_byte_array_set_size (builder->borrowed, (guint) builder->length);
  return builder->borrowed->data;
}

static GByteArray *
make_header (const GArray *blobs)
{
  GByteArray *header = g_byte_array_sized_new (blobs->len * COMPRESSED_ENTRY_BYTES);

  for (guint i = 0; i < blobs->len; i++)
    {
      const VkPackBlob *blob = &g_array_index (blobs, VkPackBlob, i);
      guint8 type = (blob->type == VK_BLOB_TREE ? TYPE_TREE : 0) | (blob->raw_length != 0 ? TYPE_COMPRESSED : 0);

      g_byte_array_append (header, &type, 1);
      append_number (header, blob->length);
      if (blob->raw_length != 0)
        append_number (header, blob->raw_length);
      g_byte_array_append (header, blob->id.bytes, VK_RESTIC_ID_BYTES);
    }
  return header;
}

GBytes *
vk_pack_builder_finish (VkPackBuilder *builder, VkCrypto *crypto, VkResticId *id, GArray **blobs)
{
  g_autoptr (GByteArray) header = make_header (builder->blobs);
  gsize begin = builder->length;
  gsize sealed = header->len + VK_SEAL_OVERHEAD;
  guint8 *content = extend (builder, sealed + HEADER_LENGTH_BYTES);

  vk_crypto_seal (crypto, header->data, header->len, content + begin);
  put_number (content + begin + sealed, (guint32) sealed);
  vk_restic_id_of (content, builder->length, id);
  *blobs = g_steal_pointer (&builder->blobs);
  return g_bytes_new_static (content, builder->length);
}

void
vk_pack_builder_reset (VkPackBuilder *builder)
{
  g_clear_pointer (&builder->borrowed, g_byte_array_unref);
  g_clear_pointer (&builder->blobs, g_array_unref);
  builder->blobs = new_blobs ();
  builder->length = 0;
  builder->filling = 0;
  builder->closed = FALSE;
}

/* --- reading -------------------------------------------------------------- */

static gpointer
set_damaged_error (GError **error, const char *name, const char *words)
{
  vk_fail (error, VK_ERROR_DAMAGED, "the pack %s is damaged: %s", name, words);
  return NULL;
}

static guint32
read_number (const guint8 *bytes)
{
  guint32 little_endian;

  memcpy (&little_endian, bytes, sizeof little_endian);
  return GUINT32_FROM_LE (little_endian);
}

/* Reads the entry at header.  Returns its length, 0 when there is none. */
static gsize
parse_entry (const guint8 *header, gsize length, VkPackBlob *blob)
{
  guint8 type = length > 0 ? header[0] : G_MAXUINT8;
  gboolean compressed = (type & TYPE_COMPRESSED) != 0;
  gsize size = compressed ? COMPRESSED_ENTRY_BYTES : ENTRY_BYTES;

  if (type > TYPE_MAX || length < size)
    return 0;
  blob->type = type & TYPE_TREE ? VK_BLOB_TREE : VK_BLOB_DATA;
  blob->length = read_number (header + 1);
  blob->raw_length = compressed ? read_number (header + 5) : 0;
  memcpy (blob->id.bytes, header + size - VK_RESTIC_ID_BYTES, VK_RESTIC_ID_BYTES);
  return blob->length >= VK_SEAL_OVERHEAD && (!compressed || blob->raw_length > 0) ? size : 0;
}

GArray *
vk_pack_header_parse (const guint8 *header, gsize length, guint64 blobs_end, const char *name, GError **error)
{
  g_autoptr (GArray) blobs = g_array_new (FALSE, FALSE, sizeof (VkPackBlob));
  guint64 offset = 0;

  while (length > 0)
    {
      VkPackBlob blob = { 0 };
      gsize size = parse_entry (header, length, &blob);

      if (size == 0)
        return set_damaged_error (error, name, "its header has an entry that cannot be");
      blob.offset = (guint32) offset;
      offset += blob.length;
      if (offset > blobs_end || offset > G_MAXUINT32)
        return set_damaged_error (error, name, "its header lists more than is there");
      g_array_append_val (blobs, blob);
      header += size;
      length -= size;
    }
  if (offset != blobs_end)
    return set_damaged_error (error, name, "its header lists less than is there");
  return g_steal_pointer (&blobs);
}

/* The sealed header of the pack, of size bytes. */
static GBytes *
load_header (VkBackend *backend, const char *name, guint64 size, GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) last = NULL;
  guint32 length;

  if (size < HEADER_LENGTH_BYTES + VK_SEAL_OVERHEAD)
    return set_damaged_error (error, name, "it is too short");
  last = vk_backend_load (backend, VK_RESTIC_DATA, name, size - HEADER_LENGTH_BYTES, HEADER_LENGTH_BYTES, cancellable, error);
  if (last == NULL)
    return NULL;
  length = read_number (g_bytes_get_data (last, NULL));
  if (length < VK_SEAL_OVERHEAD || length > VK_PACK_HEADER_LIMIT || length > size - HEADER_LENGTH_BYTES)
    return set_damaged_error (error, name, "the length of its header cannot be");
  return vk_backend_load (backend, VK_RESTIC_DATA, name, size - HEADER_LENGTH_BYTES - length, length, cancellable, error);
}

GArray *
vk_pack_list (VkBackend *backend, VkCrypto *crypto, const VkResticId *id, GCancellable *cancellable, GError **error)
{
  char name[VK_RESTIC_ID_DIGITS + 1];
  g_autoptr (GBytes) sealed = NULL;
  g_autofree guint8 *header = NULL;
  guint64 size;
  gsize length;
  const guint8 *data;

  vk_restic_id_format (id, name);
  if (!vk_backend_stat (backend, VK_RESTIC_DATA, name, &size, cancellable, error))
    return NULL;
  sealed = load_header (backend, name, size, cancellable, error);
  if (sealed == NULL)
    return NULL;
  data = g_bytes_get_data (sealed, &length);
  header = g_malloc (length);
  if (!vk_crypto_unseal (crypto, data, length, header))
    return set_damaged_error (error, name, "its header has been changed");
  return vk_pack_header_parse (header, length - VK_SEAL_OVERHEAD, size - HEADER_LENGTH_BYTES - length, name, error);
}
