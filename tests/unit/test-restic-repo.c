/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Restic repositories in a directory: blobs in and out on many threads, and what
 * happens when files are missing, cut off or cannot be written. */
#include "config.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/files.h"
#include "restic-fixture.h"
#include "store/restic/index-file.h"
#include "store/restic/unpacked.h"

typedef struct
{
  char *dir;
  char *path;
  char *cache;
  VkRestic *repo;
} Fixture;

static VkRestic *
open_repository (Fixture *fixture)
{
  VkResticOptions options = { .cache_directory = fixture->cache };
  g_autoptr (GError) error = NULL;
  VkRestic *repo = vk_restic_open (vk_backend_local_new (fixture->path, NULL), "secret", &options, NULL, &error);

  g_assert_no_error (error);
  return repo;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->dir = g_dir_make_tmp ("virt-keep-test-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->dir, "repo", NULL);
  fixture->cache = g_build_filename (fixture->dir, "cache", NULL);
  restic_make_repository (fixture->path, "secret");
  fixture->repo = open_repository (fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  vk_restic_close (fixture->repo);
  g_assert_true (vk_tree_remove (fixture->dir, NULL));
  g_free (fixture->dir);
  g_free (fixture->path);
  g_free (fixture->cache);
}

/* Returns: (transfer full) the names of files of that kind, of VkBackendEntry. */
static GPtrArray *
files (Fixture *fixture, VkResticType type)
{
  GPtrArray *entries = vk_backend_list (vk_restic_backend (fixture->repo), type, NULL, NULL);

  g_assert_nonnull (entries);
  return entries;
}

static char *
pack_path (Fixture *fixture, const VkResticId *pack)
{
  g_autofree char *name = vk_restic_id_to_string (pack);

  return g_strdup_printf ("%s/data/%.2s/%s", fixture->path, name, name);
}

/* A blob of length bytes that no other number gives. */
static GBytes *
numbered_blob (guint number, gsize length)
{
  guint8 *content = g_malloc (length);
  guint64 state = number + 1;

  /* A linear congruential generator, of which the upper bits are used. */
  for (gsize i = 0; i < length; i++)
    {
      state = state * G_GUINT64_CONSTANT (6364136223846793005) + G_GUINT64_CONSTANT (1442695040888963407);
      content[i] = (guint8) (state >> 56);
    }
  return g_bytes_new_take (content, length);
}

static void
assert_blob (VkRestic *repo, GBytes *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) loaded = NULL;
  VkResticId id;

  vk_restic_id_of (g_bytes_get_data (expected, NULL), g_bytes_get_size (expected), &id);
  loaded = vk_restic_load_blob (repo, VK_BLOB_DATA, &id, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (loaded, expected));
}

/* Saves a blob and gives its place.  Returns: (transfer full). */
static GBytes *
save_one (Fixture *fixture, guint number, VkResticId *id, VkBlobLocation *location)
{
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, NULL, NULL);
  GBytes *blob = numbered_blob (number, 10000);

  g_assert_true (vk_restic_saver_add (saver, VK_BLOB_DATA, g_bytes_get_data (blob, NULL), 10000, id, NULL));
  g_assert_true (vk_restic_saver_flush (saver, NULL));
  g_assert_true (vk_restic_lookup (fixture->repo, VK_BLOB_DATA, id, location));
  return blob;
}

/* --- opening -------------------------------------------------------------- */

static VkError
open_error (const char *path, const char *password)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_restic_open (vk_backend_local_new (path, NULL), password, NULL, NULL, &error));
  g_assert_true (error->domain == VK_ERROR);
  g_assert_null (strstr (error->message, password));
  return (VkError) error->code;
}

static void
test_open (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkRestic) again = open_repository (fixture);
  g_autofree char *keys = g_build_filename (fixture->path, "keys", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (vk_restic_repo_id (again), ==, vk_restic_repo_id (fixture->repo));
  g_assert_cmpint (open_error (fixture->path, "no secret"), ==, VK_ERROR_REFUSED);
  g_assert_cmpint (open_error (fixture->dir, "some secret"), ==, VK_ERROR_NOT_FOUND);
  g_assert_null (vk_restic_create (vk_backend_local_new (fixture->path, NULL), "other", NULL, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
  g_assert_true (vk_tree_remove (keys, NULL));
  g_assert_cmpint (g_mkdir (keys, 0700), ==, 0);
  g_assert_cmpint (open_error (fixture->path, "secret"), ==, VK_ERROR_NOT_FOUND);
}

/* What vk_restic_create() makes, with a key at its usual cost. */
static void
test_create (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "new", NULL);
  VkResticOptions options = { .no_cache = TRUE };
  g_autoptr (VkRestic) created = vk_restic_create (vk_backend_local_new (path, NULL), "other", &options, NULL, NULL);
  g_autoptr (VkRestic) opened = vk_restic_open (vk_backend_local_new (path, NULL), "other", &options, NULL, NULL);

  g_assert_cmpstr (vk_restic_repo_id (created), ==, vk_restic_repo_id (opened));
}

/* What was begun and not finished is finished with the key that is there: of two keys for one
 * password the wrong one may be tried first. */
static void
test_create_again (Fixture *fixture, gconstpointer data)
{
  g_autofree char *config = g_build_filename (fixture->path, "config", NULL);
  g_autoptr (VkRestic) created = NULL;
  g_autoptr (VkRestic) opened = NULL;
  g_autoptr (GPtrArray) keys = NULL;

  g_assert_cmpint (g_unlink (config), ==, 0);
  created = vk_restic_create (vk_backend_local_new (fixture->path, NULL), "secret", NULL, NULL, NULL);
  g_assert_nonnull (created);
  keys = files (fixture, VK_RESTIC_KEY);
  g_assert_cmpuint (keys->len, ==, 1);
  opened = open_repository (fixture);
  g_assert_cmpstr (vk_restic_repo_id (created), ==, vk_restic_repo_id (opened));
}

/* --- saving --------------------------------------------------------------- */

enum { PUSHERS = 4, PUSHED_BLOBS = 300 };

/* All threads push the same blobs. */
static gpointer
push_all (gpointer user_data)
{
  for (guint i = 0; i < PUSHED_BLOBS; i++)
    {
      g_autoptr (GBytes) blob = numbered_blob (i, 20000 + i);

      g_assert_true (vk_restic_saver_push (user_data, VK_BLOB_DATA, blob, NULL, NULL, NULL));
    }
  return NULL;
}

static void
test_threads (Fixture *fixture, gconstpointer data)
{
  VkResticSaverOptions options = { .threads = 3, .pack_size = VK_PACK_SIZE_MIN };
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, &options, NULL);
  g_autoptr (VkRestic) again = NULL;
  GThread *threads[PUSHERS];
  VkResticSaverStats stats;
  g_autoptr (GPtrArray) packs = NULL;

  for (guint i = 0; i < PUSHERS; i++)
    threads[i] = g_thread_new ("push", push_all, saver);
  for (guint i = 0; i < PUSHERS; i++)
    g_thread_join (threads[i]);
  g_assert_true (vk_restic_saver_flush (saver, NULL));
  vk_restic_saver_get_stats (saver, &stats);
  g_assert_cmpuint (stats.blobs, ==, PUSHERS * PUSHED_BLOBS);
  g_assert_cmpuint (stats.new_blobs, ==, PUSHED_BLOBS);
  packs = files (fixture, VK_RESTIC_DATA);
  g_assert_cmpuint (packs->len, >, 1);
  for (guint i = 0; i < packs->len; i++)
    g_assert_cmpuint (((VkBackendEntry *) g_ptr_array_index (packs, i))->size, <=, VK_PACK_SIZE_MIN);
  again = open_repository (fixture);
  for (guint i = 0; i < PUSHED_BLOBS; i++)
    {
      g_autoptr (GBytes) blob = numbered_blob (i, 20000 + i);

      assert_blob (again, blob);
    }
}

/* A second saver, and one of another process, find what is there. */
static void
test_deduplication (Fixture *fixture, gconstpointer data)
{
  VkResticId id;
  VkBlobLocation location;
  g_autoptr (GBytes) blob = save_one (fixture, 1, &id, &location);
  g_autoptr (VkRestic) again = open_repository (fixture);
  VkRestic *repos[] = { fixture->repo, again };

  g_assert_true (vk_restic_load_index (again, NULL, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (repos); i++)
    {
      g_autoptr (VkResticSaver) saver = vk_restic_saver_new (repos[i], NULL, NULL);
      VkResticSaverStats stats;

      g_assert_true (vk_restic_saver_add (saver, VK_BLOB_DATA, g_bytes_get_data (blob, NULL), 10000, &id, NULL));
      g_assert_true (vk_restic_saver_flush (saver, NULL));
      vk_restic_saver_get_stats (saver, &stats);
      g_assert_cmpuint (stats.blobs, ==, 1);
      g_assert_cmpuint (stats.new_blobs, ==, 0);
      g_assert_cmpuint (stats.stored_bytes, ==, 0);
    }
}

/* The number of blobs that an index file lists. */
static guint64
count_listed (Fixture *fixture, const char *name)
{
  g_autoptr (GBytes) text = vk_unpacked_load (vk_restic_backend (fixture->repo), vk_restic_crypto (fixture->repo), VK_RESTIC_INDEX, name, VK_INDEX_FILE_LIMIT, NULL, NULL);
  g_autoptr (VkIndex) index = vk_index_new ();

  g_assert_true (vk_index_file_read (text, index, NULL));
  return vk_index_count (index);
}

static void
test_index_split (Fixture *fixture, gconstpointer data)
{
  enum { BLOBS = VK_INDEX_FILE_BLOBS + 1000 };
  VkResticSaverOptions options = { .pack_size = VK_PACK_SIZE_MIN, .level = -1 };
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, &options, NULL);
  g_autoptr (GPtrArray) indexes = NULL;
  const char *valgrind = g_getenv ("VG");
  guint64 listed = 0;

  if (valgrind != NULL && *valgrind != '\0')
    {
      g_test_skip ("it takes minutes under valgrind");
      return;
    }
  for (guint i = 0; i < BLOBS; i++)
    {
      guint8 content[150] = { 0 };
      VkResticId id;

      memcpy (content, &i, sizeof i);
      g_assert_true (vk_restic_saver_add (saver, VK_BLOB_DATA, content, sizeof content, &id, NULL));
    }
  g_assert_true (vk_restic_saver_flush (saver, NULL));
  indexes = files (fixture, VK_RESTIC_INDEX);
  g_assert_cmpuint (indexes->len, ==, 2);
  for (guint i = 0; i < indexes->len; i++)
    {
      guint64 count = count_listed (fixture, ((VkBackendEntry *) g_ptr_array_index (indexes, i))->name);

      g_assert_cmpuint (count, <=, VK_INDEX_FILE_BLOBS);
      listed += count;
    }
  g_assert_cmpuint (listed, ==, BLOBS);
}

/* More packs than there is memory for at a time, before it was given back and afterwards. */
static void
test_shrunk (Fixture *fixture, gconstpointer data)
{
  VkResticSaverOptions options = { .threads = 4, .uploads = 1, .pack_size = VK_PACK_SIZE_MIN };
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, &options, NULL);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (GBytes) blob = numbered_blob (i, 1 << 20);

      if (i == 50)
        vk_restic_saver_shrink (saver);
      g_assert_true (vk_restic_saver_push (saver, i % 3 == 0 ? VK_BLOB_TREE : VK_BLOB_DATA, blob, NULL, NULL, NULL));
    }
  g_assert_true (vk_restic_saver_flush (saver, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (GBytes) blob = numbered_blob (i, 1 << 20);
      VkResticId id;

      vk_restic_id_of (g_bytes_get_data (blob, NULL), 1 << 20, &id);
      g_assert_true (vk_restic_lookup (fixture->repo, i % 3 == 0 ? VK_BLOB_TREE : VK_BLOB_DATA, &id, NULL));
    }
}

/* Without an index file nothing refers to what was not flushed. */
static void
test_given_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, NULL, NULL);
  g_autoptr (GBytes) blob = numbered_blob (1, 1000);
  g_autoptr (GPtrArray) indexes = NULL;
  VkResticId id;

  g_assert_true (vk_restic_saver_push (saver, VK_BLOB_DATA, blob, NULL, NULL, NULL));
  g_clear_pointer (&saver, vk_restic_saver_free);
  indexes = files (fixture, VK_RESTIC_INDEX);
  g_assert_cmpuint (indexes->len, ==, 0);
  vk_restic_id_of (g_bytes_get_data (blob, NULL), 1000, &id);
  g_assert_false (vk_restic_lookup (fixture->repo, VK_BLOB_DATA, &id, NULL));
}

/* A file system that takes no file above 1 MiB, as a full one would. */
static void
test_write_failure (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, NULL, NULL);
  struct rlimit before, limit;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) later = NULL;
  g_autoptr (GPtrArray) indexes = NULL;
  g_autoptr (GPtrArray) packs = NULL;
  g_autoptr (GBytes) last = numbered_blob (0, 1);

  signal (SIGXFSZ, SIG_IGN);
  getrlimit (RLIMIT_FSIZE, &before);
  limit = before;
  limit.rlim_cur = 1 << 20;
  setrlimit (RLIMIT_FSIZE, &limit);
  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (GBytes) blob = numbered_blob (i, 1 << 19);

      vk_restic_saver_push (saver, VK_BLOB_DATA, blob, NULL, NULL, NULL);
    }
  g_assert_false (vk_restic_saver_flush (saver, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_false (vk_restic_saver_push (saver, VK_BLOB_DATA, last, NULL, NULL, &later));
  g_assert_cmpstr (later->message, ==, error->message);
  setrlimit (RLIMIT_FSIZE, &before);
  indexes = files (fixture, VK_RESTIC_INDEX);
  packs = files (fixture, VK_RESTIC_DATA);
  g_assert_cmpuint (indexes->len, ==, 0);
  g_assert_cmpuint (packs->len, ==, 0);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (100000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_cancellation (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, NULL, cancellable);
  g_autoptr (GError) error = NULL;
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);

  for (guint i = 0; error == NULL; i++)
    {
      g_autoptr (GBytes) blob = numbered_blob (i, 1 << 16);
      VkResticId id;

      vk_restic_saver_add (saver, VK_BLOB_DATA, g_bytes_get_data (blob, NULL), 1 << 16, &id, &error);
    }
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_false (vk_restic_saver_flush (saver, NULL));
  g_thread_join (thread);
}

/* --- reading -------------------------------------------------------------- */

/* The error says which blob and where it should be. */
static void
expect_blob_error (VkRestic *repo, const VkResticId *id, VkError code, const VkResticId *pack)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *id_text = vk_restic_id_to_string (id);
  g_autofree char *pack_text = pack ? vk_restic_id_to_string (pack) : NULL;

  g_assert_null (vk_restic_load_blob (repo, VK_BLOB_DATA, id, NULL, &error));
  g_assert_error (error, VK_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, id_text));
  if (pack != NULL)
    g_assert_nonnull (strstr (error->message, pack_text));
}

static void
test_missing (Fixture *fixture, gconstpointer data)
{
  VkResticId id, other;
  VkBlobLocation location;
  g_autoptr (GBytes) blob = save_one (fixture, 1, &id, &location);
  g_autofree char *path = pack_path (fixture, &location.pack);
  g_autofree char *content = NULL;
  gsize length;

  vk_restic_id_of ("?", 1, &other);
  expect_blob_error (fixture->repo, &other, VK_ERROR_NOT_FOUND, NULL);
  g_assert_true (g_file_get_contents (path, &content, &length, NULL));
  g_assert_true (g_file_set_contents (path, content, 5000, NULL));
  expect_blob_error (fixture->repo, &id, VK_ERROR_DAMAGED, &location.pack);
  content[100] ^= 1;
  g_assert_true (g_file_set_contents (path, content, (gssize) length, NULL));
  expect_blob_error (fixture->repo, &id, VK_ERROR_DAMAGED, &location.pack);
  g_assert_cmpint (g_unlink (path), ==, 0);
  expect_blob_error (fixture->repo, &id, VK_ERROR_NOT_FOUND, &location.pack);
  content[100] ^= 1;
  g_assert_true (g_file_set_contents (path, content, (gssize) length, NULL));
  assert_blob (fixture->repo, blob);
}

static gpointer
load_all (gpointer user_data)
{
  VkRestic *repo = user_data;

  for (guint round = 0; round < 3; round++)
    for (guint i = 0; i < 100; i++)
      {
        g_autoptr (GBytes) blob = numbered_blob (i, 5000);

        assert_blob (repo, blob);
      }
  return NULL;
}

/* A cache that holds a tenth of what is read. */
static void
test_readers (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, NULL, NULL);
  VkResticOptions options = { .cache_bytes = 50000, .cache_directory = fixture->cache };
  g_autoptr (VkRestic) again = NULL;
  GThread *threads[4];

  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (GBytes) blob = numbered_blob (i, 5000);

      g_assert_true (vk_restic_saver_push (saver, VK_BLOB_DATA, blob, NULL, NULL, NULL));
    }
  g_assert_true (vk_restic_saver_flush (saver, NULL));
  again = vk_restic_open (vk_backend_local_new (fixture->path, NULL), "secret", &options, NULL, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("load", load_all, again);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

/* The index files are read from this host, whatever is done to the copies, and
 * copies of what is gone go as well. */
static void
test_index_cache (Fixture *fixture, gconstpointer data)
{
  VkResticId id;
  VkBlobLocation location;
  g_autoptr (GBytes) blob = save_one (fixture, 1, &id, &location);
  g_autoptr (GPtrArray) indexes = files (fixture, VK_RESTIC_INDEX);
  const char *name = ((VkBackendEntry *) g_ptr_array_index (indexes, 0))->name;
  g_autofree char *copy = g_build_filename (fixture->cache, vk_restic_repo_id (fixture->repo), "index", name, NULL);
  g_autofree char *stale = g_build_filename (fixture->cache, vk_restic_repo_id (fixture->repo), "index", vk_restic_repo_id (fixture->repo), NULL);
  g_autofree char *original = g_build_filename (fixture->path, "index", name, NULL);
  VkRestic *again = open_repository (fixture);

  g_assert_true (g_file_set_contents (stale, "x", 1, NULL));
  assert_blob (again, blob);
  vk_restic_close (again);
  g_assert_true (g_file_test (copy, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (stale, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_set_contents (copy, "damaged", -1, NULL));
  again = open_repository (fixture);
  assert_blob (again, blob);
  vk_restic_close (again);
  /* Whatever it holds now, it is not looked at. */
  g_assert_true (g_file_set_contents (original, "damaged", -1, NULL));
  again = open_repository (fixture);
  assert_blob (again, blob);
  vk_restic_close (again);
  g_assert_true (vk_tree_remove (fixture->cache, NULL));
  again = open_repository (fixture);
  g_assert_null (vk_restic_load_blob (again, VK_BLOB_DATA, &id, NULL, NULL));
  vk_restic_close (again);
}

/* --- snapshots ------------------------------------------------------------ */

static void
test_snapshots (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, NULL, NULL);
  g_autoptr (GBytes) disk = numbered_blob (1, 100000);
  g_autoptr (GPtrArray) snapshots = NULL;
  g_autoptr (GByteArray) again = NULL;
  g_autofree char *foreign = g_build_filename (fixture->path, "snapshots", vk_restic_repo_id (fixture->repo), NULL);
  g_autoptr (GError) error = NULL;
  VkResticId id;

  g_assert_true (restic_save_point (fixture->repo, NULL, saver, g_bytes_get_data (disk, NULL), 100000, 4096, &id, &error));
  g_assert_no_error (error);
  again = restic_load_file (fixture->repo, &id, "/vda.raw", &error);
  g_assert_no_error (error);
  g_assert_cmpmem (again->data, again->len, g_bytes_get_data (disk, NULL), 100000);
  g_assert_null (restic_load_file (fixture->repo, &id, "/vdb.raw", &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_NOT_FOUND);
  g_assert_true (g_file_set_contents (foreign, "no snapshot", -1, NULL));
  snapshots = vk_snapshot_list (fixture->repo, NULL, NULL);
  g_assert_cmpuint (snapshots->len, ==, 2);
  g_assert_null (((VkSnapshot *) g_ptr_array_index (snapshots, 0))->damage);
  g_assert_nonnull (((VkSnapshot *) g_ptr_array_index (snapshots, 1))->damage);
  g_assert_true (vk_snapshot_remove (fixture->repo, &id, NULL, NULL));
  g_assert_true (vk_snapshot_remove (fixture->repo, &id, NULL, NULL));
  g_assert_null (vk_snapshot_load (fixture->repo, &id, NULL, NULL));
}

static void
add (const char *name, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/restic/repo/", name, NULL);

  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("a new one can be opened", test_create);
  add ("what was begun is finished", test_create_again);
  add ("only the password opens it", test_open);
  add ("many threads may save the same", test_threads);
  add ("what is there is not stored again", test_deduplication);
  add ("index files are split", test_index_split);
  add ("more packs than there is memory for", test_shrunk);
  add ("what was given up is not there", test_given_up);
  add ("a failure to write is an error and leaves nothing", test_write_failure);
  add ("saving can be cancelled", test_cancellation);
  add ("a missing blob is told from a damaged one", test_missing);
  add ("many threads may load the same", test_readers);
  add ("copies of index files are used and not trusted", test_index_cache);
  add ("snapshots are listed, whatever is beside them", test_snapshots);
  return g_test_run ();
}
