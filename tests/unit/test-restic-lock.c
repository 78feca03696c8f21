/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks of a restic repository: refreshed while they are held, and lost when
 * they cannot be.  Those of the real restic are in tests/restic/core.sh. */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "restic-fixture.h"
#include "store/restic/unpacked.h"

typedef struct
{
  char *dir;
  char *locks;
  VkRestic *repo;
} Fixture;

static const VkResticLockTimes fast = { .settle_ms = 200, .refresh_ms = 50, .retry_ms = 20, .expiry_ms = 600 };

static void
set_up (Fixture *fixture, gconstpointer data)
{
  VkResticOptions options = { .no_cache = TRUE };
  g_autoptr (GError) error = NULL;

  fixture->dir = g_dir_make_tmp ("virt-keep-test-XXXXXX", NULL);
  fixture->locks = g_build_filename (fixture->dir, "locks", NULL);
  restic_make_repository (fixture->dir, "secret");
  fixture->repo = vk_restic_open (vk_backend_local_new (fixture->dir, NULL), "secret", &options, NULL, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  vk_restic_close (fixture->repo);
  g_assert_true (vk_tree_remove (fixture->dir, NULL));
  g_free (fixture->dir);
  g_free (fixture->locks);
}

static VkResticLock *
take (Fixture *fixture, gboolean exclusive, const VkResticLockTimes *times)
{
  g_autoptr (GError) error = NULL;
  VkResticLock *lock = vk_restic_lock_take_timed (fixture->repo, exclusive, FALSE, 0, times, NULL, &error);

  g_assert_no_error (error);
  return lock;
}

/* The names of the lock files, joined. */
static char *
lock_names (Fixture *fixture)
{
  g_autoptr (GPtrArray) entries = vk_backend_list (vk_restic_backend (fixture->repo), VK_RESTIC_LOCK, NULL, NULL);
  GString *names = g_string_new (NULL);

  for (guint i = 0; entries != NULL && i < entries->len; i++)
    g_string_append (names, ((VkBackendEntry *) g_ptr_array_index (entries, i))->name);
  return g_string_free (names, FALSE);
}

/* Whether it is lost within 10 seconds. */
static gboolean
becomes_lost (VkResticLock *lock)
{
  GCancellable *lost = vk_restic_lock_lost_cancellable (lock);

  for (guint i = 0; i < 1000 && !g_cancellable_is_cancelled (lost); i++)
    g_usleep (10000);
  return g_cancellable_is_cancelled (lost) && vk_restic_lock_is_lost (lock);
}

/* Writes a lock as another process would.  Returns its name. */
static void
write_lock (Fixture *fixture, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
write_lock (Fixture *fixture, const char *format, ...)
{
  g_autofree char *json = NULL;
  VkResticId id;
  va_list args;

  va_start (args, format);
  json = g_strdup_vprintf (format, args);
  va_end (args);
  g_assert_true (vk_unpacked_save (vk_restic_backend (fixture->repo), vk_restic_crypto (fixture->repo), VK_RESTIC_LOCK, json, strlen (json), &id, NULL, NULL, NULL));
}

static void
expect_busy (Fixture *fixture, gboolean exclusive, const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *before = lock_names (fixture);
  g_autofree char *after = NULL;

  g_assert_null (vk_restic_lock_take (fixture->repo, exclusive, 0, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_BUSY);
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' is not in: %s", words, error->message);
  after = lock_names (fixture);
  g_assert_cmpstr (before, ==, after);
}

static void
test_kinds (Fixture *fixture, gconstpointer data)
{
  VkResticLock *one = take (fixture, FALSE, &vk_restic_lock_times_default);
  VkResticLock *other = take (fixture, FALSE, &vk_restic_lock_times_default);
  g_autofree char *names = NULL;

  expect_busy (fixture, TRUE, "is locked by ");
  vk_restic_lock_free (one);
  vk_restic_lock_free (other);
  one = take (fixture, TRUE, &vk_restic_lock_times_default);
  expect_busy (fixture, FALSE, "is locked exclusively by ");
  expect_busy (fixture, TRUE, "is locked exclusively by ");
  vk_restic_lock_free (one);
  names = lock_names (fixture);
  g_assert_cmpstr (names, ==, "");
}

/* Another file each time, and never more than two of them. */
static void
test_refresh (Fixture *fixture, gconstpointer data)
{
  VkResticLock *lock = take (fixture, FALSE, &fast);
  g_autofree char *first = lock_names (fixture);
  g_autofree char *names = NULL;

  for (guint i = 0; i < 500 && (names == NULL || strstr (names, first) != NULL); i++)
    {
      g_usleep (10000);
      g_free (names);
      names = lock_names (fixture);
    }
  g_assert_null (strstr (names, first));
  g_assert_cmpuint (strlen (names), >=, VK_RESTIC_ID_DIGITS);
  g_assert_cmpuint (strlen (names), <=, 2 * VK_RESTIC_ID_DIGITS);
  g_assert_false (vk_restic_lock_is_lost (lock));
  vk_restic_lock_free (lock);
  g_free (names);
  names = lock_names (fixture);
  g_assert_cmpstr (names, ==, "");
}

/* `restic unlock --remove-all': whoever did that may be removing data. */
static void
test_removed (Fixture *fixture, gconstpointer data)
{
  VkResticLock *lock = take (fixture, FALSE, &fast);
  VkResticSaverOptions options = { .lock = lock };
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, &options, NULL);
  g_autoptr (VkSnapshot) snapshot = vk_snapshot_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) packs = NULL;
  VkResticId id;

  /* Once more if it was just being refreshed. */
  while (!vk_restic_lock_is_lost (lock))
    {
      g_assert_true (vk_tree_remove (fixture->locks, NULL));
      g_assert_cmpint (g_mkdir (fixture->locks, 0700), ==, 0);
      g_usleep (100000);
    }
  g_assert_true (becomes_lost (lock));
  vk_restic_saver_add (saver, VK_BLOB_DATA, "x", 1, &id, NULL);
  g_assert_false (vk_restic_saver_flush (saver, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_clear_error (&error);
  snapshot->time = g_strdup ("2026-11-24T20:00:00Z");
  g_assert_false (vk_snapshot_save (fixture->repo, lock, snapshot, &id, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  packs = vk_backend_list (vk_restic_backend (fixture->repo), VK_RESTIC_DATA, NULL, NULL);
  g_assert_cmpuint (packs->len, ==, 0);
  vk_restic_lock_free (lock);
}

/* The directory of locks is a file, as a full disk or a broken line would be. */
static void
test_expiry (Fixture *fixture, gconstpointer data)
{
  VkResticLock *lock = take (fixture, FALSE, &fast);
  g_autofree char *aside = g_strconcat (fixture->locks, ".aside", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_rename (fixture->locks, aside), ==, 0);
  g_assert_true (g_file_set_contents (fixture->locks, "", 0, NULL));
  g_assert_true (vk_restic_lock_check (lock, NULL));
  g_assert_true (becomes_lost (lock));
  g_assert_false (vk_restic_lock_check (lock, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_cmpint (g_unlink (fixture->locks), ==, 0);
  g_assert_cmpint (g_rename (aside, fixture->locks), ==, 0);
  vk_restic_lock_free (lock);
}

/* For less than the time in which it is lost. */
static void
test_short_trouble (Fixture *fixture, gconstpointer data)
{
  static const VkResticLockTimes times = { .settle_ms = 200, .refresh_ms = 50, .retry_ms = 20, .expiry_ms = 20000 };
  VkResticLock *lock = take (fixture, FALSE, &times);
  g_autofree char *aside = g_strconcat (fixture->locks, ".aside", NULL);
  g_autofree char *names = NULL;

  g_assert_cmpint (g_rename (fixture->locks, aside), ==, 0);
  g_assert_true (g_file_set_contents (fixture->locks, "", 0, NULL));
  g_usleep (200000);
  g_assert_cmpint (g_unlink (fixture->locks), ==, 0);
  g_assert_cmpint (g_rename (aside, fixture->locks), ==, 0);
  g_usleep (200000);
  g_assert_false (vk_restic_lock_is_lost (lock));
  vk_restic_lock_free (lock);
  names = lock_names (fixture);
  g_assert_cmpstr (names, ==, "");
}

static void
test_others (Fixture *fixture, gconstpointer data)
{
  g_autofree char *unreadable = g_build_filename (fixture->locks, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL);
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%dT%H:%M:%SZ");

  write_lock (fixture, "{\"time\":\"%s\",\"exclusive\":false,\"hostname\":\"elsewhere\",\"username\":\"her\",\"pid\":12}", time);
  vk_restic_lock_free (take (fixture, FALSE, &fast));
  expect_busy (fixture, TRUE, "by her on elsewhere, process 12");
  write_lock (fixture, "{\"time\":\"%s\",\"exclusive\":true,\"hostname\":\"elsewhere\",\"username\":\"him\",\"pid\":13}", time);
  expect_busy (fixture, FALSE, "exclusively by him on elsewhere, process 13");
  expect_busy (fixture, FALSE, "wait for it");
  g_assert_true (vk_tree_remove (fixture->locks, NULL));
  g_assert_cmpint (g_mkdir (fixture->locks, 0700), ==, 0);
  write_lock (fixture, "{\"time\":\"2020-01-01T00:00:00Z\",\"exclusive\":true,\"hostname\":\"elsewhere\",\"username\":\"him\",\"pid\":13}");
  expect_busy (fixture, FALSE, "`restic unlock' removes its lock");
  g_assert_true (vk_tree_remove (fixture->locks, NULL));
  g_assert_cmpint (g_mkdir (fixture->locks, 0700), ==, 0);
  g_assert_true (g_file_set_contents (unreadable, "rubbish", -1, NULL));
  expect_busy (fixture, FALSE, "cannot be read");
}

/* A process of this host that is gone is in nobody's way; one that lives is, and so is one of
 * another host with the same number. */
static void
test_dead (Fixture *fixture, gconstpointer data)
{
  static const char format[] = "{\"time\":\"%s\",\"exclusive\":%s,\"hostname\":\"%s\",\"username\":\"him\",\"pid\":%d}";
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%dT%H:%M:%SZ");
  g_autofree char *names = NULL;
  pid_t dead = fork ();

  if (dead == 0)
    _exit (0);
  g_assert_cmpint (waitpid (dead, NULL, 0), ==, dead);
  write_lock (fixture, format, time, "true", g_get_host_name (), (int) dead);
  vk_restic_lock_free (take (fixture, FALSE, &fast));
  write_lock (fixture, format, time, "false", g_get_host_name (), (int) dead);
  vk_restic_lock_free (take (fixture, TRUE, &fast));
  names = lock_names (fixture);
  g_assert_cmpstr (names, ==, "");
  write_lock (fixture, format, time, "true", g_get_host_name (), (int) getppid ());
  expect_busy (fixture, FALSE, "exclusively by him");
  g_assert_true (vk_tree_remove (fixture->locks, NULL));
  g_assert_cmpint (g_mkdir (fixture->locks, 0700), ==, 0);
  write_lock (fixture, format, "2020-01-01T00:00:00Z", "true", "elsewhere", (int) dead);
  expect_busy (fixture, FALSE, "exclusively by him on elsewhere");
}

/* Whoever wrote an exclusive one at the same time: it was not there at the first look. */
static void
test_early_conflict (Fixture *fixture, gconstpointer data)
{
  static const VkResticLockTimes slow = { .settle_ms = 5000, .refresh_ms = 60000, .retry_ms = 60000, .expiry_ms = 120000 };
  g_autoptr (GError) error = NULL;
  VkResticLock *lock = vk_restic_lock_take_timed (fixture->repo, FALSE, TRUE, 0, &slow, NULL, &error);
  VkResticSaverOptions options = { .lock = lock };
  g_autoptr (VkResticSaver) saver = NULL;
  g_autoptr (GPtrArray) packs = NULL;
  g_autofree char *names = NULL;
  VkResticId id;

  g_assert_no_error (error);
  write_lock (fixture, "{\"time\":\"2026-11-24T00:00:00Z\",\"exclusive\":true,\"hostname\":\"elsewhere\",\"username\":\"him\",\"pid\":13}");
  saver = vk_restic_saver_new (fixture->repo, &options, NULL);
  g_assert_true (vk_restic_saver_add (saver, VK_BLOB_DATA, "bytes", 5, &id, NULL));
  g_assert_false (vk_restic_saver_flush (saver, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_BUSY);
  g_assert_nonnull (strstr (error->message, "exclusively by him on elsewhere"));
  packs = vk_backend_list (vk_restic_backend (fixture->repo), VK_RESTIC_DATA, NULL, NULL);
  g_assert_cmpuint (packs->len, ==, 0);
  /* Ours is not in the way of the other any more. */
  names = lock_names (fixture);
  g_assert_cmpuint (strlen (names), ==, VK_RESTIC_ID_DIGITS);
  vk_restic_lock_free (lock);
}

/* Nobody came: it is a lock like any other, from the beginning on. */
static void
test_early (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  VkResticLock *lock = vk_restic_lock_take_early (fixture->repo, 0, NULL, &error);
  g_autofree char *names = NULL;

  g_assert_no_error (error);
  expect_busy (fixture, TRUE, "is locked by ");
  g_assert_true (vk_restic_lock_check (lock, &error));
  g_assert_no_error (error);
  expect_busy (fixture, TRUE, "is locked by ");
  vk_restic_lock_free (lock);
  /* Given back before it counts. */
  vk_restic_lock_free (vk_restic_lock_take_early (fixture->repo, 0, NULL, NULL));
  names = lock_names (fixture);
  g_assert_cmpstr (names, ==, "");
}

typedef struct
{
  Fixture *fixture;
  gint *holders; /* atomic */
  guint taken;
} Rival;

/* Takes the lock as often as it can be had. */
static gpointer
compete (gpointer user_data)
{
  static const VkResticLockTimes at_once = { .settle_ms = 0, .refresh_ms = 60000, .retry_ms = 60000, .expiry_ms = 120000 };
  Rival *rival = user_data;
  gint64 deadline = g_get_monotonic_time () + 2 * G_USEC_PER_SEC;

  while (g_get_monotonic_time () < deadline)
    {
      g_autoptr (GError) error = NULL;
      VkResticLock *lock = vk_restic_lock_take_timed (rival->fixture->repo, TRUE, FALSE, 0, &at_once, NULL, &error);

      if (lock == NULL)
        {
          g_assert_error (error, VK_ERROR, VK_ERROR_BUSY);
          continue;
        }
      g_assert_cmpint (g_atomic_int_add (rival->holders, 1), ==, 0);
      rival->taken++;
      g_usleep (5000);
      g_atomic_int_add (rival->holders, -1);
      vk_restic_lock_free (lock);
    }
  return NULL;
}

/* Where everybody sees at once what is there, nobody needs to wait for others to see theirs. */
static void
test_at_once (Fixture *fixture, gconstpointer data)
{
  gint holders = 0;
  Rival rivals[3];
  GThread *threads[G_N_ELEMENTS (rivals)];
  guint taken = 0;

  for (guint i = 0; i < G_N_ELEMENTS (rivals); i++)
    {
      rivals[i] = (Rival) { .fixture = fixture, .holders = &holders };
      threads[i] = g_thread_new ("rival", compete, &rivals[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (rivals); i++)
    {
      g_thread_join (threads[i]);
      taken += rivals[i].taken;
    }
  g_assert_cmpuint (taken, >, 0);
}

static gpointer
free_soon (gpointer lock)
{
  g_usleep (500000);
  vk_restic_lock_free (lock);
  return NULL;
}

static void
test_retry (Fixture *fixture, gconstpointer data)
{
  GThread *thread = g_thread_new ("free", free_soon, take (fixture, TRUE, &fast));
  g_autoptr (GError) error = NULL;
  VkResticLock *lock = vk_restic_lock_take (fixture->repo, FALSE, 60, NULL, &error);

  g_assert_no_error (error);
  vk_restic_lock_free (lock);
  g_thread_join (thread);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (300000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_retry_cancelled (Fixture *fixture, gconstpointer data)
{
  VkResticLock *held = take (fixture, TRUE, &fast);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_restic_lock_take (fixture->repo, FALSE, 3600, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  vk_restic_lock_free (held);
}

static void
add (const char *name, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/restic/lock/", name, NULL);

  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("shared ones go together, exclusive ones with none", test_kinds);
  add ("nobody else has an exclusive one, however many want it at once", test_at_once);
  add ("it is refreshed", test_refresh);
  add ("nothing is written once somebody has removed it", test_removed);
  add ("it is lost when it cannot be refreshed", test_expiry);
  add ("it is not lost at once", test_short_trouble);
  add ("others' locks are respected and named", test_others);
  add ("one of a dead process of this host is removed", test_dead);
  add ("one that is taken early counts", test_early);
  add ("nothing is written when another came at the same time", test_early_conflict);
  add ("it can be waited for", test_retry);
  add ("waiting can be cancelled", test_retry_cancelled);
  return g_test_run ();
}
