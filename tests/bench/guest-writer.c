/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-writer DEVICE BYTES: runs in a guest.  Writes pieces of 4 to 64 KiB to random
 * places of the first BYTES of DEVICE, one after the other, each followed by fdatasync(2),
 * until SIGTERM; then prints in one line how many pieces, bytes and microseconds it was,
 * and the latency of a piece in microseconds: the median, the 99th percentile, the most. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { GRAIN = 4096, MOST = 16, ROOM = 1 << 20 };

static volatile sig_atomic_t ended;
static uint32_t latencies[ROOM];

static void
end (int number)
{
  ended = number;
}

static uint64_t
now (void)
{
  struct timespec time;

  clock_gettime (CLOCK_MONOTONIC, &time);
  return (uint64_t) time.tv_sec * 1000000 + (uint64_t) time.tv_nsec / 1000;
}

static int
by_size (const void *a, const void *b)
{
  uint32_t left = *(const uint32_t *) a, right = *(const uint32_t *) b;

  return (left > right) - (left < right);
}

int
main (int argc, char **argv)
{
  static char data[GRAIN * MOST];
  int device = argc == 3 ? open (argv[1], O_WRONLY) : -1;
  uint64_t grains = argc == 3 ? strtoull (argv[2], NULL, 10) / GRAIN : 0;
  uint64_t began = now (), bytes = 0;
  size_t n = 0;

  if (device < 0 || grains <= MOST)
    return 2;
  signal (SIGTERM, end);
  memset (data, 0x5a, sizeof data);
  srandom (1);
  while (!ended && n < ROOM)
    {
      size_t length = (size_t) (1 + random () % MOST) * GRAIN;
      off_t place = (off_t) ((uint64_t) random () % (grains - MOST)) * GRAIN;
      uint64_t from = now ();

      if (pwrite (device, data, length, place) != (ssize_t) length || fdatasync (device) < 0)
        return 1;
      latencies[n++] = (uint32_t) (now () - from);
      bytes += length;
    }
  if (n == 0)
    return 1;
  began = now () - began;
  qsort (latencies, n, sizeof *latencies, by_size);
  printf ("%zu %llu %llu %u %u %u\n", n, (unsigned long long) bytes, (unsigned long long) began, latencies[n / 2], latencies[n * 99 / 100], latencies[n - 1]);
  return 0;
}
