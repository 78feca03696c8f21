/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a repository lies: URLs, and the backend for a directory. */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "store/restic/backend.h"

#define NAME "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

typedef struct
{
  char *dir;
  VkBackend *backend;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;

  fixture->dir = g_dir_make_tmp ("virt-keep-test-XXXXXX", NULL);
  path = g_build_filename (fixture->dir, "a", "repo", NULL);
  fixture->backend = vk_backend_open (path, NULL);
  g_assert_true (vk_backend_create (fixture->backend, NULL, NULL));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  vk_backend_free (fixture->backend);
  g_assert_true (vk_tree_remove (fixture->dir, NULL));
  g_free (fixture->dir);
}

static gboolean
save (Fixture *fixture, VkResticType type, const char *name, const char *text)
{
  g_autoptr (GBytes) content = g_bytes_new (text, strlen (text));

  return vk_backend_save (fixture->backend, type, name, content, NULL, NULL);
}

/* The text of the file from offset on, or "". */
static char *
load (Fixture *fixture, VkResticType type, const char *name, guint64 offset, gsize length, GError **error)
{
  g_autoptr (GBytes) content = vk_backend_load (fixture->backend, type, name, offset, length, NULL, error);

  return content ? g_strndup (g_bytes_get_data (content, NULL), g_bytes_get_size (content)) : g_strdup ("");
}

static void
test_urls (void)
{
  static const char *const bad[] = { "", "repo", "./repo", "sftp:host:/repo", "local:repo", "http://host/repo" };
  g_autoptr (VkBackend) plain = vk_backend_open ("/srv/repo/", NULL);
  g_autoptr (VkBackend) local = vk_backend_open ("local:/srv/repo", NULL);

  g_assert_cmpstr (plain->restic_url, ==, "/srv/repo");
  g_assert_cmpstr (local->restic_url, ==, "/srv/repo");
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (vk_backend_open (bad[i], &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
    }
}

static void
test_layout (Fixture *fixture, gconstpointer data)
{
  g_autofree char *pack = g_build_filename (fixture->backend->restic_url, "data", "aa", NAME, NULL);
  g_autofree char *key = g_build_filename (fixture->backend->restic_url, "keys", NAME, NULL);
  g_autofree char *config = g_build_filename (fixture->backend->restic_url, "config", NULL);
  struct stat status;

  g_assert_true (save (fixture, VK_RESTIC_DATA, NAME, "a pack"));
  g_assert_true (save (fixture, VK_RESTIC_KEY, NAME, "a key"));
  g_assert_true (save (fixture, VK_RESTIC_CONFIG, NULL, "a config"));
  g_assert_true (g_file_test (pack, G_FILE_TEST_IS_REGULAR) && g_file_test (key, G_FILE_TEST_IS_REGULAR));
  g_assert_cmpint (g_stat (config, &status), ==, 0);
  g_assert_cmphex (status.st_mode & 07777, ==, 0600);
  g_assert_cmpint (g_stat (fixture->backend->restic_url, &status), ==, 0);
  g_assert_cmphex (status.st_mode & 07777, ==, 0700);
}

static void
test_ranges (Fixture *fixture, gconstpointer data)
{
  g_autofree char *all = NULL, *rest = NULL, *middle = NULL, *beyond = NULL, *missing = NULL;
  g_autoptr (GError) cut_off = NULL;
  g_autoptr (GError) not_found = NULL;
  guint64 size;

  g_assert_true (save (fixture, VK_RESTIC_DATA, NAME, "0123456789"));
  all = load (fixture, VK_RESTIC_DATA, NAME, 0, 0, NULL);
  g_assert_cmpstr (all, ==, "0123456789");
  rest = load (fixture, VK_RESTIC_DATA, NAME, 7, 0, NULL);
  g_assert_cmpstr (rest, ==, "789");
  middle = load (fixture, VK_RESTIC_DATA, NAME, 2, 3, NULL);
  g_assert_cmpstr (middle, ==, "234");
  beyond = load (fixture, VK_RESTIC_DATA, NAME, 8, 3, &cut_off);
  g_assert_error (cut_off, VK_ERROR, VK_ERROR_STORE);
  missing = load (fixture, VK_RESTIC_DATA, OTHER, 0, 0, &not_found);
  g_assert_error (not_found, VK_ERROR, VK_ERROR_NOT_FOUND);
  g_assert_true (vk_backend_stat (fixture->backend, VK_RESTIC_DATA, NAME, &size, NULL, NULL));
  g_assert_cmpuint (size, ==, 10);
  g_clear_error (&not_found);
  g_assert_false (vk_backend_stat (fixture->backend, VK_RESTIC_CONFIG, NULL, &size, NULL, &not_found));
  g_assert_error (not_found, VK_ERROR, VK_ERROR_NOT_FOUND);
}

/* Positions have 64 bits, whatever a size_t has: of 4 GiB and 10 bytes, the last ten are found,
 * and all of them are refused rather than the first ten taken for all. */
static void
test_beyond_4_gib (Fixture *fixture, gconstpointer data)
{
  const guint64 four_gib = G_GUINT64_CONSTANT (1) << 32;
  g_autofree char *path = g_build_filename (fixture->backend->restic_url, "data", "aa", NAME, NULL);
  g_autofree char *end = NULL, *rest = NULL, *all = NULL;
  g_autoptr (GError) error = NULL;
  guint64 size;
  int fd;

  g_assert_true (save (fixture, VK_RESTIC_DATA, NAME, "a pack"));
  g_assert_cmpint (g_chmod (path, 0600), ==, 0);
  fd = g_open (path, O_WRONLY | O_CLOEXEC, 0);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (pwrite (fd, "0123456789", 10, (off_t) four_gib), ==, 10);
  g_assert_cmpint (close (fd), ==, 0);
  g_assert_true (vk_backend_stat (fixture->backend, VK_RESTIC_DATA, NAME, &size, NULL, NULL));
  g_assert_cmpuint (size, ==, four_gib + 10);
  end = load (fixture, VK_RESTIC_DATA, NAME, four_gib + 7, 3, NULL);
  g_assert_cmpstr (end, ==, "789");
  rest = load (fixture, VK_RESTIC_DATA, NAME, four_gib, 0, NULL);
  g_assert_cmpstr (rest, ==, "0123456789");
  all = load (fixture, VK_RESTIC_DATA, NAME, 0, 0, &error);
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
}

/* Again the same is a success; what is there and wrong is put right; only the
 * config stays what it is. */
static void
test_again (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) other = g_bytes_new ("another", 7);
  g_autofree char *text = NULL, *config = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (save (fixture, VK_RESTIC_DATA, NAME, "cut o"));
  g_assert_true (save (fixture, VK_RESTIC_DATA, NAME, "cut off"));
  g_assert_true (save (fixture, VK_RESTIC_DATA, NAME, "cut off"));
  text = load (fixture, VK_RESTIC_DATA, NAME, 0, 0, NULL);
  g_assert_cmpstr (text, ==, "cut off");
  g_assert_true (save (fixture, VK_RESTIC_CONFIG, NULL, "a config"));
  g_assert_false (vk_backend_save (fixture->backend, VK_RESTIC_CONFIG, NULL, other, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
  config = load (fixture, VK_RESTIC_CONFIG, NULL, 0, 0, NULL);
  g_assert_cmpstr (config, ==, "a config");
}

static void
test_list (Fixture *fixture, gconstpointer data)
{
  static const char *const others[] = { NAME "-tmp-0011223344556677", "notes.txt", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
  g_autofree char *directory = g_build_filename (fixture->backend->restic_url, "locks", OTHER, NULL);
  g_autoptr (GPtrArray) locks = NULL;
  g_autoptr (GPtrArray) packs = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autofree char *path = g_build_filename (fixture->backend->restic_url, "locks", others[i], NULL);

      g_assert_true (g_file_set_contents (path, "x", 1, NULL));
    }
  g_assert_cmpint (g_mkdir (directory, 0700), ==, 0);
  g_assert_true (save (fixture, VK_RESTIC_LOCK, NAME, "a lock"));
  g_assert_true (save (fixture, VK_RESTIC_DATA, NAME, "a pack"));
  g_assert_true (save (fixture, VK_RESTIC_DATA, OTHER, "another pack"));
  locks = vk_backend_list (fixture->backend, VK_RESTIC_LOCK, NULL, NULL);
  packs = vk_backend_list (fixture->backend, VK_RESTIC_DATA, NULL, NULL);
  g_assert_cmpuint (locks->len, ==, 1);
  g_assert_cmpstr (((VkBackendEntry *) g_ptr_array_index (locks, 0))->name, ==, NAME);
  g_assert_cmpuint (((VkBackendEntry *) g_ptr_array_index (locks, 0))->size, ==, 6);
  g_assert_cmpuint (packs->len, ==, 2);
  g_assert_true (vk_backend_remove (fixture->backend, VK_RESTIC_DATA, NAME, NULL, NULL));
  g_assert_true (vk_backend_remove (fixture->backend, VK_RESTIC_DATA, NAME, NULL, NULL));
  g_clear_pointer (&packs, g_ptr_array_unref);
  packs = vk_backend_list (fixture->backend, VK_RESTIC_DATA, NULL, NULL);
  g_assert_cmpuint (packs->len, ==, 1);
}

static gpointer
save_repeatedly (gpointer user_data)
{
  for (guint i = 0; i < 50; i++)
    {
      g_autofree char *name = g_strdup_printf ("%064x", i);
      g_autofree char *expected = g_strnfill (10000, (char) ('a' + i % 26));
      g_autofree char *text = NULL;

      g_assert_true (save (user_data, VK_RESTIC_DATA, name, expected));
      text = load (user_data, VK_RESTIC_DATA, name, 0, 0, NULL);
      g_assert_cmpstr (text, ==, expected);
    }
  return NULL;
}

/* Nothing but the files is left, no temporary one either. */
static void
test_writers (Fixture *fixture, gconstpointer data)
{
  GThread *threads[6];
  g_autofree char *path = g_build_filename (fixture->backend->restic_url, "data", "00", NULL);
  g_autoptr (GDir) directory = NULL;
  guint count = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("save", save_repeatedly, fixture);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  directory = g_dir_open (path, 0, NULL);
  while (g_dir_read_name (directory) != NULL)
    count++;
  g_assert_cmpuint (count, ==, 50);
}

static void
add (const char *name, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/restic/backend/", name, NULL);

  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/restic/backend/URLs", test_urls);
  add ("files lie where restic looks for them, for their owner only", test_layout);
  add ("parts of files are read", test_ranges);
  add ("files may be larger than 4 GiB", test_beyond_4_gib);
  add ("files are written again, the config is not", test_again);
  add ("files are listed, others are not", test_list);
  add ("many writers may save the same", test_writers);
  return g_test_run ();
}
