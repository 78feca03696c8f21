/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files, digests, JSON of strangers, errors, numbers for people. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file-digest.h"
#include "base/files.h"
#include "base/json.h"
#include "base/run-dir.h"
#include "base/write-direct.h"
#include "report/format.h"

typedef struct
{
  char *dir;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->dir = g_dir_make_tmp ("virt-keep-test-XXXXXX", NULL);
  g_assert_nonnull (fixture->dir);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_true (vk_tree_remove (fixture->dir, NULL));
  g_assert_false (g_file_test (fixture->dir, G_FILE_TEST_EXISTS));
  g_free (fixture->dir);
}

static char *
path_in (Fixture *fixture, const char *name)
{
  return g_build_filename (fixture->dir, name, NULL);
}

static void
test_digest (void)
{
  /* FIPS 180-4, the two short examples of its appendix. */
  static const struct
  {
    const char *text, *digest;
  } examples[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (examples); i++)
    {
      g_autoptr (VkDigest) digest = vk_digest_new ();
      g_autofree char *hex = NULL;

      vk_digest_update (digest, examples[i].text, strlen (examples[i].text));
      hex = vk_digest_finish (digest);
      g_assert_cmpstr (hex, ==, examples[i].digest);
    }
}

static void
test_write_refuses_existing (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = path_in (fixture, "file");
  g_autofree char *content = NULL;
  g_autoptr (GError) error = NULL;
  GStatBuf status;
  gsize length;

  g_assert_true (vk_file_write (path, "one", 3, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (path, &status), ==, 0);
  g_assert_cmpint (status.st_mode & 0777, ==, 0600);
  g_assert_false (vk_file_write (path, "two", 3, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  content = vk_file_read (path, 3, &length, NULL);
  g_assert_cmpstr (content, ==, "one");
  g_assert_cmpuint (length, ==, 3);
}

static void
test_read_limits (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = path_in (fixture, "file");
  g_autofree char *link = path_in (fixture, "link");
  g_autofree char *missing = path_in (fixture, "missing");
  g_autofree char *fifo = path_in (fixture, "fifo");
  g_autoptr (GError) error = NULL;

  g_assert_true (vk_file_write (path, "12345", 5, NULL));
  g_assert_null (vk_file_read (path, 4, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_clear_error (&error);
  g_assert_cmpint (symlink (path, link), ==, 0);
  g_assert_null (vk_file_read (link, 100, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_clear_error (&error);
  g_assert_null (vk_file_read (missing, 100, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_null (vk_file_read (fifo, 100, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
}

/* Lengths around the blocks that are read ahead; the same as GLib's digest of it. */
static void
test_file_sha256 (Fixture *fixture, gconstpointer data)
{
  static const gsize lengths[] = { 0, 1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 3 << 20, (5 << 20) + 7 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree char *path = path_in (fixture, "file");
  g_autofree guint8 *content = g_malloc (6 << 20);

  for (gsize i = 0; i < 6 << 20; i++)
    content[i] = (guint8) (i * 31 + (i >> 13));
  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      g_autofree char *expected = g_compute_checksum_for_data (G_CHECKSUM_SHA256, content, lengths[i]);
      g_autofree char *digest = NULL;
      g_autoptr (GError) error = NULL;
      guint64 length = 99;

      g_assert_true (g_file_set_contents (path, (const char *) content, (gssize) lengths[i], NULL));
      digest = vk_file_sha256 (path, &length, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (digest, ==, expected);
      g_assert_cmpuint (length, ==, lengths[i]);
    }
  g_cancellable_cancel (cancellable);
  {
    g_autoptr (GError) error = NULL;

    g_assert_null (vk_file_sha256 (path, NULL, cancellable, &error));
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  }
  {
    g_autoptr (GError) error = NULL;

    g_assert_null (vk_file_sha256 (fixture->dir, NULL, NULL, &error));
    g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  }
}

/* A new file, from position on. */
static void
expect_written (const char *path, const char *content, gsize length, gsize position)
{
  int fd = g_open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  g_autofree char *found = NULL;
  gsize size;

  g_assert_cmpint (lseek (fd, (off_t) position, SEEK_SET), ==, (off_t) position);
  g_assert_true (vk_write_direct (fd, content, length));
  g_assert_true (vk_write_direct (fd, "end", 3));
  close (fd);
  g_assert_true (g_file_get_contents (path, &found, &size, NULL));
  g_assert_cmpuint (size, ==, position + length + 3);
  g_assert_cmpint (memcmp (found + position, content, length), ==, 0);
  g_assert_cmpstr (found + position + length, ==, "end");
}

/* Also behind a position that no direct write may begin at, and out of memory that has to
 * be copied first. */
static void
test_write_direct (Fixture *fixture, gconstpointer data)
{
  static const gsize lengths[] = { 0, 5, (1 << 20) - 1, 1 << 20, (9 << 20) + 4097 };
  static const gsize positions[] = { 0, 4096, 3 };
  g_autofree char *path = path_in (fixture, "file");
  char *content = vk_write_direct_memory (10 << 20);
  int full = g_open ("/dev/full", O_WRONLY | O_CLOEXEC, 0);

  for (gsize i = 0; i < 10 << 20; i++)
    content[i] = (char) (i * 7 + (i >> 12));
  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (positions); j++)
      {
        expect_written (path, content, lengths[i], positions[j]);
        expect_written (path, content + 1, lengths[i], positions[j]);
      }
  g_assert_false (vk_write_direct (full, content, 2 << 20));
  g_assert_cmpint (errno, ==, ENOSPC);
  close (full);
  free (content);
}

static void
test_copy_keeps_holes (Fixture *fixture, gconstpointer data)
{
  enum { SIZE = 8 << 20 };
  g_autofree char *from = path_in (fixture, "from");
  g_autofree char *to = path_in (fixture, "to");
  g_autofree char *from_digest = NULL;
  g_autofree char *to_digest = NULL;
  g_autoptr (GError) error = NULL;
  GStatBuf status;
  guint64 length;
  int fd = g_open (from, O_WRONLY | O_CREAT, 0644);

  g_assert_cmpint (pwrite (fd, "middle", 6, SIZE / 2), ==, 6);
  g_assert_cmpint (ftruncate (fd, SIZE), ==, 0);
  close (fd);
  g_assert_true (vk_file_copy (from, to, &error));
  g_assert_no_error (error);
  from_digest = vk_file_sha256 (from, &length, NULL, NULL);
  g_assert_cmpuint (length, ==, SIZE);
  to_digest = vk_file_sha256 (to, &length, NULL, NULL);
  g_assert_cmpuint (length, ==, SIZE);
  g_assert_cmpstr (from_digest, ==, to_digest);
  g_assert_cmpint (g_stat (to, &status), ==, 0);
  g_assert_cmpint (status.st_blocks * 512, <, SIZE / 2);
  g_assert_false (vk_file_copy (from, to, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
}

static void
test_rename_refuses_existing (Fixture *fixture, gconstpointer data)
{
  g_autofree char *from = path_in (fixture, "from");
  g_autofree char *to = path_in (fixture, "to");
  g_autofree char *content = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (vk_file_write (from, "new", 3, NULL));
  g_assert_true (vk_file_write (to, "old", 3, NULL));
  g_assert_false (vk_file_rename (from, to, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  content = vk_file_read (to, 100, NULL, NULL);
  g_assert_cmpstr (content, ==, "old");
  g_assert_cmpint (g_unlink (to), ==, 0);
  g_assert_true (vk_file_rename (from, to, NULL));
  g_assert_false (g_file_test (from, G_FILE_TEST_EXISTS));
}

static void
test_tree_remove_stays_inside (Fixture *fixture, gconstpointer data)
{
  g_autofree char *outside = path_in (fixture, "outside");
  g_autofree char *kept = g_build_filename (outside, "kept", NULL);
  g_autofree char *tree = path_in (fixture, "tree");
  g_autofree char *deep = g_build_filename (tree, "a", "b", NULL);
  g_autofree char *link = g_build_filename (deep, "link", NULL);

  g_assert_true (vk_directory_make (outside, 0700, NULL));
  g_assert_true (vk_file_write (kept, "", 0, NULL));
  g_assert_true (vk_directory_make (deep, 0700, NULL));
  g_assert_cmpint (symlink (outside, link), ==, 0);
  g_assert_true (vk_tree_remove (tree, NULL));
  g_assert_false (g_file_test (tree, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (kept, G_FILE_TEST_EXISTS));
  g_assert_true (vk_tree_remove (tree, NULL));
}

/* Regular files are counted, and links not followed. */
static void
test_tree_size (Fixture *fixture, gconstpointer data)
{
  g_autofree char *tree = g_build_filename (fixture->dir, "tree", NULL);
  g_autofree char *below = g_build_filename (tree, "below", NULL);
  g_autofree char *one = g_build_filename (tree, "one", NULL);
  g_autofree char *other = g_build_filename (below, "other", NULL);
  g_autofree char *link = g_build_filename (below, "link", NULL);

  g_assert_cmpuint (vk_tree_size (tree), ==, 0);
  g_assert_cmpint (g_mkdir_with_parents (below, 0700), ==, 0);
  g_assert_true (g_file_set_contents (one, "12345", -1, NULL));
  g_assert_true (g_file_set_contents (other, "678", -1, NULL));
  g_assert_cmpint (symlink (tree, link), ==, 0);
  g_assert_cmpuint (vk_tree_size (tree), ==, 8);
  g_assert_cmpuint (vk_tree_size (one), ==, 5);
}

static void
test_json_refuses (gconstpointer text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = vk_json_parse (text, "name.json", &error);

  g_assert_null (object);
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_true (g_str_has_prefix (error->message, "name.json: "));
}

static void
test_json_depth (void)
{
  g_autofree char *brackets = g_strnfill (1000000, '[');
  g_autofree char *text = g_strdup_printf ("{\"a\":%s", brackets);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) quoted = NULL;

  g_assert_null (vk_json_parse (text, "deep", &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_nonnull (strstr (error->message, "levels deep"));
  /* Brackets in a string are no nesting. */
  g_free (text);
  text = g_strdup_printf ("{\"a\":\"\\\"%s\"}", brackets);
  quoted = vk_json_parse (text, "flat", NULL);
  g_assert_nonnull (quoted);
}

static void
test_json_members (void)
{
  g_autoptr (JsonObject) object = vk_json_parse ("{\"s\":\"text\",\"n\":42,\"m\":-1,\"f\":1.5,\"z\":null,\"a\":[],\"o\":{}}", "members", NULL);
  g_autofree char *text = NULL;
  g_autofree char *fallback = NULL;
  guint64 number;
  JsonArray *array;
  JsonObject *inner;

  g_assert_true (vk_json_get_string (object, "s", NULL, &text, NULL));
  g_assert_cmpstr (text, ==, "text");
  g_assert_true (vk_json_get_string (object, "z", "none", &fallback, NULL));
  g_assert_cmpstr (fallback, ==, "none");
  g_assert_false (vk_json_get_string (object, "n", NULL, &text, NULL));
  g_assert_true (vk_json_get_uint64 (object, "n", 0, &number, NULL));
  g_assert_cmpuint (number, ==, 42);
  g_assert_true (vk_json_get_uint64 (object, "missing", 7, &number, NULL));
  g_assert_cmpuint (number, ==, 7);
  g_assert_false (vk_json_get_uint64 (object, "m", 0, &number, NULL));
  g_assert_false (vk_json_get_uint64 (object, "f", 0, &number, NULL));
  g_assert_false (vk_json_get_uint64 (object, "s", 0, &number, NULL));
  g_assert_true (vk_json_get_array (object, "a", &array, NULL));
  g_assert_nonnull (array);
  g_assert_false (vk_json_get_array (object, "o", &array, NULL));
  g_assert_true (vk_json_get_object (object, "z", &inner, NULL));
  g_assert_null (inner);
  g_assert_false (vk_json_get_object (object, "a", &inner, NULL));
}

static void
test_exit_codes (void)
{
  static const struct
  {
    int code, exit_code;
    const char *name;
  } classes[] = {
    { VK_ERROR_FAILED, 1, "failed" },
    { VK_ERROR_USAGE, 2, "usage" },
    { VK_ERROR_NOT_FOUND, 3, "not-found" },
    { VK_ERROR_BUSY, 4, "busy" },
    { VK_ERROR_REFUSED, 5, "refused" },
    { VK_ERROR_GUEST, 6, "guest" },
    { VK_ERROR_ABORTED, 7, "aborted" },
    { VK_ERROR_CONNECTION, 8, "connection" },
    { VK_ERROR_STORE, 9, "store" },
    { VK_ERROR_NOT_CLOSED, 10, "not-closed" },
    { VK_ERROR_UNCHANGED, 11, "unchanged" },
    { VK_ERROR_DAMAGED, 12, "damaged" },
    { VK_ERROR_INTERRUPTED, 130, "interrupted" },
    { VK_ERROR_TERMINATED, 143, "terminated" },
    { VK_ERROR_HUNG_UP, 129, "hung-up" },
  };
  g_autoptr (GError) libvirt = g_error_new (VK_LIBVIRT_ERROR, VIR_ERR_NO_DOMAIN, "x");
  g_autoptr (GError) option = g_error_new (G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION, "x");
  g_autoptr (GError) foreign = g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED, "x");

  g_assert_cmpint (vk_error_exit_code (NULL), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (classes); i++)
    {
      g_autoptr (GError) error = g_error_new (VK_ERROR, classes[i].code, "x");

      g_assert_cmpint (vk_error_exit_code (error), ==, classes[i].exit_code);
      g_assert_cmpstr (vk_error_class_name (error), ==, classes[i].name);
    }
  g_assert_cmpint (vk_error_exit_code (libvirt), ==, 3);
  g_assert_cmpint (vk_error_exit_code (option), ==, 2);
  g_assert_cmpint (vk_error_exit_code (foreign), ==, 1);
}

static void
test_format (void)
{
  static const struct
  {
    guint64 bytes;
    const char *text;
  } sizes[] = {
    { 0, "0 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" }, { 1536, "1.5 KiB" }, { 102400, "100 KiB" },
    { 1048575, "1.0 MiB" }, { G_GUINT64_CONSTANT (1) << 40, "1.0 TiB" }, { G_MAXUINT64, "16.0 EiB" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *text = vk_format_bytes (sizes[i].bytes);

      g_assert_cmpstr (text, ==, sizes[i].text);
    }
  for (guint i = 0; i < 3; i++)
    {
      static const guint64 seconds[] = { 7, 187, 3723 };
      static const char *const texts[] = { "0:07", "3:07", "1:02:03" };
      g_autofree char *text = vk_format_seconds (seconds[i]);

      g_assert_cmpstr (text, ==, texts[i]);
    }
}

/* A file with a NUL is no text, and a terminal gets nothing but text. */
static void
test_harmless (void)
{
  static const struct
  {
    const char *text, *line;
  } examples[] = {
    { "caf\xc3\xa9\t\xff", "caf\xc3\xa9\t\xff" },
    { "\033[2J\a\r", "\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd" },
    { "a\nb", "a\xef\xbf\xbd" "b" },
    { "\xc2\x9b" "2J\x9b\x7f", "\xef\xbf\xbd" "2J\xef\xbf\xbd\xef\xbf\xbd" },
    { "\xe2\x80\xae" "gpj", "\xef\xbf\xbd" "gpj" },
  };
  g_autofree char *lines = vk_format_harmless ("a\nb\033", TRUE);

  g_assert_cmpstr (lines, ==, "a\nb\xef\xbf\xbd");
  for (gsize i = 0; i < G_N_ELEMENTS (examples); i++)
    {
      g_autofree char *line = vk_format_harmless (examples[i].text, FALSE);

      g_assert_cmpstr (line, ==, examples[i].line);
    }
}

/* Those of killed runs are found, and those of runs that live are not. */
static void
test_run_dir_left (Fixture *fixture, gconstpointer data)
{
  g_autofree char *left = path_in (fixture, "run-left");
  g_autofree char *file = g_build_filename (left, "image", NULL);
  g_autofree char *foreign = path_in (fixture, "virt-keep-other");
  g_autoptr (VkRunDir) running = vk_run_dir_new (fixture->dir, "run-", 0711, NULL, NULL);
  g_autoptr (GPtrArray) found = NULL;
  g_autoptr (GPtrArray) none = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir (left, 0700), ==, 0);
  g_assert_cmpint (g_mkdir (foreign, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, "data", -1, NULL));
  found = vk_run_dir_find_left (fixture->dir, "run-");
  g_assert_cmpuint (found->len, ==, 1);
  g_assert_cmpstr (g_ptr_array_index (found, 0), ==, left);
  g_assert_false (vk_run_dir_remove_left (running->path, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_BUSY);
  g_clear_error (&error);
  g_assert_true (g_file_test (running->path, G_FILE_TEST_IS_DIR));
  g_assert_true (vk_run_dir_remove_left (left, &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (left, G_FILE_TEST_EXISTS));
  none = vk_run_dir_find_left (fixture->dir, "run-");
  g_assert_cmpuint (none->len, ==, 0);
}

/* Those of killed runs go when the next one begins; those of others that run stay. */
static void
test_run_dir (Fixture *fixture, gconstpointer data)
{
  g_autofree char *left = path_in (fixture, "run-left");
  g_autofree char *foreign = path_in (fixture, "virt-keep-other");
  g_autofree char *link = path_in (fixture, "run-link");
  g_autofree char *path = NULL;
  g_autoptr (VkRunDir) running = vk_run_dir_new (fixture->dir, "run-", 0711, NULL, NULL);
  VkRunDir *next;
  GStatBuf status;

  g_assert_cmpint (g_mkdir (left, 0700), ==, 0);
  g_assert_cmpint (g_mkdir (foreign, 0700), ==, 0);
  g_assert_cmpint (symlink (foreign, link), ==, 0);
  next = vk_run_dir_new (fixture->dir, "run-", 0711, NULL, NULL);
  path = g_strdup (next->path);
  g_assert_false (g_file_test (left, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (foreign, G_FILE_TEST_IS_DIR));
  g_assert_true (g_file_test (running->path, G_FILE_TEST_IS_DIR));
  g_assert_true (g_file_test (path, G_FILE_TEST_IS_DIR));
  g_assert_cmpint (g_lstat (path, &status), ==, 0);
  g_assert_cmphex (status.st_mode & 07777, ==, 0711);
  vk_run_dir_free (next);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

#define ADD_WITH_DIRECTORY(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/digest/known-answers", test_digest);
  ADD_WITH_DIRECTORY ("/files/write-refuses-existing", test_write_refuses_existing);
  ADD_WITH_DIRECTORY ("/files/read-limits", test_read_limits);
  ADD_WITH_DIRECTORY ("/files/sha256", test_file_sha256);
  ADD_WITH_DIRECTORY ("/files/write-direct", test_write_direct);
  ADD_WITH_DIRECTORY ("/files/copy-keeps-holes", test_copy_keeps_holes);
  ADD_WITH_DIRECTORY ("/files/rename-refuses-existing", test_rename_refuses_existing);
  ADD_WITH_DIRECTORY ("/files/tree-remove-stays-inside", test_tree_remove_stays_inside);
  ADD_WITH_DIRECTORY ("/files/tree-size", test_tree_size);
  ADD_WITH_DIRECTORY ("/files/run-dir", test_run_dir);
  ADD_WITH_DIRECTORY ("/files/run-dir-left", test_run_dir_left);
  g_test_add_data_func ("/json/refuses/empty", "", test_json_refuses);
  g_test_add_data_func ("/json/refuses/array", "[]", test_json_refuses);
  g_test_add_data_func ("/json/refuses/number", "1", test_json_refuses);
  g_test_add_data_func ("/json/refuses/cut", "{\"a\":", test_json_refuses);
  g_test_add_data_func ("/json/refuses/twice", "{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", test_json_refuses);
  g_test_add_data_func ("/json/refuses/latin1", "{\"a\":\"\xe9\"}", test_json_refuses);
  g_test_add_func ("/json/depth", test_json_depth);
  g_test_add_func ("/json/members", test_json_members);
  g_test_add_func ("/error/exit-codes", test_exit_codes);
  g_test_add_func ("/format", test_format);
  g_test_add_func ("/format/harmless", test_harmless);
  return g_test_run ();
}
