/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libFuzzer does, as far as a compiler without it allows: each file of the
 * corpus, then changed ones for some seconds.
 *
 *   fuzz-TARGET DIRECTORY SECONDS [SEED]
 *
 * The input that ended the program is in crash-TARGET in the current directory,
 * and is run again with: fuzz-TARGET crash-TARGET */
#include "config.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

enum
{
  INPUT_LIMIT = 4096,
  CHANGES_MAX = 6,
  HANG_SECONDS = 30, /* no input takes longer */
};

/* The input at work, for the signal handler. */
static struct
{
  guint8 data[INPUT_LIMIT];
  gsize size;
  char name[256];
} current;

static void
keep_input (int number)
{
  int fd = open (current.name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

  if (fd >= 0 && write (fd, current.data, current.size) >= 0)
    close (fd);
  signal (number, SIG_DFL);
  raise (number);
}

static void
watch (const char *program)
{
  static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTRAP, SIGALRM };
  g_autofree char *target = g_path_get_basename (program);

  g_snprintf (current.name, sizeof current.name, "crash-%s", target);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    signal (signals[i], keep_input);
}

static void
run_input (void)
{
  alarm (HANG_SECONDS);
  LLVMFuzzerTestOneInput (current.data, current.size);
  alarm (0);
}

/* --- changing ------------------------------------------------------------- */

static const char *const tokens[] = { "null", "-1", "18446744073709551616", "1e9", "\\u0000", "\\ud800", "[[", "{}", "\"\":", "\"", "\xff", ",", "true", "4294967295" };

static gsize
random_below (GRand *rand, gsize limit)
{
  return limit > 0 ? g_rand_int (rand) % limit : 0;
}

static void
insert (gsize at, const void *data, gsize size)
{
  size = MIN (size, INPUT_LIMIT - current.size);
  memmove (current.data + at + size, current.data + at, current.size - at);
  memcpy (current.data + at, data, size);
  current.size += size;
}

static void
delete (gsize at, gsize size)
{
  size = MIN (size, current.size - at);
  memmove (current.data + at, current.data + at + size, current.size - at - size);
  current.size -= size;
}

static void
change (GRand *rand)
{
  gsize at = random_below (rand, current.size);
  guint8 piece[32];

  switch (random_below (rand, 6))
    {
    case 0:
      if (current.size > 0)
        current.data[at] ^= (guint8) (1 << random_below (rand, 8));
      break;
    case 1:
      if (current.size > 0)
        current.data[at] = (guint8) g_rand_int (rand);
      break;
    case 2:
      delete (at, 1 + random_below (rand, 16));
      break;
    case 3:
      memcpy (piece, current.data + at, MIN (sizeof piece, current.size - at));
      insert (random_below (rand, current.size), piece, MIN (sizeof piece, current.size - at));
      break;
    case 4:
      {
        const char *token = tokens[random_below (rand, G_N_ELEMENTS (tokens))];

        insert (at, token, strlen (token));
        break;
      }
    default:
      current.size = at;
    }
}

/* --- running -------------------------------------------------------------- */

static void
read_file (const char *path, GPtrArray *corpus)
{
  char *content;
  gsize length;

  if (g_file_get_contents (path, &content, &length, NULL))
    g_ptr_array_add (corpus, g_bytes_new_take (content, MIN (length, (gsize) INPUT_LIMIT)));
}

/* A directory of files, or one file. */
static GPtrArray *
read_corpus (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  GPtrArray *corpus = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  const char *name;

  if (dir == NULL)
    read_file (path, corpus);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      read_file (file, corpus);
    }
  return corpus;
}

static void
take_input (GBytes *input)
{
  current.size = g_bytes_get_size (input);
  memcpy (current.data, g_bytes_get_data (input, NULL), current.size);
}

static guint64
run_changed (const GPtrArray *corpus, guint seconds, guint32 seed)
{
  gint64 deadline = g_get_monotonic_time () + (gint64) seconds * G_USEC_PER_SEC;
  GRand *rand = g_rand_new_with_seed (seed);
  guint64 runs = 0;

  for (; g_get_monotonic_time () < deadline; runs++)
    {
      gsize changes = 1 + random_below (rand, CHANGES_MAX);

      take_input (g_ptr_array_index (corpus, random_below (rand, corpus->len)));
      for (gsize i = 0; i < changes; i++)
        change (rand);
      run_input ();
    }
  g_rand_free (rand);
  return runs;
}

int
main (int argc, char **argv)
{
  g_autoptr (GPtrArray) corpus = argc > 1 ? read_corpus (argv[1]) : NULL;
  guint seconds = argc > 2 ? (guint) strtoul (argv[2], NULL, 10) : 0;
  guint32 seed = argc > 3 ? (guint32) strtoul (argv[3], NULL, 10) : g_random_int ();
  guint64 runs;

  if (corpus == NULL || corpus->len == 0)
    {
      fprintf (stderr, "usage: %s DIRECTORY-OR-FILE [SECONDS [SEED]]\n", argv[0]);
      return 2;
    }
  watch (argv[0]);
  for (guint i = 0; i < corpus->len; i++)
    {
      take_input (g_ptr_array_index (corpus, i));
      run_input ();
    }
  runs = run_changed (corpus, seconds, seed);
  printf ("%s: %u of the corpus, %" G_GUINT64_FORMAT " changed, seed %u\n", argv[0], corpus->len, runs, seed);
  return 0;
}
