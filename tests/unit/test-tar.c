/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claim: of a tar archive that anybody has written only plain files are taken, under the names and with the
 * sizes that stand there, and nothing of one that is not whole passes for one that is. */
#include "config.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "nbd-fixture.h"
#include "stream/tar-reader.h"

enum { RECORD = 512, SIZE_AT = 124, SUM_AT = 148, SUM_BYTES = 8, TYPE_AT = 156, MAGIC_AT = 257 };

#define CONTENT "what is in it\n"

static const VkStreamListener nobody = { NULL, NULL };

/* --- archives ------------------------------------------------------------------ */

/* A header as POSIX has it (pax, "ustar Interchange Format"). */
static void
add_header (GByteArray *tar, const char *name, char type, const void *size, gsize size_length)
{
  guint8 header[RECORD] = { 0 };
  char sum[SUM_BYTES];
  guint total = 0;

  memcpy (header, name, MIN (strlen (name), 100));
  memcpy (header + 100, "0000600\0000000000\0000000000", 24);
  memcpy (header + SIZE_AT, size, size_length);
  memcpy (header + 136, "00000000000", 12);
  memset (header + SUM_AT, ' ', SUM_BYTES);
  header[TYPE_AT] = (guint8) type;
  memcpy (header + MAGIC_AT, "ustar\00000", 8);
  if (type == '1' || type == '2')
    memcpy (header + 157, "/etc/passwd", 12);
  /* GNU's sparse files: a map, and the size with the holes. */
  if (type == 'S')
    {
      memcpy (header + MAGIC_AT, "ustar  ", 8);
      memcpy (header + 386, "00000001000\00000000000000", 24);
      memcpy (header + 483, "00000001000", 12);
    }
  for (gsize i = 0; i < RECORD; i++)
    total += header[i];
  g_snprintf (sum, sizeof sum, "%06o", total);
  memcpy (header + SUM_AT, sum, SUM_BYTES - 1);
  g_byte_array_append (tar, header, RECORD);
}

static void
add_zeros (GByteArray *tar, gsize length)
{
  gsize before = tar->len;

  g_byte_array_set_size (tar, (guint) (before + length));
  memset (tar->data + before, 0, length);
}

static void
add_member (GByteArray *tar, const char *name, char type, const char *content)
{
  gsize length = strlen (content);
  g_autofree char *size = g_strdup_printf ("%011" G_GSIZE_MODIFIER "o", length);

  add_header (tar, name, type, size, 12);
  g_byte_array_append (tar, (const guint8 *) content, (guint) length);
  add_zeros (tar, (RECORD - length % RECORD) % RECORD);
}

/* Two members, and the end. */
static GByteArray *
make_archive (void)
{
  GByteArray *tar = g_byte_array_new ();

  add_member (tar, "first", '0', CONTENT);
  add_member (tar, "second", '0', "2\n");
  add_zeros (tar, 2 * RECORD);
  return tar;
}

static VkTarReader *
open_reader (const GByteArray *tar, gsize length, GInputStream **input)
{
  *input = g_memory_input_stream_new_from_data (tar->data, (gssize) length, NULL);
  return vk_tar_reader_new (*input, "the archive", &nobody, NULL);
}

/* Reads all of it.  Returns: (transfer full) "name=text;" of each member, or NULL with *error. */
static char *
read_all (const GByteArray *tar, gsize length, guint64 *bytes, GError **error)
{
  g_autoptr (GInputStream) input = NULL;
  g_autoptr (VkTarReader) reader = open_reader (tar, length, &input);
  g_autoptr (GString) found = g_string_new (NULL);
  const char *member;
  guint64 size;

  for (;;)
    {
      g_autofree char *text = NULL;

      if (!vk_tar_reader_next (reader, &member, &size, error))
        return NULL;
      if (member == NULL)
        break;
      g_string_append_printf (found, "%s=", member);
      text = vk_tar_reader_text (reader, 4096, error);
      if (text == NULL)
        return NULL;
      g_assert_cmpuint (strlen (text), ==, size);
      g_string_append_printf (found, "%s;", text);
    }
  return vk_tar_reader_finish (reader, bytes, error) ? g_strdup (found->str) : NULL;
}

static void
assert_refused (const GByteArray *tar, gsize length, const char *why)
{
  g_autoptr (GError) error = NULL;
  guint64 bytes = 0;
  g_autofree char *found = read_all (tar, length, &bytes, &error);

  if (found != NULL)
    g_error ("taken: '%s', of %" G_GSIZE_FORMAT " bytes", found, length);
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_nonnull (strstr (error->message, "the archive"));
  if (why != NULL && strstr (error->message, why) == NULL)
    g_error ("'%s' is not in: %s", why, error->message);
}

/* --- what is taken ---------------------------------------------------------------- */

static void
test_members (void)
{
  g_autoptr (GByteArray) tar = make_archive ();
  g_autoptr (GError) error = NULL;
  guint64 bytes = 0;
  g_autofree char *found = read_all (tar, tar->len, &bytes, &error);
  g_autofree char *again = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (found, ==, "first=" CONTENT ";second=2\n;");
  g_assert_cmpuint (bytes, ==, tar->len);
  /* tar(1) fills up the last block with more of the zeros. */
  add_zeros (tar, 200000);
  again = read_all (tar, tar->len, &bytes, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (again, ==, found);
  g_assert_cmpuint (bytes, ==, tar->len);
}

/* What the writer has written. */
static void
test_round_trip (void)
{
  g_autoptr (GOutputStream) output = g_memory_output_stream_new_resizable ();
  g_autoptr (GError) error = NULL;
  g_autoptr (VkTarWriter) writer = vk_tar_writer_new (output, 0, &nobody, NULL, &error);
  g_autoptr (GByteArray) tar = g_byte_array_new ();
  g_autofree char *found = NULL;
  guint64 bytes, written;

  g_assert_no_error (error);
  g_assert_true (vk_tar_writer_add_bytes (writer, "manifest.json", "{}", 2, &error));
  g_assert_true (vk_tar_writer_add_bytes (writer, "vda.qcow2", CONTENT, strlen (CONTENT), &error));
  g_assert_true (vk_tar_writer_finish (writer, &written, &error));
  g_byte_array_append (tar, g_memory_output_stream_get_data (G_MEMORY_OUTPUT_STREAM (output)), (guint) g_memory_output_stream_get_data_size (G_MEMORY_OUTPUT_STREAM (output)));
  g_assert_cmpuint (tar->len, ==, written);
  found = read_all (tar, tar->len, &bytes, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (found, ==, "manifest.json={};vda.qcow2=" CONTENT ";");
  g_assert_cmpuint (bytes, ==, written);
}

/* A member that nobody has read is passed over. */
static void
test_save (void)
{
  g_autoptr (GByteArray) tar = make_archive ();
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *path = g_build_filename (dir, "saved", NULL);
  g_autofree char *sha256 = g_compute_checksum_for_string (G_CHECKSUM_SHA256, CONTENT, -1);
  g_autofree char *saved = NULL;
  const char *member;
  guint64 size;

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GInputStream) input = NULL;
      g_autoptr (VkTarReader) reader = open_reader (tar, tar->len, &input);
      g_autoptr (GError) error = NULL;

      g_assert_true (vk_tar_reader_next (reader, &member, &size, NULL));
      g_assert_cmpstr (member, ==, "first");
      switch (i)
        {
        case 0:
          g_assert_true (vk_tar_reader_save (reader, path, sha256, &error));
          g_assert_true (g_file_get_contents (path, &saved, NULL, NULL));
          g_assert_cmpstr (saved, ==, CONTENT);
          break;
        case 1:
          /* What is there is not overwritten. */
          g_assert_false (vk_tar_reader_save (reader, path, sha256, &error));
          g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
          g_assert_cmpint (g_remove (path), ==, 0);
          break;
        default:
          sha256[0] ^= 1;
          g_assert_false (vk_tar_reader_save (reader, path, sha256, &error));
          g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
          g_assert_nonnull (strstr (error->message, "'first' is damaged"));
        }
      g_assert_true (vk_tar_reader_next (reader, &member, &size, NULL));
      g_assert_cmpstr (member, ==, "second");
    }
}

/* --- what is not -------------------------------------------------------------------- */

static void
test_truncated (void)
{
  g_autoptr (GByteArray) tar = make_archive ();

  for (gsize length = 0; length < tar->len; length++)
    assert_refused (tar, length, NULL);
}

/* Whatever bit changes: it is refused, or it changes nothing that counts. */
static void
test_changed (void)
{
  g_autoptr (GByteArray) tar = make_archive ();

  for (gsize bit = 0; bit < (gsize) tar->len * 8; bit++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *found = NULL;
      guint64 bytes;
      gboolean is_content = bit / 8 / RECORD == 1 || bit / 8 / RECORD == 3;

      tar->data[bit / 8] ^= (guint8) (1 << bit % 8);
      found = read_all (tar, tar->len, &bytes, &error);
      if (found == NULL)
        g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
      else if (!is_content)
        g_assert_cmpstr (found, ==, "first=" CONTENT ";second=2\n;");
      tar->data[bit / 8] ^= (guint8) (1 << bit % 8);
    }
}

static void
test_kinds (void)
{
  static const struct
  {
    const char *name;
    char type;
    const char *why;
  } kinds[] = {
    { "a", '1', "is a link" },
    { "a", '2', "is a link" },
    { "a", '3', "no regular file" },
    { "a", '4', "no regular file" },
    { "a", '5', "no regular file" },
    { "a", '6', "no regular file" },
    { "a", 'S', "no plain size" },
    { "a/b", '0', "no plain name" },
    { "/a", '0', "no plain name" },
    { "../a", '0', "no plain name" },
    { ".", '0', "no plain name" },
    { "..", '0', "no plain name" },
    { ".a", '0', "no plain name" },
    { "a/", '0', NULL }, /* which old tars call a directory */
    { "", '0', NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr (GByteArray) tar = g_byte_array_new ();

      add_member (tar, kinds[i].name, kinds[i].type, "");
      add_zeros (tar, 2 * RECORD);
      assert_refused (tar, tar->len, kinds[i].why);
    }
}

/* Names of more than a header has room for come in members of their own. */
static void
test_long_names (void)
{
  static const struct
  {
    char type;
    const char *content;
  } names[] = {
    { 'x', "17 path=../../a\n\n" }, /* pax */
    { 'x', "17 path=/etc/abc\n" },
    { 'L', "/etc/abc" }, /* GNU */
    { 'L', "a/../../abc" },
    { 'x', "20 GNU.sparse.map=0\n" },
    { 'x', "29 linkpath=/etc/virt-keep-a\n" },
    { 'x', "9999999999999999 path=a\n" },
    { 'x', "no record" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GByteArray) tar = g_byte_array_new ();
      g_autoptr (GError) error = NULL;
      g_autofree char *found = NULL;
      guint64 bytes;

      add_member (tar, "long", names[i].type, names[i].content);
      add_member (tar, "a", '0', CONTENT);
      add_zeros (tar, 2 * RECORD);
      found = read_all (tar, tar->len, &bytes, &error);
      /* What libarchive does not follow leaves the plain name. */
      if (found != NULL)
        g_assert_cmpstr (found, ==, "a=" CONTENT ";");
      else
        g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
    }
}

static void
test_sizes (void)
{
  static const struct
  {
    char bytes[13];
    gboolean good;
  } sizes[] = {
    { "00000000000\0", TRUE },
    { "77777777777\0", FALSE },
    { "-0000000001\0", FALSE },
    { "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", FALSE }, /* binary, as GNU has it: the most */
    { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", FALSE }, /* -1 */
    { "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", FALSE }, /* too much for 64 bits */
  };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GByteArray) tar = g_byte_array_new ();
      g_autoptr (GError) error = NULL;
      g_autofree char *found = NULL;
      guint64 bytes;

      add_header (tar, "a", '0', sizes[i].bytes, 12);
      add_zeros (tar, 2 * RECORD);
      found = read_all (tar, tar->len, &bytes, &error);
      g_assert_cmpstr (found, ==, sizes[i].good ? "a=;" : NULL);
      if (!sizes[i].good)
        g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
    }
}

static void
test_text (void)
{
  g_autoptr (GByteArray) tar = g_byte_array_new ();
  g_autofree char *longer = g_strnfill (4097, 'a');

  add_member (tar, "a", '0', longer);
  add_zeros (tar, 2 * RECORD);
  assert_refused (tar, tar->len, "too long");
  g_byte_array_set_size (tar, 0);
  add_member (tar, "a", '0', CONTENT);
  add_zeros (tar, 2 * RECORD);
  tar->data[RECORD + 3] = 0;
  assert_refused (tar, tar->len, "other bytes");
}

static void
test_behind (void)
{
  g_autoptr (GByteArray) tar = make_archive ();
  g_autoptr (GByteArray) other = make_archive ();

  add_zeros (tar, 3 * RECORD);
  tar->data[tar->len - 1] = 1;
  assert_refused (tar, tar->len, "behind its end");
  g_byte_array_append (other, tar->data, tar->len);
  assert_refused (other, other->len, "behind its end");
}

/* Nothing comes out of a pipe into which nobody writes. */
static void
test_cancelled (void)
{
  int ends[2];
  gboolean made = g_unix_open_pipe (ends, FD_CLOEXEC, NULL);
  g_autoptr (GInputStream) input = g_unix_input_stream_new (ends[0], TRUE);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (VkTarReader) reader = vk_tar_reader_new (input, "the archive", &nobody, cancellable);
  g_autoptr (GError) error = NULL;
  const char *member;
  guint64 size;

  g_assert_true (made);
  g_cancellable_cancel (cancellable);
  g_assert_false (vk_tar_reader_next (reader, &member, &size, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  close (ends[1]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tar/members", test_members);
  g_test_add_func ("/tar/round-trip", test_round_trip);
  g_test_add_func ("/tar/save", test_save);
  g_test_add_func ("/tar/truncated", test_truncated);
  g_test_add_func ("/tar/changed", test_changed);
  g_test_add_func ("/tar/kinds", test_kinds);
  g_test_add_func ("/tar/long-names", test_long_names);
  g_test_add_func ("/tar/sizes", test_sizes);
  g_test_add_func ("/tar/text", test_text);
  g_test_add_func ("/tar/behind", test_behind);
  g_test_add_func ("/tar/cancelled", test_cancelled);
  return g_test_run ();
}
