/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks in chunks: contents are what was put together, in whatever order, and a
 * transfer into a repository is the disk. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "nbd-fixture.h"
#include "restic-fixture.h"
#include "store/restic/disk-content.h"
#include "store/restic/restic-sink.h"
#include "transfer/transfer.h"

enum { KIB = 1 << 10, MIB = 1 << 20 };

static void
test_chunk_sizes (void)
{
  guint64 gib = G_GUINT64_CONSTANT (1) << 30;
  guint64 last = VK_CHUNK_SIZE_MIN;

  g_assert_cmpuint (vk_chunks_choose_size (0), ==, VK_CHUNK_SIZE_MIN);
  for (guint64 size = gib; size <= 100000 * gib; size += size / 2)
    {
      guint64 chunk = vk_chunks_choose_size (size);

      g_assert_cmpuint (chunk, >=, last);
      g_assert_cmpuint (chunk, <=, VK_CHUNK_SIZE_MAX);
      last = chunk;
    }
}

/* An id that is of no zeroes. */
static VkResticId
id_of (guint64 number)
{
  VkResticId id;

  vk_restic_id_of (&number, sizeof number, &id);
  return id;
}

/* Whether the chunk is one of zeroes, in the test below. */
static gboolean
is_zero_chunk (guint64 index)
{
  return index % 7 < 3;
}

static void
assert_content (const VkChunks *chunks, const VkContent *content, guint64 changed_from, guint64 changed_to)
{
  VkChunkReader reader = { .chunks = chunks, .content = content };
  const VkResticId *id;

  for (guint64 i = 0; i < chunks->count; i++)
    {
      VkResticId expected = id_of (i >= changed_from && i < changed_to ? i + 1000000 : i);

      g_assert_true (vk_chunk_reader_next (&reader, &id));
      if (is_zero_chunk (i) && (i < changed_from || i >= changed_to))
        g_assert_null (id);
      else
        g_assert_true (id != NULL && vk_restic_id_equal (id, &expected));
    }
  g_assert_false (vk_chunk_reader_next (&reader, &id));
  g_assert_true (vk_chunk_reader_at_end (&reader));
}

/* Tells the disk of every chunk, a few out of order. */
static void
note_all (VkDiskContent *disk, guint64 count)
{
  for (guint64 group = 0; group < count; group += 5)
    for (guint64 i = MIN (group + 5, count); i-- > group;)
      {
        VkResticId id = id_of (i);

        vk_disk_content_note (disk, i, 1, is_zero_chunk (i) ? NULL : &id);
      }
}

static void
check_content (guint64 size, guint64 chunk_size)
{
  VkDiskContent *disk;
  VkChunkWriter writer;
  VkChunks chunks;
  g_autoptr (VkContent) content = NULL;
  g_autoptr (VkContent) next = NULL;

  vk_chunks_init (&chunks, size, chunk_size);
  disk = vk_disk_content_new (&chunks, NULL);
  note_all (disk, chunks.count);
  content = vk_disk_content_finish (disk, &writer, NULL);
  vk_disk_content_free (disk);
  assert_content (&chunks, content, 0, 0);
  g_assert_cmpuint (writer.bytes, ==, size);
  g_assert_true (writer.has_piece == (size >= chunk_size));

  /* Two runs of changed chunks, the later one first. */
  disk = vk_disk_content_new (&chunks, content);
  for (guint64 i = chunks.count; i-- > chunks.count / 2;)
    {
      VkResticId id = id_of (i + 1000000);

      vk_disk_content_note (disk, i, 1, &id);
    }
  next = vk_disk_content_finish (disk, &writer, NULL);
  vk_disk_content_free (disk);
  assert_content (&chunks, next, chunks.count / 2, chunks.count);
  g_assert_cmpuint (writer.bytes, ==, size);
}

static void
test_content (void)
{
  for (guint64 chunk_size = VK_CHUNK_SIZE_MIN; chunk_size <= VK_CHUNK_SIZE_MAX; chunk_size *= 2)
    {
      check_content (chunk_size * 100, chunk_size);
      check_content (chunk_size * 99 + 512, chunk_size);
      check_content (chunk_size * 1000 + chunk_size / 2, chunk_size);
      check_content (chunk_size - 1, chunk_size);
      check_content (chunk_size, chunk_size);
    }
}

/* An incremental of a million scattered chunks takes no more than a moment. */
static void
test_scattered (void)
{
  VkDiskContent *disk;
  VkChunkWriter writer;
  VkChunks chunks;
  g_autoptr (VkContent) base = vk_content_new ();
  g_autoptr (VkContent) content = NULL;
  VkResticId old = id_of (1);
  VkResticId new = id_of (2);
  gint64 began = g_get_monotonic_time ();

  vk_chunks_init (&chunks, G_GUINT64_CONSTANT (1) << 40, MIB);
  vk_content_append (base, &old, chunks.count);
  disk = vk_disk_content_new (&chunks, base);
  for (guint64 i = 1; i < chunks.count; i += 2)
    vk_disk_content_note (disk, i, 1, &new);
  content = vk_disk_content_finish (disk, &writer, NULL);
  vk_disk_content_free (disk);
  g_assert_cmpuint (vk_content_length (content), ==, chunks.count);
  g_assert_true (vk_restic_id_equal (vk_content_get (content, 12345), &new));
  g_assert_true (vk_restic_id_equal (vk_content_get (content, 12346), &old));
  g_assert_cmpint (g_get_monotonic_time () - began, <, 30 * G_USEC_PER_SEC);
}

static void
test_gaps (void)
{
  VkChunks chunks;
  VkChunkWriter writer;
  VkResticId id = id_of (1);
  g_autoptr (VkContent) short_base = vk_content_new ();

  vk_chunks_init (&chunks, 10 * MIB, MIB);
  vk_content_append (short_base, &id, 9);
  for (guint i = 0; i < 2; i++)
    {
      VkDiskContent *disk = vk_disk_content_new (&chunks, i ? short_base : NULL);
      g_autoptr (GError) error = NULL;

      vk_disk_content_note (disk, 0, 3, NULL);
      vk_disk_content_note (disk, 4, 4, NULL);
      g_assert_null (vk_disk_content_finish (disk, &writer, &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
      vk_disk_content_free (disk);
    }
}

/* --- with a repository -------------------------------------------------------- */

typedef struct
{
  char *dir;
  VkRestic *repo;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  VkResticOptions options = { .no_cache = TRUE };
  g_autofree char *path = NULL;

  fixture->dir = test_directory_new ();
  path = g_build_filename (fixture->dir, "repo", NULL);
  fixture->repo = restic_make_and_open (path, &options);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  vk_restic_close (fixture->repo);
  test_directory_free (fixture->dir);
}

static void
assert_disk (Fixture *fixture, const VkResticDisk *disk, const guint8 *bytes, gsize length)
{
  gsize at = 0;

  for (guint64 i = 0; i < vk_content_length (disk->content); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) blob = vk_restic_load_blob (fixture->repo, VK_BLOB_DATA, vk_content_get (disk->content, i), NULL, &error);
      gsize size;
      const guint8 *data;

      g_assert_no_error (error);
      data = g_bytes_get_data (blob, &size);
      g_assert_cmpuint (size, <=, length - at);
      g_assert_true (memcmp (data, bytes + at, size) == 0);
      at += size;
    }
  g_assert_cmpuint (at, ==, length);
  g_assert_cmpuint (disk->content_bytes, ==, length);
}

static void
check_transfer (Fixture *fixture, const char *filter, gsize length, guint64 chunk_size)
{
  g_autofree char *name = g_strdup_printf ("%" G_GUINT64_FORMAT ".raw", chunk_size);
  g_autofree char *raw = g_build_filename (fixture->dir, name, NULL);
  g_autofree guint8 *bytes = g_malloc0 (length);
  g_autoptr (GCancellable) stop = g_cancellable_new ();
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, NULL, stop);
  VkResticDisk disk = { .target = (char *) "vda" };
  VkTransferOptions options = { .disk = "vda", .max_connections = 4 };
  g_autoptr (TestServer) source = NULL;
  g_autoptr (VkSink) sink = NULL;
  g_autoptr (GError) error = NULL;

  for (gsize at = 0; at < length; at += 3 * MIB)
    test_fill (bytes + at, MIN (1700 * KIB, length - at), (guint32) at + 1);
  test_write_sparse (raw, bytes, length);
  source = test_nbdkit (fixture->dir, filter, "file", raw, "rdelay=10ms", NULL);
  options.uri = source->uri;
  vk_chunks_init (&disk.chunks, length, chunk_size);
  sink = vk_restic_sink_new (&disk, saver, stop);
  vk_transfer_run (&options, sink, NULL, NULL, &error);
  g_assert_no_error (error);
  vk_restic_saver_flush (saver, &error);
  g_assert_no_error (error);
  assert_disk (fixture, &disk, bytes, length);
  vk_content_unref (disk.content);
}

static void
test_transfer (Fixture *fixture, gconstpointer data)
{
  if (!test_have_programs ("nbdkit", NULL))
    return;
  check_transfer (fixture, "--filter=delay", 40 * MIB + 12345, VK_CHUNK_SIZE_MIN);
  check_transfer (fixture, "--filter=delay", 65 * MIB + 512, VK_CHUNK_SIZE_MAX);
}

/* --- without a transfer ------------------------------------------------------- */

enum { DISK_CHUNKS = 64, CHUNK = VK_CHUNK_SIZE_MIN };

/* A disk of which bytes is what it should hold. */
typedef struct
{
  VkSink *sink;
  guint8 *bytes;
  guint started;
  guint done;
} Driven;

static void
on_done (gpointer user_data, const GError *error)
{
  Driven *driven = user_data;

  g_assert_no_error (error);
  driven->done++;
}

static void
dispatch (Driven *driven)
{
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (struct pollfd));

  driven->sink->ops->prepare (driven->sink, fds);
  g_assert_cmpint (poll ((struct pollfd *) (gpointer) fds->data, fds->len, 60000), >, 0);
  g_assert_true (driven->sink->ops->dispatch (driven->sink, (struct pollfd *) (gpointer) fds->data, fds->len, NULL));
}

/* Where the bytes are to be read to, NULL when they have no place, and as often as that is asked. */
static guint8 *
place_of (Driven *driven, gsize length, guint64 offset)
{
  void *place, *again;

  while (!driven->sink->ops->place (driven->sink, length, offset, &place))
    dispatch (driven);
  g_assert_true (driven->sink->ops->place (driven->sink, length, offset, &again));
  g_assert_true (place == again);
  return place;
}

static void
put (Driven *driven, const guint8 *data, gsize length, guint64 offset)
{
  driven->started++;
  g_assert_true (driven->sink->ops->put (driven->sink, data, length, offset, on_done, driven, NULL));
}

static void
zero (Driven *driven, gsize length, guint64 offset)
{
  driven->started++;
  memset (driven->bytes + offset, 0, length);
  g_assert_true (driven->sink->ops->zero (driven->sink, length, offset, on_done, driven, NULL));
}

/* Reads it to its place. */
static guint8 *
read_to_place (Driven *driven, gsize length, guint64 offset)
{
  guint8 *place = place_of (driven, length, offset);

  g_assert_nonnull (place);
  memcpy (place, driven->bytes + offset, length);
  return place;
}

/* More chunks than there are buffers for: how many have got one. */
static guint
place_all (Driven *driven, guint64 first, guint8 **places)
{
  void *place;
  guint n = 0;

  while (first + n < DISK_CHUNKS && driven->sink->ops->place (driven->sink, CHUNK, (first + n) * CHUNK, &place))
    places[n++] = place;
  return n;
}

static void
test_places (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) stop = g_cancellable_new ();
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, NULL, stop);
  VkResticDisk disk = { .target = (char *) "vda" };
  gsize length = (gsize) DISK_CHUNKS * CHUNK;
  g_autofree guint8 *bytes = g_malloc (length);
  Driven driven = { .bytes = bytes };
  g_autoptr (VkSink) sink = NULL;
  g_autoptr (GError) error = NULL;
  guint8 *places[DISK_CHUNKS];
  guint8 *half;
  guint placed;

  test_fill (bytes, length, 1);
  vk_chunks_init (&disk.chunks, length, CHUNK);
  driven.sink = sink = vk_restic_sink_new (&disk, saver, stop);
  put (&driven, read_to_place (&driven, CHUNK, 0), CHUNK, 0);
  /* A chunk of which a part, and one of which all turns out to be zeroes. */
  half = read_to_place (&driven, CHUNK / 2, CHUNK);
  g_assert_true (read_to_place (&driven, CHUNK / 2, CHUNK + CHUNK / 2) == half + CHUNK / 2);
  zero (&driven, CHUNK / 2, CHUNK + CHUNK / 2);
  put (&driven, half, CHUNK / 2, CHUNK);
  read_to_place (&driven, CHUNK, 2 * CHUNK);
  zero (&driven, CHUNK, 2 * CHUNK);
  /* One that is in two chunks has no place. */
  g_assert_null (place_of (&driven, CHUNK, 3 * CHUNK + CHUNK / 2));
  put (&driven, bytes + 3 * CHUNK + CHUNK / 2, CHUNK, 3 * CHUNK + CHUNK / 2);
  put (&driven, read_to_place (&driven, CHUNK / 2, 3 * CHUNK), CHUNK / 2, 3 * CHUNK);
  put (&driven, read_to_place (&driven, CHUNK / 2, 4 * CHUNK + CHUNK / 2), CHUNK / 2, 4 * CHUNK + CHUNK / 2);
  /* The others come when there is room again. */
  placed = place_all (&driven, 5, places);
  g_assert_cmpuint (placed, >, 1);
  g_assert_cmpuint (5 + placed, <, DISK_CHUNKS);
  for (guint i = 0; i < placed; i++)
    {
      memcpy (places[i], bytes + (5 + i) * CHUNK, CHUNK);
      put (&driven, places[i], CHUNK, (5 + i) * CHUNK);
    }
  for (guint64 i = 5 + placed; i < DISK_CHUNKS; i++)
    put (&driven, read_to_place (&driven, CHUNK, i * CHUNK), CHUNK, i * CHUNK);
  while (driven.done < driven.started)
    dispatch (&driven);
  g_assert_true (sink->ops->finish (sink, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (vk_restic_saver_flush (saver, &error));
  assert_disk (fixture, &disk, bytes, length);
  vk_content_unref (disk.content);
}

/* What cannot be stored ends the transfer, and nothing waits for ever. */
static void
test_failing_saver (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) stop = g_cancellable_new ();
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, NULL, stop);
  VkResticDisk disk = { .target = (char *) "vda" };
  VkTransferOptions options = { .disk = "vda", .max_connections = 2 };
  g_autofree char *packs = g_build_filename (fixture->dir, "repo", "data", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (VkSink) sink = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("nbdkit", NULL))
    return;
  g_assert_true (vk_tree_remove (packs, NULL));
  g_assert_true (g_file_set_contents (packs, "", 0, NULL));
  source = test_nbdkit (fixture->dir, "random", "200M", NULL);
  options.uri = source->uri;
  vk_chunks_init (&disk.chunks, 200 * MIB, MIB);
  sink = vk_restic_sink_new (&disk, saver, stop);
  g_assert_false (vk_transfer_run (&options, sink, NULL, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_null (disk.content);
}

/* The disk is larger, or smaller, than was said. */
static void
check_other_size (Fixture *fixture, const char *size)
{
  g_autoptr (GCancellable) stop = g_cancellable_new ();
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (fixture->repo, NULL, stop);
  VkResticDisk disk = { .target = (char *) "vda" };
  VkTransferOptions options = { .disk = "vda", .max_connections = 2 };
  g_autoptr (TestServer) source = test_nbdkit (fixture->dir, "random", size, NULL);
  g_autoptr (VkSink) sink = NULL;
  g_autoptr (GError) error = NULL;

  options.uri = source->uri;
  vk_chunks_init (&disk.chunks, 20 * MIB, MIB);
  sink = vk_restic_sink_new (&disk, saver, stop);
  g_assert_false (vk_transfer_run (&options, sink, NULL, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "vda"));
}

static void
test_other_size (Fixture *fixture, gconstpointer data)
{
  if (!test_have_programs ("nbdkit", NULL))
    return;
  check_other_size (fixture, "21M");
  check_other_size (fixture, "19M");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/restic/chunks/sizes", test_chunk_sizes);
  g_test_add_func ("/restic/chunks/content", test_content);
  g_test_add_func ("/restic/chunks/scattered", test_scattered);
  g_test_add_func ("/restic/chunks/gaps", test_gaps);
  g_test_add ("/restic/sink/transfer", Fixture, NULL, set_up, test_transfer, tear_down);
  g_test_add ("/restic/sink/places", Fixture, NULL, set_up, test_places, tear_down);
  g_test_add ("/restic/sink/failing-saver", Fixture, NULL, set_up, test_failing_saver, tear_down);
  g_test_add ("/restic/sink/other-size", Fixture, NULL, set_up, test_other_size, tear_down);
  return g_test_run ();
}
