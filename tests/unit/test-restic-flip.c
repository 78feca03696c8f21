/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small repository, of which one byte after the other is changed, each file is
 * cut off everywhere, and each file removed: what is read is an error or what
 * was written. */
#include "config.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "restic-fixture.h"

enum { DISK_BYTES = 2500, CHUNK_BYTES = 1000 };

static const VkResticOptions options = { .no_cache = TRUE };

typedef struct
{
  char *dir;
  guint8 disk[DISK_BYTES];
  VkResticId snapshot;
  guint intact; /* how often all of it was read */
} Fixture;

static VkRestic *
open_repository (Fixture *fixture, GError **error)
{
  return vk_restic_open (vk_backend_local_new (fixture->dir, NULL), "secret", &options, NULL, error);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkRestic) repo = NULL;
  g_autoptr (VkResticSaver) saver = NULL;
  g_autoptr (GError) error = NULL;

  fixture->dir = g_dir_make_tmp ("virt-keep-test-XXXXXX", NULL);
  restic_make_repository (fixture->dir, "secret");
  /* The first chunk can be compressed, the others cannot. */
  memset (fixture->disk, 'x', CHUNK_BYTES);
  vk_restic_random (fixture->disk + CHUNK_BYTES, DISK_BYTES - CHUNK_BYTES);
  repo = open_repository (fixture, &error);
  g_assert_no_error (error);
  saver = vk_restic_saver_new (repo, NULL, NULL);
  g_assert_true (restic_save_point (repo, NULL, saver, fixture->disk, DISK_BYTES, CHUNK_BYTES, &fixture->snapshot, &error));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_true (vk_tree_remove (fixture->dir, NULL));
  g_free (fixture->dir);
}

/* All of it by way of the list, as a command would. */
static gboolean
read_everything (Fixture *fixture, GError **error)
{
  g_autoptr (VkRestic) repo = open_repository (fixture, error);
  g_autoptr (GPtrArray) snapshots = repo ? vk_snapshot_list (repo, NULL, error) : NULL;
  g_autoptr (GByteArray) manifest = NULL;
  g_autoptr (GByteArray) disk = NULL;
  const VkSnapshot *snapshot;

  if (snapshots == NULL)
    return FALSE;
  if (snapshots->len == 0)
    {
      g_set_error_literal (error, VK_ERROR, VK_ERROR_NOT_FOUND, "no snapshot");
      return FALSE;
    }
  g_assert_cmpuint (snapshots->len, ==, 1);
  snapshot = g_ptr_array_index (snapshots, 0);
  if (snapshot->damage != NULL)
    {
      g_set_error_literal (error, VK_ERROR, VK_ERROR_DAMAGED, snapshot->damage);
      return FALSE;
    }
  disk = restic_load_file (repo, &snapshot->id, "/vda.raw", error);
  manifest = disk ? restic_load_file (repo, &snapshot->id, "/manifest.json", error) : NULL;
  if (manifest == NULL)
    return FALSE;
  g_assert_cmpmem (disk->data, disk->len, fixture->disk, DISK_BYTES);
  return TRUE;
}

/* Returns whether the damage was found. */
static gboolean
try (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  if (read_everything (fixture, &error))
    {
      fixture->intact++;
      return FALSE;
    }
  g_assert_true (error->domain == VK_ERROR);
  g_assert_true (error->code == VK_ERROR_DAMAGED || error->code == VK_ERROR_NOT_FOUND || error->code == VK_ERROR_REFUSED || error->code == VK_ERROR_STORE);
  return TRUE;
}

/* Calls function for each file of the repository, with its content. */
static void
for_each_file (Fixture *fixture, const char *directory, void (*function) (Fixture *, const char *, char *, gsize))
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (directory, name, NULL);
      g_autofree char *content = NULL;
      gsize length;

      if (g_file_test (path, G_FILE_TEST_IS_DIR))
        for_each_file (fixture, path, function);
      else if (g_file_get_contents (path, &content, &length, NULL))
        function (fixture, path, content, length);
    }
}

static void
replace (const char *path, const char *content, gsize length)
{
  /* Without waiting for the disk, thousands of times. */
  FILE *file = g_fopen (path, "w");

  g_assert_nonnull (file);
  g_assert_cmpuint (fwrite (content, 1, length, file), ==, length);
  g_assert_cmpint (fclose (file), ==, 0);
}

/* What the pack's own list says is not needed to read blobs. */
static gboolean
is_pack (const char *path)
{
  return strstr (path, "/data/") != NULL;
}

static gboolean
is_key (const char *path)
{
  return strstr (path, "/keys/") != NULL;
}

/* Every byte, or some of them where each takes long. */
static gsize
step (void)
{
  const char *valgrind = g_getenv ("VG");

  return valgrind != NULL && *valgrind != '\0' ? 13 : 1;
}

static void
flip_bytes (Fixture *fixture, const char *path, char *content, gsize length)
{
  for (gsize i = 0; i < length; i += step ())
    {
      char flip = (char) (1 << i % 8);
      gboolean found;

      content[i] ^= flip;
      replace (path, content, length);
      found = try (fixture);
      content[i] ^= flip;
      /* Everything else is authenticated to the last byte. */
      if (!found && !is_pack (path) && !is_key (path))
        g_error ("a change of byte %" G_GSIZE_FORMAT " of %s was not found", i, path);
    }
  replace (path, content, length);
  g_assert_false (try (fixture));
}

static void
cut_off (Fixture *fixture, const char *path, char *content, gsize length)
{
  for (gsize i = 0; i < length; i += step ())
    {
      replace (path, content, i);
      if (!try (fixture) && !is_pack (path))
        g_error ("%s was cut off at %" G_GSIZE_FORMAT ", and that was not found", path, i);
    }
  replace (path, content, length);
  g_assert_false (try (fixture));
}

static void
remove_file (Fixture *fixture, const char *path, char *content, gsize length)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_true (try (fixture));
  replace (path, content, length);
  g_assert_false (try (fixture));
}

static void
test_flip (Fixture *fixture, gconstpointer data)
{
  for_each_file (fixture, fixture->dir, flip_bytes);
}

static void
test_cut_off (Fixture *fixture, gconstpointer data)
{
  for_each_file (fixture, fixture->dir, cut_off);
}

static void
test_remove (Fixture *fixture, gconstpointer data)
{
  for_each_file (fixture, fixture->dir, remove_file);
  /* Config, key, snapshot, the two indexes of two flushes, two packs of data and
   * one of trees. */
  g_assert_cmpuint (fixture->intact, ==, 8);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/restic/flip/a changed byte anywhere", Fixture, NULL, set_up, test_flip, tear_down);
  g_test_add ("/restic/flip/a file cut off anywhere", Fixture, NULL, set_up, test_cut_off, tear_down);
  g_test_add ("/restic/flip/a missing file", Fixture, NULL, set_up, test_remove, tear_down);
  return g_test_run ();
}
