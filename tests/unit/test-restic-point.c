/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Points of a restic store are listed among others' snapshots, come back through
 * the door and as files, and what is damaged is named with those it concerns. */
#include "config.h"

#include <glib/gstdio.h>
#include <libnbd.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "nbd-fixture.h"
#include "point-fixture.h"
#include "restic-fixture.h"
#include "store/restic/restic-store.h"
#include "store/restic/restic-verdict.h"

enum
{
  KIB = 1024,
  MIB = 1024 * 1024,
  DISK_BYTES = 5 * MIB + 1536,
};

typedef struct
{
  char *dir;
  char *sockets;
  char *repository;
  guint8 *disk;
  VkStore *store;
} Fixture;

static void
open_store (Fixture *fixture)
{
  g_autofree char *url = g_strconcat ("restic:", fixture->repository, NULL);
  g_autoptr (GError) error = NULL;

  fixture->store = vk_store_open (url, NULL, FALSE, &error);
  g_assert_no_error (error);
}

/* The store as a program that starts finds it. */
static void
reopen (Fixture *fixture)
{
  vk_store_free (fixture->store);
  open_store (fixture);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->dir = test_directory_new ();
  fixture->repository = g_build_filename (fixture->dir, "repository", NULL);
  fixture->sockets = g_build_filename (fixture->dir, "sockets", NULL);
  g_assert_cmpint (g_mkdir (fixture->sockets, 0700), ==, 0);
  fixture->disk = g_malloc (DISK_BYTES);
  test_fill (fixture->disk, DISK_BYTES, 3);
  memset (fixture->disk + MIB, 0, 2 * MIB);
  restic_make_repository (fixture->repository, "secret");
  open_store (fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  vk_store_free (fixture->store);
  test_directory_free (fixture->dir);
  g_free (fixture->sockets);
  g_free (fixture->repository);
  g_free (fixture->disk);
}

static VkPoint *
back_up (Fixture *fixture)
{
  return test_back_up (fixture->store, fixture->sockets, fixture->disk, DISK_BYTES);
}

/* --- verdicts ------------------------------------------------------------- */

/* How many snapshots the repository has. */
static guint
count_snapshots (Fixture *fixture)
{
  g_autoptr (GPtrArray) snapshots = vk_snapshot_list (((VkResticStore *) fixture->store)->repo, NULL, NULL);

  return snapshots->len;
}

/* What removing the points would take away beside them. */
static guint
count_idle (Fixture *fixture, const GPtrArray *gone)
{
  g_autoptr (GPtrArray) snapshots = vk_snapshot_list (((VkResticStore *) fixture->store)->repo, NULL, NULL);
  g_autoptr (GPtrArray) points = vk_store_list (fixture->store, NULL, NULL);
  g_autoptr (GPtrArray) ids = g_ptr_array_new_with_free_func (g_free);

  vk_restic_add_idle_verdicts (points, gone, snapshots, ids);
  return ids->len;
}

/* A verdict is recorded of a point whose tags somebody has changed meanwhile, while others
 * have the repository locked, and changes nothing of the point; the newest counts. */
static void
test_verdict (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) before = back_up (fixture);
  g_autoptr (VkVerdict) bad = vk_verdict_new (99, "it hangs, alas");
  g_autoptr (VkVerdict) good = vk_verdict_new (4210, NULL);
  g_autoptr (GBytes) screenshot = g_bytes_new_static ("png", 3);
  g_autoptr (VkPoint) after = NULL;
  g_autoptr (VkResticLock) other = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_null (before->verdict);
  g_assert_true (vk_store_annotate (fixture->store, before, TRUE, "keep", NULL));
  other = vk_restic_lock_take (((VkResticStore *) fixture->store)->repo, FALSE, 0, NULL, NULL);
  g_assert_true (vk_store_record_verdict (fixture->store, before, bad, screenshot, &error));
  g_assert_no_error (error);
  g_assert_true (vk_store_record_verdict (fixture->store, before, good, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (count_snapshots (fixture), ==, 3);
  after = vk_store_find_point (fixture->store, TEST_DOMAIN_UUID, NULL);
  g_assert_true (after->verdict->proven);
  g_assert_cmpuint (after->verdict->milliseconds, ==, 4210);
  g_assert_cmpstr (after->verdict->time, ==, good->time);
  g_assert_true (after->is_protected);
  g_assert_cmpstr (after->note, ==, "keep");
  g_assert_true (vk_restic_id_equal (&((VkResticPoint *) after)->tree, &((VkResticPoint *) before)->tree));
  g_clear_pointer (&other, vk_restic_lock_free);
  g_assert_true (vk_store_annotate (fixture->store, after, FALSE, NULL, NULL));
  g_clear_pointer (&after, vk_point_free);
  after = vk_store_find_point (fixture->store, TEST_DOMAIN_UUID, NULL);
  g_assert_false (after->is_protected);
  g_assert_null (after->note);
  g_assert_true (after->verdict->proven);
}

/* Verdicts are no points, one of an older virt-keep is read out of the tags of its point, and
 * those that tell nothing any more are known. */
static void
test_verdicts (Fixture *fixture, gconstpointer data)
{
  VkRestic *repo = ((VkResticStore *) fixture->store)->repo;
  g_autoptr (VkPoint) point = back_up (fixture);
  g_autoptr (VkVerdict) verdict = vk_verdict_new (99, "it hangs");
  g_autoptr (VkSnapshot) snapshot = vk_snapshot_load (repo, &((VkResticPoint *) point)->snapshot, NULL, NULL);
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  const char *tags[] = { VK_RESTIC_TAG, TEST_DOMAIN_UUID, VK_RESTIC_TAG_PROVEN "2026-01-01T00:00:00Z 7 0.1", NULL };
  VkResticId id;

  g_strfreev (snapshot->tags);
  snapshot->tags = g_strdupv ((char **) tags);
  g_assert_true (vk_snapshot_save (repo, NULL, snapshot, &id, NULL, NULL));
  g_assert_true (vk_snapshot_remove (repo, &((VkResticPoint *) point)->snapshot, NULL, NULL));
  points = vk_store_list (fixture->store, NULL, NULL);
  g_assert_cmpuint (points->len, ==, 1);
  g_assert_cmpuint (((VkPoint *) g_ptr_array_index (points, 0))->verdict->milliseconds, ==, 7);

  g_assert_true (vk_store_record_verdict (fixture->store, point, verdict, NULL, NULL));
  g_clear_pointer (&points, g_ptr_array_unref);
  points = vk_store_list (fixture->store, NULL, NULL);
  g_assert_cmpuint (points->len, ==, 1);
  g_assert_cmpstr (((VkPoint *) g_ptr_array_index (points, 0))->verdict->reason, ==, "it hangs");
  g_assert_cmpuint (count_idle (fixture, none), ==, 0);
  g_assert_cmpuint (count_idle (fixture, points), ==, 1);
  g_assert_true (vk_store_record_verdict (fixture->store, point, verdict, NULL, NULL));
  g_assert_cmpuint (count_idle (fixture, none), ==, 1);
  g_assert_cmpuint (count_idle (fixture, points), ==, 2);
  g_assert_true (vk_snapshot_remove (repo, &id, NULL, NULL));
  g_assert_cmpuint (count_idle (fixture, none), ==, 2);
  g_assert_false (vk_store_record_verdict (fixture->store, point, verdict, NULL, NULL));
}

/* --- listing -------------------------------------------------------------- */

/* A snapshot that no virt-keep has made: its manifest is none. */
static void
save_snapshot (Fixture *fixture, const char *tag)
{
  VkRestic *repo = ((VkResticStore *) fixture->store)->repo;
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (repo, NULL, NULL);
  g_autoptr (VkSnapshot) snapshot = NULL;
  g_autoptr (GError) error = NULL;
  VkResticId id;

  g_assert_true (restic_save_point (repo, NULL, saver, fixture->disk, DISK_BYTES, MIB, &id, &error));
  snapshot = vk_snapshot_load (repo, &id, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (vk_snapshot_remove (repo, &id, NULL, NULL));
  g_strfreev (snapshot->tags);
  snapshot->tags = g_strsplit (tag, ",", -1);
  g_assert_true (vk_snapshot_save (repo, NULL, snapshot, &id, NULL, NULL));
}

static void
test_list (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) point = back_up (fixture);
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GPtrArray) of_uuid = NULL;
  g_autoptr (GPtrArray) of_other = NULL;
  g_autofree char *only_location = g_strdup (point->location);

  save_snapshot (fixture, "somebody,else");
  reopen (fixture);
  points = vk_store_list (fixture->store, NULL, NULL);
  of_uuid = vk_store_list (fixture->store, TEST_DOMAIN_UUID, NULL);
  of_other = vk_store_list (fixture->store, "other", NULL);
  g_assert_cmpuint (points->len, ==, 1);
  g_assert_cmpuint (of_uuid->len, ==, 1);
  g_assert_cmpuint (of_other->len, ==, 0);
  g_assert_cmpstr (((VkPoint *) g_ptr_array_index (points, 0))->location, ==, only_location);
  g_assert_null (((VkPoint *) g_ptr_array_index (points, 0))->damage);
}

static void
test_damaged_point (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) point = back_up (fixture);
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GPtrArray) damages = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_damage_free);
  const VkPoint *sound;
  const VkPoint *damaged;

  save_snapshot (fixture, VK_RESTIC_TAG "," TEST_DOMAIN "," TEST_DOMAIN_UUID);
  reopen (fixture);
  points = vk_store_list (fixture->store, TEST_DOMAIN, NULL);
  g_assert_cmpuint (points->len, ==, 2);
  damaged = g_ptr_array_index (points, 0);
  sound = g_ptr_array_index (points, 1);
  if (damaged->manifest != NULL)
    {
      sound = damaged;
      damaged = g_ptr_array_index (points, 1);
    }
  g_assert_null (sound->damage);
  g_assert_cmpstr (sound->id, ==, point->id);
  g_assert_nonnull (strstr (damaged->damage, "manifest.json"));
  g_assert_cmpstr (damaged->domain, ==, TEST_DOMAIN_UUID);
  g_assert_cmpuint (strlen (damaged->id), ==, 16);
  g_assert_true (vk_store_verify (fixture->store, points, NULL, damages, NULL, NULL));
  g_assert_cmpuint (damages->len, ==, 1);
}

static void
test_wrong_password (Fixture *fixture, gconstpointer data)
{
  g_autofree char *url = g_strconcat ("restic:", fixture->repository, NULL);
  g_autofree char *path = g_build_filename (fixture->dir, "password", NULL);
  VkStoreSettings settings = { .password_file = path };
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, "wrong\n", -1, NULL));
  g_assert_null (vk_store_open (url, &settings, FALSE, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
}

static void
test_no_repository (Fixture *fixture, gconstpointer data)
{
  g_autofree char *url = g_strconcat ("restic:", fixture->sockets, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_store_open (url, NULL, TRUE, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_NOT_FOUND);
}

/* --- files ---------------------------------------------------------------- */

static void
test_files (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) point = back_up (fixture);
  const VkManifestFile *file = vk_manifest_find_file (point->manifest, "domain-xml");
  g_autofree char *path = g_build_filename (fixture->dir, "copy", NULL);
  g_autofree char *text = vk_store_load_file (fixture->store, point, file, KIB, NULL);
  g_autofree char *copy = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (text, ==, TEST_DOMAIN_XML);
  g_assert_true (vk_store_copy_file (fixture->store, point, file, path, NULL, NULL));
  g_assert_true (g_file_get_contents (path, &copy, NULL, NULL));
  g_assert_cmpstr (copy, ==, TEST_DOMAIN_XML);
  g_assert_false (vk_store_copy_file (fixture->store, point, file, path, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_null (vk_store_load_file (fixture->store, point, file, strlen (TEST_DOMAIN_XML) - 1, NULL));
}

static void
test_file_of_another_digest (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) point = back_up (fixture);
  const VkManifestFile *file = vk_manifest_find_file (point->manifest, "domain-xml");
  g_autofree char *path = g_build_filename (fixture->dir, "copy", NULL);
  g_autoptr (GError) error = NULL;

  file->sha256[0] ^= 1;
  g_assert_null (vk_store_load_file (fixture->store, point, file, KIB, NULL));
  g_assert_false (vk_store_copy_file (fixture->store, point, file, path, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* --- the door ------------------------------------------------------------- */

static gboolean
have_door (void)
{
  if (g_getenv ("VIRT_KEEP_NBDKIT_PLUGIN") != NULL)
    return test_have_programs ("nbdkit", NULL);
  g_test_skip ("the nbdkit plugin is not built");
  return FALSE;
}

static VkNbdServer *
open_door (Fixture *fixture, const VkPoint *point, GError **error)
{
  return vk_store_open_disk (fixture->store, point, g_ptr_array_index (point->manifest->disks, 0), fixture->sockets, error);
}

static void
test_door (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) point = NULL;
  g_autoptr (VkNbdServer) first = NULL;
  g_autoptr (VkNbdServer) second = NULL;
  g_autoptr (GError) error = NULL;

  if (!have_door ())
    return;
  point = back_up (fixture);
  first = open_door (fixture, point, &error);
  g_assert_no_error (error);
  second = open_door (fixture, point, &error);
  g_assert_no_error (error);
  test_assert_export (vk_nbd_server_uri (first), fixture->disk, DISK_BYTES);
  test_assert_export (vk_nbd_server_uri (second), fixture->disk, DISK_BYTES);
  vk_nbd_server_stop (first, &error);
  g_assert_no_error (error);
  test_assert_export (vk_nbd_server_uri (second), fixture->disk, DISK_BYTES);
}

static int
count_holes (void *user_data, const char *context, uint64_t offset, uint32_t *entries, size_t n, int *error)
{
  guint64 *holes = user_data;

  for (size_t i = 0; i < n; i += 2)
    *holes += entries[i + 1] == (LIBNBD_STATE_HOLE | LIBNBD_STATE_ZERO) ? entries[i] : 0;
  return 0;
}

static void
test_door_is_good (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) point = NULL;
  g_autoptr (VkNbdServer) door = NULL;
  struct nbd_handle *nbd;
  guint64 holes = 0;
  nbd_extent_callback callback = { .callback = count_holes, .user_data = &holes };

  if (!have_door ())
    return;
  point = back_up (fixture);
  door = open_door (fixture, point, NULL);
  nbd = nbd_create ();
  g_assert_cmpint (nbd_add_meta_context (nbd, LIBNBD_CONTEXT_BASE_ALLOCATION), ==, 0);
  g_assert_cmpint (nbd_connect_uri (nbd, vk_nbd_server_uri (door)), ==, 0);
  g_assert_cmpint (nbd_is_read_only (nbd), ==, 1);
  g_assert_cmpint (nbd_can_multi_conn (nbd), ==, 1);
  g_assert_cmpint (nbd_can_cache (nbd), ==, 1);
  g_assert_cmpint (nbd_get_size (nbd), ==, DISK_BYTES);
  g_assert_cmpint (nbd_block_status (nbd, DISK_BYTES, 0, callback, 0), ==, 0);
  g_assert_cmpuint (holes, ==, 2 * MIB);
  g_assert_cmpint (nbd_shutdown (nbd, 0), ==, 0);
  nbd_close (nbd);
}

/* Neither password is where other users of the host can read it. */
static void
test_door_tells_no_password (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) point = NULL;
  g_autoptr (VkNbdServer) door = NULL;
  g_autofree char *pid_file = NULL;
  g_autofree char *pid = NULL;
  g_autofree char *path = NULL;
  g_autofree char *arguments = NULL;
  g_autoptr (GDir) directory = NULL;
  const char *name;
  gsize length;

  if (!have_door ())
    return;
  point = back_up (fixture);
  door = open_door (fixture, point, NULL);
  directory = g_dir_open (fixture->sockets, 0, NULL);
  while ((name = g_dir_read_name (directory)) != NULL && !g_str_has_prefix (name, "nbd-"))
    ;
  g_assert_nonnull (name);
  pid_file = g_build_filename (fixture->sockets, name, "pid", NULL);
  g_assert_true (g_file_get_contents (pid_file, &pid, NULL, NULL));
  path = g_strdup_printf ("/proc/%s/cmdline", g_strchomp (pid));
  g_assert_true (g_file_get_contents (path, &arguments, &length, NULL));
  g_assert_nonnull (memmem (arguments, length, "nbdkit", strlen ("nbdkit")));
  g_assert_null (memmem (arguments, length, g_getenv ("RESTIC_PASSWORD"), strlen (g_getenv ("RESTIC_PASSWORD"))));
}

static void
test_door_of_no_snapshot (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) point = NULL;
  g_autoptr (GError) error = NULL;

  if (!have_door ())
    return;
  point = back_up (fixture);
  ((VkResticPoint *) point)->snapshot.bytes[0] ^= 1;
  g_assert_null (open_door (fixture, point, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_nonnull (strstr (error->message, "0 snapshots in the repository begin with"));
}

/* --- damage --------------------------------------------------------------- */

/* The paths of the packs, as the repository has them. */
static GPtrArray *
find_packs (Fixture *fixture)
{
  VkBackend *backend = vk_restic_backend (((VkResticStore *) fixture->store)->repo);
  g_autoptr (GPtrArray) entries = vk_backend_list (backend, VK_RESTIC_DATA, NULL, NULL);
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < entries->len; i++)
    {
      const VkBackendEntry *entry = g_ptr_array_index (entries, i);

      g_ptr_array_add (paths, g_strdup_printf ("%s/data/%.2s/%s", fixture->repository, entry->name, entry->name));
    }
  return paths;
}

static gboolean
is_larger (const char *path, gsize length)
{
  GStatBuf status;

  return g_stat (path, &status) == 0 && (gsize) status.st_size > length;
}

/* The pack with the disk in it: the only large one. */
static char *
find_data_pack (Fixture *fixture)
{
  g_autoptr (GPtrArray) packs = find_packs (fixture);

  for (guint i = 0; i < packs->len; i++)
    if (is_larger (g_ptr_array_index (packs, i), MIB))
      return g_strdup (g_ptr_array_index (packs, i));
  g_assert_not_reached ();
}

static void
change_byte (const char *path, gsize offset)
{
  g_autofree char *content = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (path, &content, &length, NULL));
  content[offset] ^= 1;
  g_assert_cmpint (g_chmod (path, 0600), ==, 0);
  g_assert_true (g_file_set_contents (path, content, (gssize) length, NULL));
}

static GPtrArray *
verify (Fixture *fixture, gboolean read)
{
  g_autoptr (GPtrArray) points = vk_store_list (fixture->store, NULL, NULL);
  GPtrArray *damages = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_damage_free);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (points);
  vk_store_verify (fixture->store, points, read ? fixture->sockets : NULL, damages, NULL, &error);
  g_assert_no_error (error);
  return damages;
}

static void
assert_only_damage (const GPtrArray *damages, const char *words, guint affects)
{
  const VkDamage *damage = g_ptr_array_index (damages, 0);

  g_assert_cmpuint (damages->len, ==, 1);
  if (strstr (damage->message, words) == NULL)
    g_error ("'%s' does not say '%s'", damage->message, words);
  g_assert_cmpuint (damage->affects->len, ==, affects);
}

static void
test_verify_sound (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) point = back_up (fixture);
  g_autoptr (GPtrArray) without = verify (fixture, FALSE);
  g_autoptr (GPtrArray) with = verify (fixture, TRUE);
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (without->len, ==, 0);
  g_assert_cmpuint (with->len, ==, 0);
  g_assert_true (vk_store_check_point (fixture->store, point, NULL, &error));
}

static void
test_verify_changed_byte (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) first = back_up (fixture);
  g_autoptr (VkPoint) second = back_up (fixture);
  g_autofree char *pack = find_data_pack (fixture);
  g_autoptr (GPtrArray) without = NULL;
  g_autoptr (GPtrArray) with = NULL;
  g_autoptr (GError) error = NULL;

  change_byte (pack, 700 * KIB);
  reopen (fixture);
  without = verify (fixture, FALSE);
  with = verify (fixture, TRUE);
  g_assert_cmpuint (without->len, ==, 0);
  assert_only_damage (with, "its bytes have changed; in 'vda.raw' of " TEST_DOMAIN "@", 2);
  g_assert_false (vk_store_check_point (fixture->store, second, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
}

/* With the disk the pack has the manifest of the first point; the second one, with
 * the same disk, has its manifest elsewhere. */
static void
assert_two_damages (const GPtrArray *damages, const char *words)
{
  g_assert_cmpuint (damages->len, ==, 2);
  for (guint i = 0; i < 2; i++)
    {
      const VkDamage *damage = g_ptr_array_index (damages, i);

      g_assert_cmpuint (damage->affects->len, ==, 1);
      if (!g_str_has_prefix (damage->message, "manifest.json: ")
          && (strstr (damage->message, words) == NULL || strstr (damage->message, ", 'vda.raw' of ") == NULL))
        g_error ("'%s' does not say '%s'", damage->message, words);
    }
}

static void
test_verify_lost_pack (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) first = back_up (fixture);
  g_autoptr (VkPoint) second = back_up (fixture);
  g_autofree char *pack = find_data_pack (fixture);
  g_autoptr (GPtrArray) damages = NULL;

  g_assert_cmpint (g_unlink (pack), ==, 0);
  reopen (fixture);
  damages = verify (fixture, FALSE);
  assert_two_damages (damages, "the pack is missing; in 'domain.xml' of " TEST_DOMAIN "@");
}

static void
test_verify_short_pack (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) first = back_up (fixture);
  g_autoptr (VkPoint) second = back_up (fixture);
  g_autofree char *pack = find_data_pack (fixture);
  g_autofree char *content = NULL;
  g_autoptr (GPtrArray) damages = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (pack, &content, &length, NULL));
  g_assert_cmpint (g_chmod (pack, 0600), ==, 0);
  g_assert_true (g_file_set_contents (pack, content, 800 * KIB, NULL));
  reopen (fixture);
  damages = verify (fixture, FALSE);
  assert_two_damages (damages, "the pack has been cut off after 819200 bytes; in 'domain.xml' of " TEST_DOMAIN "@");
}

static void
test_verify_other_manifest (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) point = back_up (fixture);
  g_autoptr (GPtrArray) points = g_ptr_array_new ();
  g_autoptr (GPtrArray) damages = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_damage_free);
  VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, 0);
  VkManifestFile *file = g_ptr_array_index (point->manifest->files, 0);

  g_ptr_array_add (points, point);
  disk->content_sha256[0] ^= 1;
  file->sha256[0] ^= 1;
  g_assert_true (vk_store_verify (fixture->store, points, fixture->sockets, damages, NULL, NULL));
  g_assert_cmpuint (damages->len, ==, 2);
  disk->virtual_size++;
  g_assert_true (vk_store_verify (fixture->store, points, NULL, damages, NULL, NULL));
  g_assert_cmpuint (damages->len, ==, 3);
}

/* What qemu-img would call an input/output error is told as what it is. */
static void
test_door_to_damage (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) point = NULL;
  g_autoptr (VkNbdServer) door = NULL;
  g_autofree char *pack = NULL;
  g_autofree guint8 *buffer = g_malloc (DISK_BYTES);
  struct nbd_handle *nbd;
  g_autoptr (GError) error = NULL;

  if (!have_door ())
    return;
  point = back_up (fixture);
  pack = find_data_pack (fixture);
  change_byte (pack, 700 * KIB);
  door = open_door (fixture, point, &error);
  g_assert_no_error (error);
  nbd = nbd_create ();
  g_assert_cmpint (nbd_connect_uri (nbd, vk_nbd_server_uri (door)), ==, 0);
  g_assert_cmpint (nbd_pread (nbd, buffer, DISK_BYTES, 0, 0), ==, -1);
  nbd_close (nbd);
  vk_nbd_server_explain (door, &error);
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_nonnull (strstr (error->message, "'vda.raw' of snapshot "));
  g_assert_nonnull (strstr (error->message, ", bytes "));
  g_assert_nonnull (strstr (error->message, "its bytes have changed"));
}

/* --- what restic wrote ---------------------------------------------------- */

static void
run_restic (Fixture *fixture, const char *command)
{
  g_autofree char *script = g_strdup_printf ("restic --no-cache -q -r '%s' %s", fixture->repository, command);

  test_run ("sh", "-c", script, NULL);
}

static void
test_file_of_restic (Fixture *fixture, gconstpointer data)
{
  VkRestic *repo = ((VkResticStore *) fixture->store)->repo;
  g_autofree char *path = g_build_filename (fixture->dir, "disk.raw", NULL);
  g_autofree char *command = NULL;
  g_autofree guint8 *buffer = g_malloc (DISK_BYTES);
  g_autoptr (GPtrArray) snapshots = NULL;
  g_autoptr (VkTreeNode) node = NULL;
  g_autoptr (VkDiskReader) reader = NULL;
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("restic", NULL))
    return;
  test_write_sparse (path, fixture->disk, DISK_BYTES);
  command = g_strdup_printf ("backup --stdin --stdin-filename vda.raw <'%s'", path);
  run_restic (fixture, command);
  snapshots = vk_snapshot_list (repo, NULL, &error);
  g_assert_cmpuint (snapshots->len, ==, 1);
  g_assert_true (vk_restic_load_index (repo, NULL, &error));
  node = vk_tree_find (repo, &((VkSnapshot *) g_ptr_array_index (snapshots, 0))->tree, "vda.raw", NULL, &error);
  g_assert_no_error (error);
  reader = vk_disk_reader_new (repo, "vda.raw", node->content, node->size, 0, &error);
  g_assert_no_error (error);
  g_assert_true (vk_disk_reader_read (reader, buffer, 0, DISK_BYTES, NULL, &error));
  g_assert_cmpint (memcmp (buffer, fixture->disk, DISK_BYTES), ==, 0);
  points = vk_store_list (fixture->store, NULL, &error);
  g_assert_cmpuint (points->len, ==, 0);
}

/* A prune moves what the index that we have read says. */
static void
test_moved_packs (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPoint) first = NULL;
  g_autoptr (VkPoint) second = NULL;
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GPtrArray) damages = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_damage_free);
  g_autofree char *name = NULL;
  g_autofree char *command = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("restic", NULL))
    return;
  first = back_up (fixture);
  memset (fixture->disk + 4 * MIB, 0x11, MIB);
  second = back_up (fixture);
  reopen (fixture);
  points = vk_store_list (fixture->store, NULL, &error);
  g_assert_cmpuint (points->len, ==, 2);
  name = vk_restic_id_to_string (&((const VkResticPoint *) g_ptr_array_index (points, 0))->snapshot);
  command = g_strdup_printf ("forget --prune --max-unused 0 %s", name);
  run_restic (fixture, command);
  g_ptr_array_remove_index (points, 0);
  g_assert_true (vk_store_verify (fixture->store, points, fixture->sockets, damages, NULL, &error));
  g_assert_cmpuint (damages->len, ==, 0);
}

#define ADD(name, test) g_test_add ("/restic-point/" name, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_autofree char *cache = g_dir_make_tmp ("virt-keep-cache-XXXXXX", NULL);
  int code;

  g_setenv ("RESTIC_PASSWORD", "secret", TRUE);
  g_setenv ("XDG_CACHE_HOME", cache, TRUE);
  g_unsetenv ("RESTIC_PASSWORD_FILE");
  g_unsetenv ("RESTIC_PASSWORD_COMMAND");
  g_test_init (&argc, &argv, NULL);
  ADD ("list", test_list);
  ADD ("verdict", test_verdict);
  ADD ("verdicts", test_verdicts);
  ADD ("damaged-point", test_damaged_point);
  ADD ("wrong-password", test_wrong_password);
  ADD ("no-repository", test_no_repository);
  ADD ("files", test_files);
  ADD ("file-of-another-digest", test_file_of_another_digest);
  ADD ("door", test_door);
  ADD ("door-is-good", test_door_is_good);
  ADD ("door-tells-no-password", test_door_tells_no_password);
  ADD ("door-of-no-snapshot", test_door_of_no_snapshot);
  ADD ("verify/sound", test_verify_sound);
  ADD ("verify/changed-byte", test_verify_changed_byte);
  ADD ("verify/lost-pack", test_verify_lost_pack);
  ADD ("verify/short-pack", test_verify_short_pack);
  ADD ("verify/other-manifest", test_verify_other_manifest);
  ADD ("door-to-damage", test_door_to_damage);
  ADD ("file-of-restic", test_file_of_restic);
  ADD ("moved-packs", test_moved_packs);
  code = g_test_run ();
  test_directory_free (g_steal_pointer (&cache));
  return code;
}
