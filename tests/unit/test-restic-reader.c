/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any range of a file of a repository, whatever lengths its blobs have, is read
 * as it was written, or not at all. */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "nbd-fixture.h"
#include "restic-fixture.h"
#include "store/restic/disk-reader.h"

enum
{
  KIB = 1024,
  MIB = 1024 * 1024,
  /* No multiple of any chunk size. */
  DISK_BYTES = 7 * MIB + 12345,
  CHUNK_BYTES = MIB,
  READS = 300,
};

typedef struct
{
  char *dir;
  guint8 *disk;
  VkRestic *repo;
  VkResticSaver *saver;
} Fixture;

/* Data, but for zeros from 2 MiB to 4 MiB and in the last 1000 bytes. */
static guint8 *
make_disk (void)
{
  guint8 *disk = g_malloc (DISK_BYTES);

  test_fill (disk, DISK_BYTES, 7);
  memset (disk + 2 * MIB, 0, 2 * MIB);
  memset (disk + DISK_BYTES - 1000, 0, 1000);
  return disk;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  static const VkResticOptions options = { .no_cache = TRUE };
  static const VkResticSaverOptions saver_options = { .pack_size = VK_PACK_SIZE_MIN };

  fixture->dir = test_directory_new ();
  fixture->disk = make_disk ();
  fixture->repo = restic_make_and_open (fixture->dir, &options);
  fixture->saver = vk_restic_saver_new (fixture->repo, &saver_options, NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  vk_restic_saver_free (fixture->saver);
  vk_restic_close (fixture->repo);
  test_directory_free (fixture->dir);
  g_free (fixture->disk);
}

/* Saves the disk in chunks of one size, 0: as many different ones. */
static VkContent *
save (Fixture *fixture, gsize chunk_bytes)
{
  g_autoptr (VkContent) content = NULL;
  g_autoptr (GError) error = NULL;

  if (chunk_bytes > 0)
    content = restic_save_file (fixture->saver, fixture->disk, DISK_BYTES, chunk_bytes, &error);
  else
    {
      content = vk_content_new ();
      for (gsize offset = 0, length = 1; offset < DISK_BYTES; offset += length, length = length * 3 + 1)
        {
          VkResticId id;

          length = MIN (MIN (length, MIB + 17), DISK_BYTES - offset);
          g_assert_true (vk_restic_saver_add (fixture->saver, VK_BLOB_DATA, fixture->disk + offset, length, &id, &error));
          vk_content_append (content, &id, 1);
        }
      vk_restic_saver_flush (fixture->saver, &error);
    }
  g_assert_no_error (error);
  return g_steal_pointer (&content);
}

static VkDiskReader *
open_reader (Fixture *fixture, VkContent *content, guint64 chunk_size)
{
  g_autoptr (GError) error = NULL;
  VkDiskReader *reader = vk_disk_reader_new (fixture->repo, "the disk", content, DISK_BYTES, chunk_size, &error);

  g_assert_no_error (error);
  return reader;
}

static void
assert_range (Fixture *fixture, VkDiskReader *reader, guint64 offset, gsize length)
{
  g_autofree guint8 *buffer = g_malloc (length + 1);
  g_autoptr (GError) error = NULL;

  buffer[length] = 0x5a;
  g_assert_true (vk_disk_reader_read (reader, buffer, offset, length, NULL, &error));
  g_assert_cmpint (memcmp (buffer, fixture->disk + offset, length), ==, 0);
  g_assert_cmpuint (buffer[length], ==, 0x5a);
}

static void
test_any_range (Fixture *fixture, gconstpointer chunk_bytes)
{
  g_autoptr (VkContent) content = save (fixture, GPOINTER_TO_SIZE (chunk_bytes));
  g_autoptr (VkDiskReader) reader = open_reader (fixture, content, GPOINTER_TO_SIZE (chunk_bytes));
  g_autoptr (GRand) random = g_rand_new_with_seed (1);

  g_assert_cmpuint (vk_disk_map_size (vk_disk_reader_map (reader)), ==, DISK_BYTES);
  assert_range (fixture, reader, 0, DISK_BYTES);
  assert_range (fixture, reader, DISK_BYTES - 1, 1);
  assert_range (fixture, reader, DISK_BYTES, 0);
  for (guint i = 0; i < READS; i++)
    {
      guint64 offset = (guint64) g_rand_int_range (random, 0, DISK_BYTES);
      gsize length = (gsize) g_rand_int_range (random, 0, 1 << g_rand_int_range (random, 1, 22));

      assert_range (fixture, reader, offset, (gsize) MIN (length, DISK_BYTES - offset));
    }
}

static void
test_zeros_are_seen (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkContent) content = save (fixture, 512 * KIB);
  g_autoptr (VkDiskReader) reader = open_reader (fixture, content, 512 * KIB);
  const VkDiskMap *map = vk_disk_reader_map (reader);
  VkDiskState state;

  g_assert_cmpuint (vk_disk_map_run (map, 0, &state), ==, 2 * MIB);
  g_assert_cmpint (state, ==, VK_DISK_DATA);
  g_assert_cmpuint (vk_disk_map_run (map, 2 * MIB, &state), ==, 2 * MIB);
  g_assert_cmpint (state, ==, VK_DISK_ZERO);
  g_assert_cmpuint (vk_disk_map_run (map, 2 * MIB + 700 * KIB, &state), ==, 2 * MIB - 700 * KIB);
  g_assert_cmpint (state, ==, VK_DISK_ZERO);
  g_assert_cmpuint (vk_disk_map_run (map, 4 * MIB, &state), ==, DISK_BYTES - 4 * MIB);
  g_assert_cmpint (state, ==, VK_DISK_DATA);
}

/* A chunk of zeros that is one blob, alone and at the end. */
static void
test_other_zero_blobs (Fixture *fixture, gconstpointer data)
{
  static const gsize lengths[] = { 2 * MIB, 2 * MIB, 2 * MIB, DISK_BYTES - 6 * MIB };
  g_autoptr (VkContent) content = vk_content_new ();
  g_autoptr (VkDiskReader) reader = NULL;
  VkDiskState state;
  gsize offset = 0;

  memset (fixture->disk + 6 * MIB, 0, DISK_BYTES - 6 * MIB);
  for (gsize i = 0; i < G_N_ELEMENTS (lengths); offset += lengths[i++])
    {
      VkResticId id;

      g_assert_true (vk_restic_saver_add (fixture->saver, VK_BLOB_DATA, fixture->disk + offset, lengths[i], &id, NULL));
      vk_content_append (content, &id, 1);
    }
  g_assert_true (vk_restic_saver_flush (fixture->saver, NULL));
  reader = open_reader (fixture, content, 2 * MIB);
  g_assert_cmpuint (vk_disk_map_run (vk_disk_reader_map (reader), 2 * MIB, &state), ==, 2 * MIB);
  g_assert_cmpint (state, ==, VK_DISK_ZERO);
  g_assert_cmpuint (vk_disk_map_run (vk_disk_reader_map (reader), 6 * MIB, &state), ==, DISK_BYTES - 6 * MIB);
  g_assert_cmpint (state, ==, VK_DISK_ZERO);
  assert_range (fixture, reader, 0, DISK_BYTES);
}

static gpointer
read_all (gpointer user_data)
{
  gpointer *arguments = user_data;

  for (guint i = 0; i < 3; i++)
    for (guint64 offset = 0; offset < DISK_BYTES; offset += 100 * KIB)
      assert_range (arguments[0], arguments[1], offset, (gsize) MIN (100 * KIB, DISK_BYTES - offset));
  return NULL;
}

static void
test_many_threads (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkContent) content = save (fixture, CHUNK_BYTES);
  g_autoptr (VkDiskReader) reader = open_reader (fixture, content, CHUNK_BYTES);
  gpointer arguments[] = { fixture, reader };
  GThread *threads[8];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("reader", read_all, arguments);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static void
test_empty (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VkDiskReader) reader = vk_disk_reader_new (fixture->repo, "the disk", NULL, 0, 0, &error);

  g_assert_no_error (error);
  g_assert_true (vk_disk_reader_read (reader, NULL, 0, 0, NULL, &error));
}

static void
test_wrong_size (Fixture *fixture, gconstpointer data)
{
  static const guint64 sizes[] = { DISK_BYTES - 1, DISK_BYTES + 1, 0, G_MAXUINT64 };
  g_autoptr (VkContent) content = save (fixture, CHUNK_BYTES);

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (vk_disk_reader_new (fixture->repo, "the disk", content, sizes[i], CHUNK_BYTES, &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
    }
}

/* An id that no index lists, in the place of a chunk of data. */
static VkContent *
lose_chunk (const VkContent *content, guint64 index)
{
  VkContent *lost = vk_content_new ();
  VkResticId nowhere = { { 1 } };

  for (guint64 i = 0; i < vk_content_length (content); i++)
    vk_content_append (lost, i == index ? &nowhere : vk_content_get (content, i), 1);
  return lost;
}

static void
test_missing_blob (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkContent) content = save (fixture, CHUNK_BYTES);
  g_autoptr (VkContent) lost = lose_chunk (content, 1);
  g_autoptr (VkDiskReader) reader = open_reader (fixture, lost, CHUNK_BYTES);
  g_autoptr (GError) error = NULL;
  guint8 byte;

  assert_range (fixture, reader, 0, MIB);
  assert_range (fixture, reader, 2 * MIB, DISK_BYTES - 2 * MIB);
  g_assert_false (vk_disk_reader_read (reader, &byte, MIB + 17, 1, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_NOT_FOUND);
  g_assert_true (g_str_has_prefix (error->message, "the disk, bytes 1048576 to 2097151: the data blob 01"));
}

static void
test_missing_last_blob (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkContent) content = save (fixture, CHUNK_BYTES);
  g_autoptr (VkContent) lost = lose_chunk (content, vk_content_length (content) - 1);
  g_autoptr (VkDiskReader) reader = open_reader (fixture, lost, CHUNK_BYTES);
  g_autoptr (GError) error = NULL;
  guint8 byte;

  assert_range (fixture, reader, 0, 7 * MIB);
  g_assert_false (vk_disk_reader_read (reader, &byte, 7 * MIB, 1, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_NOT_FOUND);
}

/* Where lengths vary, nobody knows the place of what comes behind it. */
static void
test_missing_blob_without_place (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkContent) content = save (fixture, 0);
  g_autoptr (VkContent) lost = lose_chunk (content, 3);
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) error_of_chunks = NULL;

  g_assert_null (vk_disk_reader_new (fixture->repo, "the disk", lost, DISK_BYTES, 0, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_NOT_FOUND);
  g_assert_null (vk_disk_reader_new (fixture->repo, "the disk", lost, DISK_BYTES, CHUNK_BYTES, &error_of_chunks));
  g_assert_error (error_of_chunks, VK_ERROR, VK_ERROR_NOT_FOUND);
}

/* --- damaged packs -------------------------------------------------------- */

/* The paths of all packs. */
static GPtrArray *
find_packs (Fixture *fixture)
{
  g_autoptr (GPtrArray) entries = vk_backend_list (vk_restic_backend (fixture->repo), VK_RESTIC_DATA, NULL, NULL);
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < entries->len; i++)
    {
      const VkBackendEntry *entry = g_ptr_array_index (entries, i);

      g_ptr_array_add (paths, g_strdup_printf ("%s/data/%.2s/%s", fixture->dir, entry->name, entry->name));
    }
  return paths;
}

/* Changes the byte at offset of the file, or changes it back. */
static void
flip (const char *path, gsize offset)
{
  FILE *file = g_fopen (path, "r+");
  int byte;

  g_assert_nonnull (file);
  g_assert_cmpint (fseek (file, (long) offset, SEEK_SET), ==, 0);
  byte = fgetc (file);
  g_assert_cmpint (fseek (file, (long) offset, SEEK_SET), ==, 0);
  g_assert_cmpint (fputc (byte ^ 0x40, file), !=, EOF);
  g_assert_cmpint (fclose (file), ==, 0);
}

/* Reads every chunk; what can be read is what was written.  Returns how many
 * could not be. */
static guint
count_lost (Fixture *fixture, VkContent *content)
{
  g_autoptr (VkDiskReader) reader = open_reader (fixture, content, CHUNK_BYTES);
  g_autofree guint8 *buffer = g_malloc (CHUNK_BYTES);
  guint lost = 0;

  for (guint64 offset = 0; offset < DISK_BYTES; offset += CHUNK_BYTES)
    {
      gsize length = (gsize) MIN (CHUNK_BYTES, DISK_BYTES - offset);
      g_autoptr (GError) error = NULL;

      if (vk_disk_reader_read (reader, buffer, offset, length, NULL, &error))
        g_assert_cmpint (memcmp (buffer, fixture->disk + offset, length), ==, 0);
      else
        {
          g_autofree char *range = g_strdup_printf ("the disk, bytes %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ": ", offset, offset + length - 1);

          g_assert_true (g_error_matches (error, VK_ERROR, VK_ERROR_DAMAGED) || g_error_matches (error, VK_ERROR, VK_ERROR_NOT_FOUND));
          g_assert_true (g_str_has_prefix (error->message, range));
          lost++;
        }
    }
  return lost;
}

/* A repository without what its cache holds. */
static void
reopen (Fixture *fixture)
{
  static const VkResticOptions options = { .no_cache = TRUE, .cache_bytes = 1 };
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&fixture->saver, vk_restic_saver_free);
  vk_restic_close (fixture->repo);
  fixture->repo = vk_restic_open (vk_backend_local_new (fixture->dir, NULL), "secret", &options, NULL, &error);
  g_assert_no_error (error);
  vk_restic_load_index (fixture->repo, NULL, &error);
  g_assert_no_error (error);
}

static void
test_flipped_bytes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkContent) content = save (fixture, CHUNK_BYTES);
  g_autoptr (GPtrArray) packs = find_packs (fixture);
  guint lost = 0;

  reopen (fixture);
  g_assert_cmpuint (count_lost (fixture, content), ==, 0);
  for (guint i = 0; i < packs->len; i++)
    for (gsize offset = 0; offset < MIB; offset += 250 * KIB + 1)
      {
        const char *path = g_ptr_array_index (packs, i);
        guint now;

        flip (path, offset);
        now = count_lost (fixture, content);
        g_assert_cmpuint (now, <=, 1);
        lost += now;
        flip (path, offset);
      }
  g_assert_cmpuint (lost, >, packs->len);
}

static void
test_lost_and_short_packs (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkContent) content = save (fixture, CHUNK_BYTES);
  g_autoptr (GPtrArray) packs = find_packs (fixture);

  reopen (fixture);
  for (guint i = 0; i < packs->len; i++)
    {
      const char *path = g_ptr_array_index (packs, i);
      g_autofree char *pack = NULL;
      gsize length;

      g_assert_true (g_file_get_contents (path, &pack, &length, NULL));
      g_assert_cmpint (g_chmod (path, 0600), ==, 0);
      g_assert_true (g_file_set_contents (path, pack, (gssize) length / 2, NULL));
      g_assert_cmpuint (count_lost (fixture, content), >, 0);
      g_assert_cmpint (g_unlink (path), ==, 0);
      g_assert_cmpuint (count_lost (fixture, content), >, 0);
      g_assert_true (g_file_set_contents (path, pack, (gssize) length, NULL));
    }
  g_assert_cmpuint (count_lost (fixture, content), ==, 0);
}

#define ADD(name, data, test) g_test_add ("/restic-reader/" name, Fixture, data, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("any-range/512-KiB", GSIZE_TO_POINTER (512 * KIB), test_any_range);
  ADD ("any-range/1-MiB", GSIZE_TO_POINTER (MIB), test_any_range);
  ADD ("any-range/4-MiB", GSIZE_TO_POINTER (4 * MIB), test_any_range);
  ADD ("any-range/different-lengths", NULL, test_any_range);
  ADD ("zeros-are-seen", NULL, test_zeros_are_seen);
  ADD ("other-zero-blobs", NULL, test_other_zero_blobs);
  ADD ("many-threads", NULL, test_many_threads);
  ADD ("empty", NULL, test_empty);
  ADD ("wrong-size", NULL, test_wrong_size);
  ADD ("missing-blob", NULL, test_missing_blob);
  ADD ("missing-last-blob", NULL, test_missing_last_blob);
  ADD ("missing-blob-without-place", NULL, test_missing_blob_without_place);
  ADD ("flipped-bytes", NULL, test_flipped_bytes);
  ADD ("lost-and-short-packs", NULL, test_lost_and_short_packs);
  return g_test_run ();
}
