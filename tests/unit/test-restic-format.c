/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ids, JSON, zstd, packs and index files of a restic repository, well-formed and
 * hostile. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "store/restic/index-file.h"
#include "store/restic/json-reader.h"
#include "store/restic/pack.h"
#include "store/restic/unpacked.h"
#include "store/restic/zstd.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static VkResticId
id_of (const char *text)
{
  VkResticId id;

  g_assert_true (vk_restic_id_parse (text, &id));
  return id;
}

static VkResticId
numbered_id (guint number)
{
  VkResticId id;

  vk_restic_id_of (&number, sizeof number, &id);
  return id;
}

/* --- ids ------------------------------------------------------------------ */

static void
test_ids (void)
{
  char text[VK_RESTIC_ID_DIGITS + 1];
  VkResticId id;

  g_assert_true (vk_restic_id_parse ("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", &id));
  vk_restic_id_format (&id, text);
  g_assert_cmpstr (text, ==, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
  g_assert_false (vk_restic_id_parse ("", &id));
  g_assert_false (vk_restic_id_parse ("0123", &id));
  g_assert_false (vk_restic_id_parse (ID_A "a", &id));
  g_assert_false (vk_restic_id_parse ("Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &id));
  g_assert_false (vk_restic_id_parse ("../../../../../../../../../../../../../../../../../../../../../a", &id));
  vk_restic_id_of ("abc", 3, &id);
  vk_restic_id_format (&id, text);
  g_assert_cmpstr (text, ==, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* --- JSON as a stream ----------------------------------------------------- */

static gboolean
skips (const char *text)
{
  g_autoptr (VkJsonReader) reader = vk_json_reader_new_for_text (text, strlen (text));
  g_autoptr (GError) error = NULL;

  vk_json_reader_skip (reader);
  if (vk_json_reader_end (reader, &error))
    return TRUE;
  g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
  return FALSE;
}

static void
test_json_valid (void)
{
  static const char *const texts[] = {
    "0", "-1.5e+3", "null", "true", "false", "\"\"", "[]", "{}", " [ 1 , [ ] , { } ] \n", "{\"a\":{\"b\":[null,\"c\"]},\"d\":1}",
    "\"\\u0041\\n\\\\\\\"\\/\\ud83d\\ude00\"", "\"\xc3\xa9\"",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    g_assert_true (skips (texts[i]));
}

static void
test_json_malformed (void)
{
  static const char *const texts[] = {
    "", " ", "[", "{", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{1:2}", "{\"a\":1]", "[1}", "nul", "nullx", "truefalse",
    "\"", "\"\\", "\"\\u", "\"\\u12\"", "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\u0000\"", "\"\xff\"", "\"\n\"", "1 1", "[] []", "-", "e", "\x01",
  };
  g_autofree char *deep = g_strnfill (100000, '[');

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    if (skips (texts[i]))
      g_error ("accepted: %s", texts[i]);
  g_assert_false (skips (deep));
}

static gboolean
reads_number (const char *text, guint64 *number)
{
  g_autoptr (VkJsonReader) reader = vk_json_reader_new_for_text (text, strlen (text));

  vk_json_reader_uint64 (reader, number);
  return vk_json_reader_end (reader, NULL);
}

static void
test_json_numbers (void)
{
  guint64 number;

  g_assert_true (reads_number ("18446744073709551615", &number));
  g_assert_cmpuint (number, ==, G_MAXUINT64);
  g_assert_false (reads_number ("18446744073709551616", &number));
  g_assert_false (reads_number ("-1", &number));
  g_assert_false (reads_number ("1.5", &number));
  g_assert_false (reads_number ("1e3", &number));
  g_assert_false (reads_number ("\"1\"", &number));
  g_assert_false (reads_number ("null", &number));
}

static gssize
fill_bytewise (gpointer user_data, void *buffer, gsize size, GError **error)
{
  const char **text = user_data;

  if (**text == '\0')
    return 0;
  *(char *) buffer = *(*text)++;
  return 1;
}

/* Pieces may end anywhere. */
static void
test_json_pieces (void)
{
  const char *text = "{\"name\" : \"\\u00e9x\", \"n\":[12345, null ]}";
  g_autoptr (VkJsonReader) reader = vk_json_reader_new (fill_bytewise, &text);
  guint64 number = 0;

  g_assert_true (vk_json_reader_object (reader));
  g_assert_cmpstr (vk_json_reader_member (reader), ==, "name");
  g_assert_cmpstr (vk_json_reader_string (reader, NULL), ==, "\xc3\xa9x");
  g_assert_cmpstr (vk_json_reader_member (reader), ==, "n");
  g_assert_true (vk_json_reader_array (reader));
  g_assert_true (vk_json_reader_element (reader));
  g_assert_true (vk_json_reader_uint64 (reader, &number));
  g_assert_cmpuint (number, ==, 12345);
  g_assert_true (vk_json_reader_element (reader));
  g_assert_true (vk_json_reader_null (reader));
  g_assert_false (vk_json_reader_element (reader));
  g_assert_null (vk_json_reader_member (reader));
  g_assert_true (vk_json_reader_end (reader, NULL));
}

/* --- zstd ----------------------------------------------------------------- */

static void
test_zstd (void)
{
  g_autofree char *text = g_strnfill (1000000, 'a');
  g_autoptr (GBytes) compressed = vk_zstd_compress (text, 1000000, VK_ZSTD_LEVEL);
  g_autofree char *again = g_malloc (1000000);
  gsize size = g_bytes_get_size (compressed);
  const void *data = g_bytes_get_data (compressed, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (vk_zstd_decompress_into (data, size, again, 1000000, &error));
  g_assert_cmpmem (again, 1000000, text, 1000000);
  g_assert_false (vk_zstd_decompress_into (data, size, again, 999999, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
  g_clear_error (&error);
  g_assert_false (vk_zstd_decompress_into (data, size - 1, again, 1000000, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
}

/* A few bytes must not become the machine's whole memory. */
static void
test_zstd_bomb (void)
{
  g_autofree char *text = g_malloc0 (50 << 20);
  g_autoptr (GBytes) compressed = vk_zstd_compress (text, 50 << 20, VK_ZSTD_LEVEL);
  g_autoptr (VkZstdReader) reader = vk_zstd_reader_new (g_bytes_get_data (compressed, NULL), g_bytes_get_size (compressed), 1 << 20);
  g_autoptr (VkZstdReader) cut = vk_zstd_reader_new (g_bytes_get_data (compressed, NULL), g_bytes_get_size (compressed) - 1, 100 << 20);
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (g_bytes_get_size (compressed), <, 10000);
  g_assert_null (vk_zstd_reader_read_all (reader, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
  g_clear_error (&error);
  g_assert_null (vk_zstd_reader_read_all (cut, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
}

static void
test_zstd_stream (void)
{
  VkZstdWriter *writer = vk_zstd_writer_new (VK_ZSTD_LEVEL, 0);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GBytes) compressed = NULL;
  g_autoptr (VkZstdReader) reader = NULL;
  g_autoptr (GBytes) again = NULL;

  for (guint i = 0; i < 20000; i++)
    {
      gsize before = text->len;

      g_string_append_printf (text, "%u,", i * i);
      vk_zstd_writer_write (writer, text->str + before, text->len - before);
    }
  compressed = g_byte_array_free_to_bytes (vk_zstd_writer_finish (writer));
  reader = vk_zstd_reader_new (g_bytes_get_data (compressed, NULL), g_bytes_get_size (compressed), text->len);
  again = vk_zstd_reader_read_all (reader, NULL);
  g_assert_cmpmem (g_bytes_get_data (again, NULL), g_bytes_get_size (again), text->str, text->len);
}

static GBytes *
decode (const void *encoded, gsize length, GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new (encoded, length);

  return vk_unpacked_decode (bytes, 1000, error);
}

static void
test_unpacked_encodings (void)
{
  static const char *const bad[] = { "", "\x01{}", "\x02", "\x02{}", "x", " {}" };
  g_autoptr (GBytes) object = decode ("{}", 2, NULL);
  g_autoptr (GBytes) array = decode ("[]", 2, NULL);

  g_assert_cmpuint (g_bytes_get_size (object), ==, 2);
  g_assert_cmpuint (g_bytes_get_size (array), ==, 2);
  for (gsize i = 1; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) text = decode (bad[i], strlen (bad[i]), &error);

      /* A frame may be missing, but not be cut off or be something else. */
      if (text == NULL)
        g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
      else
        g_assert_cmpuint (g_bytes_get_size (text), ==, 0);
    }
}

/* --- packs ---------------------------------------------------------------- */

static GBytes *
fill_pack (VkPackBuilder *builder, VkCrypto *crypto, VkResticId *id, GArray **blobs)
{
  for (guint i = 0; i < 5; i++)
    {
      guint8 sealed[100 + VK_SEAL_OVERHEAD] = { 0 };
      VkPackBlob blob = { .id = numbered_id (i), .type = VK_BLOB_TREE, .length = VK_SEAL_OVERHEAD + i, .raw_length = i % 2 ? 1000 + i : 0 };

      vk_pack_builder_add (builder, &blob, sealed);
    }
  return vk_pack_builder_finish (builder, crypto, id, blobs);
}

static GBytes *
build_pack (VkCrypto *crypto, VkResticId *id, GArray **blobs)
{
  g_autoptr (VkPackBuilder) builder = vk_pack_builder_new (VK_PACK_SIZE_MIN);
  g_autoptr (GBytes) pack = fill_pack (builder, crypto, id, blobs);

  return g_bytes_new (g_bytes_get_data (pack, NULL), g_bytes_get_size (pack));
}

static void
test_pack_round_trip (void)
{
  VkResticKey key = { 0 };
  g_autoptr (VkCrypto) crypto = vk_crypto_new (&key);
  g_autoptr (GArray) blobs = NULL;
  g_autoptr (GArray) parsed = NULL;
  VkResticId id, expected;
  g_autoptr (GBytes) pack = build_pack (crypto, &id, &blobs);
  gsize size;
  const guint8 *data = g_bytes_get_data (pack, &size);
  guint32 length;
  g_autofree guint8 *header = NULL;

  vk_restic_id_of (data, size, &expected);
  g_assert_true (vk_restic_id_equal (&id, &expected));
  memcpy (&length, data + size - 4, 4);
  length = GUINT32_FROM_LE (length);
  header = g_malloc (length);
  g_assert_true (vk_crypto_unseal (crypto, data + size - 4 - length, length, header));
  parsed = vk_pack_header_parse (header, length - VK_SEAL_OVERHEAD, size - 4 - length, "a pack", NULL);
  g_assert_nonnull (parsed);
  g_assert_cmpmem (parsed->data, parsed->len * sizeof (VkPackBlob), blobs->data, blobs->len * sizeof (VkPackBlob));
}

/* The bytes as restic's documents have them, not as we write them: numbers are little-endian.
 * The lengths add up to more than a signed number of 32 bits holds. */
static void
test_pack_bytes (void)
{
  static const guint8 header[] = {
    0, 0x04, 0x03, 0x02, 0x61, /* data, 0x61020304 bytes */
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
    3, 0x08, 0x07, 0x06, 0x45, 0xf1, 0xf2, 0xf3, 0xf4, /* a compressed tree, 0x45060708 bytes for 0xf4f3f2f1 */
    32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1,
    1, 0x80, 0x00, 0x00, 0x00, /* a tree, 128 bytes */
    0xff, 0xee, 0xdd, [114] = 0x11,
  };
  g_autoptr (GArray) blobs = vk_pack_header_parse (header, sizeof header, 0xa6080a0c + 128, "a pack", NULL);
  const VkPackBlob *blob;
  char text[VK_RESTIC_ID_DIGITS + 1];

  g_assert_nonnull (blobs);
  g_assert_cmpuint (blobs->len, ==, 3);
  blob = &g_array_index (blobs, VkPackBlob, 0);
  g_assert_cmpint (blob->type, ==, VK_BLOB_DATA);
  g_assert_cmphex (blob->offset, ==, 0);
  g_assert_cmphex (blob->length, ==, 0x61020304);
  g_assert_cmphex (blob->raw_length, ==, 0);
  vk_restic_id_format (&blob->id, text);
  g_assert_cmpstr (text, ==, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20");
  blob = &g_array_index (blobs, VkPackBlob, 1);
  g_assert_cmpint (blob->type, ==, VK_BLOB_TREE);
  g_assert_cmphex (blob->offset, ==, 0x61020304);
  g_assert_cmphex (blob->length, ==, 0x45060708);
  g_assert_cmphex (blob->raw_length, ==, 0xf4f3f2f1);
  vk_restic_id_format (&blob->id, text);
  g_assert_cmpstr (text, ==, "201f1e1d1c1b1a191817161514131211100f0e0d0c0b0a090807060504030201");
  blob = &g_array_index (blobs, VkPackBlob, 2);
  g_assert_cmphex (blob->offset, ==, 0xa6080a0c);
  g_assert_cmphex (blob->length, ==, 128);
  vk_restic_id_format (&blob->id, text);
  g_assert_cmpstr (text, ==, "ffeedd0000000000000000000000000000000000000000000000000000000011");
}

static void
expect_bad_header (const guint8 *header, gsize length, guint64 blobs_end)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_pack_header_parse (header, length, blobs_end, "a pack", &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
}

static void
test_pack_hostile_header (void)
{
  guint8 entry[41] = { 0, 50 };
  guint8 twice[74] = { 0 };
  g_autoptr (GArray) blobs = vk_pack_header_parse (entry, 37, 50, "a pack", NULL);

  g_assert_nonnull (blobs);
  expect_bad_header (entry, 36, 50);
  expect_bad_header (entry, 1, 50);
  expect_bad_header (entry, 37, 49);
  expect_bad_header (entry, 37, 51);
  entry[1] = VK_SEAL_OVERHEAD - 1;
  expect_bad_header (entry, 37, VK_SEAL_OVERHEAD - 1);
  entry[1] = 50;
  for (guint type = 4; type < 256; type++)
    {
      entry[0] = (guint8) type;
      expect_bad_header (entry, 37, 50);
      expect_bad_header (entry, 41, 50);
    }
  /* Compressed, to nothing. */
  entry[0] = 2;
  expect_bad_header (entry, 41, 50);
  /* Lengths whose sum is beyond 32 bits. */
  memset (twice + 1, 0xff, 4);
  memset (twice + 37 + 1, 0xff, 4);
  expect_bad_header (twice, sizeof twice, G_GUINT64_CONSTANT (0x1fffffffe));
}

static void
test_pack_size (void)
{
  g_autoptr (VkPackBuilder) builder = vk_pack_builder_new (VK_PACK_SIZE_MIN);
  g_autofree guint8 *sealed = g_malloc0 (1 << 20);
  VkResticKey key = { 0 };
  g_autoptr (VkCrypto) crypto = vk_crypto_new (&key);
  VkResticId id;
  g_autoptr (GArray) blobs = NULL;
  g_autoptr (GBytes) pack = NULL;

  while (vk_pack_builder_fits (builder, 1 << 20))
    {
      VkPackBlob blob = { .id = numbered_id (1), .length = 1 << 20, .raw_length = 2 << 20 };

      vk_pack_builder_add (builder, &blob, sealed);
    }
  g_assert_cmpuint (vk_pack_builder_count (builder), ==, 3);
  pack = vk_pack_builder_finish (builder, crypto, &id, &blobs);
  g_assert_cmpuint (g_bytes_get_size (pack), <=, VK_PACK_SIZE_MIN);
}

/* Adds one blob to the empty pack, in either way, and ends it. */
static void
expect_single_blob (VkPackBuilder *builder, VkCrypto *crypto, gsize length, gboolean as_array)
{
  VkPackBlob blob = { .id = numbered_id (1), .length = (guint32) length };
  g_autofree guint8 *sealed = g_malloc (length);
  g_autoptr (GArray) blobs = NULL;
  g_autoptr (GBytes) pack = NULL;
  GByteArray *array;
  VkResticId id, again;

  memset (sealed, 0x5a, length);
  g_assert_true (vk_pack_builder_fits (builder, length));
  if (as_array)
    {
      array = g_byte_array_new ();
      g_byte_array_append (array, sealed, (guint) length);
      vk_pack_builder_add_array (builder, &blob, array);
    }
  else
    vk_pack_builder_add (builder, &blob, sealed);
  pack = vk_pack_builder_finish (builder, crypto, &id, &blobs);
  vk_restic_id_of (g_bytes_get_data (pack, NULL), g_bytes_get_size (pack), &again);
  g_assert_true (vk_restic_id_equal (&id, &again));
  g_assert_cmpmem (g_bytes_get_data (pack, NULL), length, sealed, length);
  g_assert_cmpuint (g_array_index (blobs, VkPackBlob, 0).offset, ==, 0);
  g_clear_pointer (&pack, g_bytes_unref);
  vk_pack_builder_reset (builder);
}

static void
test_pack_again (void)
{
  g_autoptr (VkPackBuilder) builder = vk_pack_builder_new (VK_PACK_SIZE_MIN);
  VkResticKey key = { 0 };
  g_autoptr (VkCrypto) crypto = vk_crypto_new (&key);
  g_autoptr (GArray) blobs = NULL;
  g_autoptr (GBytes) pack = NULL;
  VkResticId id;

  expect_single_blob (builder, crypto, 100, FALSE);
  expect_single_blob (builder, crypto, VK_PACK_SIZE_MIN, FALSE);
  expect_single_blob (builder, crypto, 2 * VK_PACK_SIZE_MIN, FALSE);
  expect_single_blob (builder, crypto, 100, TRUE);
  expect_single_blob (builder, crypto, 2 * VK_PACK_SIZE_MIN, TRUE);
  pack = fill_pack (builder, crypto, &id, &blobs);
  g_assert_cmpuint (blobs->len, ==, 5);
  g_assert_cmpuint (g_bytes_get_size (pack), <, 1000);
}

/* --- index files ---------------------------------------------------------- */

static gboolean
reads_index (const char *text, VkIndex *index)
{
  g_autoptr (GBytes) encoded = g_bytes_new (text, strlen (text));
  g_autoptr (GError) error = NULL;

  if (vk_index_file_read (encoded, index, &error))
    return TRUE;
  g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
  return FALSE;
}

#define BLOB "{\"id\":\"" ID_A "\",\"type\":\"data\",\"offset\":7,\"length\":50,\"uncompressed_length\":100}"
#define PACK(blobs) "{\"id\":\"" ID_B "\",\"blobs\":" blobs "}"
#define PACKS(packs) "{\"packs\":" packs "}"

static void
test_index_file (void)
{
  g_autoptr (VkIndex) index = vk_index_new ();
  VkResticId a = id_of (ID_A), b = id_of (ID_B);
  VkBlobLocation location;

  g_assert_true (reads_index ("{\"supersedes\":[\"" ID_C "\"],\"packs\":[" PACK ("[" BLOB "]") "],\"new\":{}}", index));
  g_assert_true (vk_index_lookup (index, VK_BLOB_DATA, &a, &location));
  g_assert_true (vk_restic_id_equal (&location.pack, &b));
  g_assert_cmpuint (location.offset, ==, 7);
  g_assert_cmpuint (location.length, ==, 50);
  g_assert_cmpuint (location.raw_length, ==, 100);
  g_assert_false (vk_index_lookup (index, VK_BLOB_TREE, &a, NULL));
  g_assert_false (vk_index_lookup (index, VK_BLOB_DATA, &b, NULL));
  g_assert_true (reads_index (PACKS ("null"), index));
  g_assert_true (reads_index (PACKS ("[" PACK ("null") "]"), index));
  g_assert_true (reads_index ("{}", index));
  g_assert_cmpuint (vk_index_count (index), ==, 1);
}

/* Places and lengths beyond what a signed number of 32 bits holds. */
static void
test_index_numbers (void)
{
  g_autoptr (VkIndex) index = vk_index_new ();
  VkResticId a = id_of (ID_A);
  VkBlobLocation location;

  g_assert_true (reads_index (PACKS ("[" PACK ("[{\"id\":\"" ID_A "\",\"type\":\"data\",\"offset\":2882400001,\"length\":305419896,\"uncompressed_length\":1073741823}]") "]"), index));
  g_assert_true (vk_index_lookup (index, VK_BLOB_DATA, &a, &location));
  g_assert_cmphex (location.offset, ==, 0xabcdef01);
  g_assert_cmphex (location.length, ==, 0x12345678);
  g_assert_cmphex (location.raw_length, ==, 0x3fffffff);
}

/* The same blob in two packs, and as data and as a tree. */
static void
test_index_duplicates (void)
{
  g_autoptr (VkIndex) index = vk_index_new ();
  VkResticId a = id_of (ID_A), c = id_of (ID_C);
  VkPackBlob blobs[] = { { .id = a, .type = VK_BLOB_TREE, .length = 60 }, { .id = a, .type = VK_BLOB_DATA, .length = 50 } };
  VkBlobLocation location;

  g_assert_true (reads_index (PACKS ("[" PACK ("[" BLOB "," BLOB "]") "," PACK ("[" BLOB "]") "]"), index));
  g_assert_cmpuint (vk_index_count (index), ==, 1);
  vk_index_add_pack (index, &c, blobs, G_N_ELEMENTS (blobs));
  g_assert_cmpuint (vk_index_count (index), ==, 2);
  g_assert_true (vk_index_lookup (index, VK_BLOB_TREE, &a, &location));
  g_assert_true (vk_restic_id_equal (&location.pack, &c));
  g_assert_true (vk_index_lookup (index, VK_BLOB_DATA, &a, &location));
  g_assert_cmpuint (location.offset, ==, 7);
}

static void
test_index_hostile (void)
{
  static const char *const texts[] = {
    "", "[]", "null", "{", PACKS ("{}"), PACKS ("[{}]"), PACKS ("[1]"), PACKS ("[" PACK ("[{}]") "]"), PACKS ("[" PACK ("[" BLOB) "]"),
    PACKS ("[{\"id\":\"short\"}]"), PACKS ("[{\"id\":5}]"),
    PACKS ("[" PACK ("[{\"id\":\"" ID_A "\",\"offset\":0,\"length\":50}]") "]"),
    PACKS ("[" PACK ("[{\"id\":\"" ID_A "\",\"type\":\"other\",\"offset\":0,\"length\":50}]") "]"),
    PACKS ("[" PACK ("[{\"id\":\"" ID_A "\",\"type\":\"data\",\"offset\":0,\"length\":31}]") "]"),
    PACKS ("[" PACK ("[{\"id\":\"" ID_A "\",\"type\":\"data\",\"offset\":0,\"length\":4294967296}]") "]"),
    PACKS ("[" PACK ("[{\"id\":\"" ID_A "\",\"type\":\"data\",\"offset\":4294967290,\"length\":50}]") "]"),
    PACKS ("[" PACK ("[{\"id\":\"" ID_A "\",\"type\":\"data\",\"offset\":-1,\"length\":50}]") "]"),
    PACKS ("[" PACK ("[{\"id\":\"" ID_A "\",\"type\":\"data\",\"offset\":0,\"length\":50,\"uncompressed_length\":4294967295}]") "]"),
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (VkIndex) index = vk_index_new ();

      if (reads_index (texts[i], index))
        g_error ("accepted: %s", texts[i]);
      g_assert_cmpuint (vk_index_count (index), ==, 0);
    }
}

/* Many blobs: all are found, and the memory is what was promised. */
static void
test_index_size (void)
{
  enum { PACKS_OF_30 = 5000 };
  g_autoptr (VkIndex) index = vk_index_new ();

  for (guint i = 0; i < PACKS_OF_30; i++)
    {
      VkResticId pack = numbered_id (1000000 + i);
      VkPackBlob blobs[30] = { 0 };

      for (guint j = 0; j < G_N_ELEMENTS (blobs); j++)
        {
          blobs[j].id = numbered_id (i * 30 + j);
          blobs[j].offset = j * 1000;
          blobs[j].length = 1000;
        }
      vk_index_add_pack (index, &pack, blobs, G_N_ELEMENTS (blobs));
    }
  g_assert_cmpuint (vk_index_count (index), ==, PACKS_OF_30 * 30);
  for (guint i = 0; i < PACKS_OF_30 * 30; i++)
    {
      VkResticId id = numbered_id (i), pack = numbered_id (1000000 + i / 30);
      VkBlobLocation location;

      g_assert_true (vk_index_lookup (index, VK_BLOB_DATA, &id, &location));
      g_assert_true (vk_restic_id_equal (&location.pack, &pack));
      g_assert_cmpuint (location.offset, ==, i % 30 * 1000);
    }
  g_test_message ("%" G_GSIZE_FORMAT " bytes for %" G_GUINT64_FORMAT " blobs", vk_index_memory (index), vk_index_count (index));
  g_assert_cmpuint (vk_index_memory (index), <=, 60 * vk_index_count (index) + (1 << 20));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/restic/format/ids", test_ids);
  g_test_add_func ("/restic/format/JSON/what is valid is read", test_json_valid);
  g_test_add_func ("/restic/format/JSON/what is malformed is not", test_json_malformed);
  g_test_add_func ("/restic/format/JSON/numbers are whole and bounded", test_json_numbers);
  g_test_add_func ("/restic/format/JSON/it may come byte by byte", test_json_pieces);
  g_test_add_func ("/restic/format/zstd/exactly as long as announced", test_zstd);
  g_test_add_func ("/restic/format/zstd/bounded", test_zstd_bomb);
  g_test_add_func ("/restic/format/zstd/as a stream", test_zstd_stream);
  g_test_add_func ("/restic/format/encodings", test_unpacked_encodings);
  g_test_add_func ("/restic/format/pack/its header lists what was added", test_pack_round_trip);
  g_test_add_func ("/restic/format/pack/bytes", test_pack_bytes);
  g_test_add_func ("/restic/format/pack/hostile headers are refused", test_pack_hostile_header);
  g_test_add_func ("/restic/format/pack/never larger than its size", test_pack_size);
  g_test_add_func ("/restic/format/pack/another one in the same memory", test_pack_again);
  g_test_add_func ("/restic/format/index/read", test_index_file);
  g_test_add_func ("/restic/format/index/numbers", test_index_numbers);
  g_test_add_func ("/restic/format/index/duplicates", test_index_duplicates);
  g_test_add_func ("/restic/format/index/hostile files are refused", test_index_hostile);
  g_test_add_func ("/restic/format/index/every blob is found in little memory", test_index_size);
  return g_test_run ();
}
