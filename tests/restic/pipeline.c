/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For the bench: how long the processors need for the chunks of a disk at the least.
 * What a backup does with each of them is done here in memory: no libvirt, no QEMU, no
 * repository.
 *
 *   pipeline FILE CHUNK-BYTES THREADS
 *
 * prints the seconds it took, and of those that all threads together needed, what
 * went into the SHA-256 of the chunks, zstd, sealing, and the SHA-256 of the packs.
 * FILE is the disk; chunks of zeroes are left out, as they are in a backup. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/restic/crypto.h"
#include "store/restic/id.h"
#include "store/restic/zstd.h"

enum { HASH, COMPRESS, SEAL, PACK, STAGES };

struct run
{
  VkCrypto *crypto;
  GPtrArray *chunks; /* of const guint8 * */
  gsize chunk_size;  /* bytes */
  gint next;         /* atomic: the first chunk that nobody has taken */
  GMutex lock;       /* over what follows */
  double seconds[STAGES];
};

/* Seconds of the processor that this thread has had. */
static double
thread_seconds (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static void
note (double *seconds, double *since)
{
  double now = thread_seconds ();

  *seconds += now - *since;
  *since = now;
}

static void
process (struct run *run, const guint8 *chunk, guint8 *sealed, double *seconds)
{
  guint8 *text = sealed + VK_SEAL_IV_BYTES;
  double since = thread_seconds ();
  const guint8 *stored = text;
  VkResticId id;
  gsize size;

  vk_restic_id_of (chunk, run->chunk_size, &id);
  note (&seconds[HASH], &since);
  size = vk_zstd_compress_into (chunk, run->chunk_size, VK_ZSTD_DATA_LEVEL, text);
  note (&seconds[COMPRESS], &since);
  if (size >= run->chunk_size)
    {
      stored = chunk;
      size = run->chunk_size;
    }
  vk_crypto_seal (run->crypto, stored, size, sealed);
  note (&seconds[SEAL], &since);
  vk_restic_id_of (sealed, size + VK_SEAL_OVERHEAD, &id);
  note (&seconds[PACK], &since);
}

static gpointer
work (gpointer data)
{
  struct run *run = data;
  g_autofree guint8 *sealed = g_malloc (vk_zstd_bound (run->chunk_size) + VK_SEAL_OVERHEAD);
  double seconds[STAGES] = { 0 };
  guint n;

  while ((n = (guint) g_atomic_int_add (&run->next, 1)) < run->chunks->len)
    process (run, g_ptr_array_index (run->chunks, n), sealed, seconds);
  g_mutex_lock (&run->lock);
  for (guint i = 0; i < STAGES; i++)
    run->seconds[i] += seconds[i];
  g_mutex_unlock (&run->lock);
  return NULL;
}

/* Whole ones that are not zeroes; reads the file into memory. */
static void
find_chunks (struct run *run, GMappedFile *file)
{
  const guint8 *disk = (const guint8 *) g_mapped_file_get_contents (file);
  gsize length = g_mapped_file_get_length (file);

  for (gsize at = 0; at + run->chunk_size <= length; at += run->chunk_size)
    if (disk[at] != 0 || memcmp (disk + at, disk + at + 1, run->chunk_size - 1) != 0)
      g_ptr_array_add (run->chunks, (gpointer) (disk + at));
}

static double
run_all (struct run *run, guint threads)
{
  g_autoptr (GPtrArray) started = g_ptr_array_new ();
  gint64 begun = g_get_monotonic_time ();

  for (guint i = 0; i < threads; i++)
    g_ptr_array_add (started, g_thread_new ("pipeline", work, run));
  for (guint i = 0; i < threads; i++)
    g_thread_join (g_ptr_array_index (started, i));
  return (double) (g_get_monotonic_time () - begun) / G_USEC_PER_SEC;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GMappedFile) file = argc == 4 ? g_mapped_file_new (argv[1], FALSE, &error) : NULL;
  g_autoptr (GPtrArray) chunks = g_ptr_array_new ();
  g_auto (VkResticKey) key = { 0 };
  struct run run = { .chunks = chunks };
  double seconds;

  if (file == NULL)
    {
      fprintf (stderr, "pipeline: %s\n", error ? error->message : "give a file, the bytes of a chunk and a number of threads");
      return 1;
    }
  vk_restic_random (&key, sizeof key);
  run.crypto = vk_crypto_new (&key);
  run.chunk_size = strtoul (argv[2], NULL, 10);
  find_chunks (&run, file);
  seconds = run_all (&run, (guint) strtoul (argv[3], NULL, 10));
  printf ("%.3f %.3f %.3f %.3f %.3f\n", seconds, run.seconds[HASH], run.seconds[COMPRESS], run.seconds[SEAL], run.seconds[PACK]);
  vk_crypto_free (run.crypto);
  return 0;
}
