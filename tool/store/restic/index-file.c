/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/index-file.h"

#include <string.h>

#include "store/restic/json-reader.h"
#include "store/restic/unpacked.h"
#include "store/restic/zstd.h"

void
vk_index_pack_free (VkIndexPack *pack)
{
  g_array_unref (pack->blobs);
  g_free (pack);
}

/* --- reading --------------------------------------------------------------
 *
 * As a stream: a tree of json-glib's takes 1.2 KiB of memory for each blob, 180 MB
 * for the largest files that restic makes. */

static gboolean
read_id (VkJsonReader *reader, VkResticId *id)
{
  gsize length;
  const char *text = vk_json_reader_string (reader, &length);

  if (text == NULL)
    return FALSE;
  return vk_restic_id_parse_length (text, length, id) ? TRUE : vk_json_reader_fail (reader, "an id in it is none");
}

static gboolean
read_number (VkJsonReader *reader, guint32 *number)
{
  guint64 value;

  if (!vk_json_reader_uint64 (reader, &value))
    return FALSE;
  if (value > G_MAXUINT32)
    return vk_json_reader_fail (reader, "an offset or length in it is beyond 4 GiB");
  *number = (guint32) value;
  return TRUE;
}

static gboolean
read_type (VkJsonReader *reader, VkBlobType *type)
{
  const char *text = vk_json_reader_string (reader, NULL);

  if (text == NULL)
    return FALSE;
  for (*type = VK_BLOB_DATA; *type <= VK_BLOB_TREE; (*type)++)
    if (strcmp (text, vk_blob_type_name (*type)) == 0)
      return TRUE;
  return vk_json_reader_fail (reader, "a blob in it is of an unknown type");
}

static gboolean
check_blob (VkJsonReader *reader, const VkPackBlob *blob, gboolean has_id, gboolean has_type)
{
  if (!has_id || !has_type)
    return vk_json_reader_fail (reader, "a blob in it has no id or type");
  if (blob->length < VK_SEAL_OVERHEAD || blob->length > VK_BLOB_LIMIT || blob->raw_length > VK_BLOB_LIMIT || blob->offset > G_MAXUINT32 - blob->length)
    return vk_json_reader_fail (reader, "a blob in it has a place or length that cannot be");
  return TRUE;
}

static gboolean
read_blob (VkJsonReader *reader, VkPackBlob *blob)
{
  gboolean has_id = FALSE;
  gboolean has_type = FALSE;
  const char *member;

  memset (blob, 0, sizeof *blob);
  vk_json_reader_object (reader);
  while ((member = vk_json_reader_member (reader)) != NULL)
    {
      if (strcmp (member, "id") == 0)
        has_id = read_id (reader, &blob->id);
      else if (strcmp (member, "type") == 0)
        has_type = read_type (reader, &blob->type);
      else if (strcmp (member, "offset") == 0)
        read_number (reader, &blob->offset);
      else if (strcmp (member, "length") == 0)
        read_number (reader, &blob->length);
      else if (strcmp (member, "uncompressed_length") == 0)
        read_number (reader, &blob->raw_length);
      else
        vk_json_reader_skip (reader);
    }
  return check_blob (reader, blob, has_id, has_type);
}

static void
read_blobs (VkJsonReader *reader, GArray *blobs)
{
  if (vk_json_reader_null (reader) || !vk_json_reader_array (reader))
    return;
  while (vk_json_reader_element (reader))
    {
      VkPackBlob blob;

      if (!read_blob (reader, &blob))
        return;
      g_array_append_val (blobs, blob);
    }
}

/* blobs is used again for each pack. */
static gboolean
read_pack (VkJsonReader *reader, VkIndex *index, GArray *blobs)
{
  VkResticId id;
  gboolean has_id = FALSE;
  const char *member;

  g_array_set_size (blobs, 0);
  vk_json_reader_object (reader);
  while ((member = vk_json_reader_member (reader)) != NULL)
    {
      if (strcmp (member, "id") == 0)
        has_id = read_id (reader, &id);
      else if (strcmp (member, "blobs") == 0)
        read_blobs (reader, blobs);
      else
        vk_json_reader_skip (reader);
    }
  if (!has_id)
    return vk_json_reader_fail (reader, "a pack in it has no id");
  if (!vk_json_reader_is_fine (reader))
    return FALSE;
  vk_index_add_pack (index, &id, (const VkPackBlob *) (gpointer) blobs->data, blobs->len);
  return TRUE;
}

static void
read_packs (VkJsonReader *reader, VkIndex *index)
{
  g_autoptr (GArray) blobs = g_array_new (FALSE, FALSE, sizeof (VkPackBlob));

  if (vk_json_reader_null (reader) || !vk_json_reader_array (reader))
    return;
  while (vk_json_reader_element (reader) && read_pack (reader, index, blobs))
    ;
}

/* "supersedes", which old files have, is passed over: the files it names are
 * read as well while they exist, and say the same. */
static gboolean
read_file (VkJsonReader *reader, VkIndex *index, GError **error)
{
  const char *member;

  vk_json_reader_object (reader);
  while ((member = vk_json_reader_member (reader)) != NULL)
    {
      if (strcmp (member, "packs") == 0)
        read_packs (reader, index);
      else
        vk_json_reader_skip (reader);
    }
  return vk_json_reader_end (reader, error);
}

static gssize
fill_from_zstd (gpointer user_data, void *buffer, gsize size, GError **error)
{
  return vk_zstd_reader_read (user_data, buffer, size, error);
}

gboolean
vk_index_file_read (GBytes *encoded, VkIndex *index, GError **error)
{
  gsize length;
  const guint8 *data = g_bytes_get_data (encoded, &length);
  g_autoptr (VkZstdReader) zstd = NULL;
  g_autoptr (VkJsonReader) reader = NULL;

  if (length > 0 && data[0] == VK_UNPACKED_ZSTD)
    {
      zstd = vk_zstd_reader_new (data + 1, length - 1, VK_INDEX_FILE_LIMIT);
      reader = vk_json_reader_new (fill_from_zstd, zstd);
    }
  else
    reader = vk_json_reader_new_for_text (data, length);
  return read_file (reader, index, error);
}

/* --- writing -------------------------------------------------------------- */

static void
append_blob (GString *json, const VkPackBlob *blob)
{
  char id[VK_RESTIC_ID_DIGITS + 1];

  vk_restic_id_format (&blob->id, id);
  g_string_append_printf (json, "{\"id\":\"%s\",\"type\":\"%s\",\"offset\":%u,\"length\":%u", id, vk_blob_type_name (blob->type), blob->offset, blob->length);
  if (blob->raw_length != 0)
    g_string_append_printf (json, ",\"uncompressed_length\":%u", blob->raw_length);
  g_string_append_c (json, '}');
}

static void
append_pack (GString *json, const VkIndexPack *pack)
{
  char id[VK_RESTIC_ID_DIGITS + 1];

  vk_restic_id_format (&pack->id, id);
  g_string_append_printf (json, "{\"id\":\"%s\",\"blobs\":[", id);
  for (guint i = 0; i < pack->blobs->len; i++)
    {
      if (i > 0)
        g_string_append_c (json, ',');
      append_blob (json, &g_array_index (pack->blobs, VkPackBlob, i));
    }
  g_string_append (json, "]}");
}

gboolean
vk_index_file_save (VkBackend *backend, VkCrypto *crypto, const GPtrArray *packs, gsize *size, GCancellable *cancellable, GError **error)
{
  g_autoptr (GString) json = g_string_new ("{\"packs\":[");
  VkResticId id;

  for (guint i = 0; i < packs->len; i++)
    {
      if (i > 0)
        g_string_append_c (json, ',');
      append_pack (json, g_ptr_array_index (packs, i));
    }
  g_string_append (json, "]}");
  return vk_unpacked_save (backend, crypto, VK_RESTIC_INDEX, json->str, json->len, &id, size, cancellable, error);
}
