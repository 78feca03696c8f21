/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/write-direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum
{
  /* Of memory, length and position: no device asks for more. */
  ALIGNMENT = 4096,
  BUFFER_BYTES = 4 << 20,
  WORTH_BYTES = 1 << 20, /* less is as well in the cache */
  LARGE_PAGE_BYTES = 2 << 20,
};

/* Large pages are fewer to fault in, and to look up for the device. */
void *
vk_write_direct_memory (gsize length)
{
  gboolean large = length >= LARGE_PAGE_BYTES;
  void *memory = NULL;

  if (posix_memalign (&memory, large ? LARGE_PAGE_BYTES : ALIGNMENT, length) != 0)
    g_error ("there is no memory for %zu bytes", length);
  if (large)
    madvise (memory, length, MADV_HUGEPAGE);
  return memory;
}

/* buffer is NULL where data can be written as it lies.  Returns how much it has written;
 * the reason why not more is met again by who writes the rest. */
static gsize
write_blocks (int fd, const guint8 *data, gsize length, guint8 *buffer)
{
  gsize done = 0;

  while (length - done >= ALIGNMENT)
    {
      gsize piece = MIN (BUFFER_BYTES, (length - done) / ALIGNMENT * ALIGNMENT);
      gssize written;

      if (buffer != NULL)
        memcpy (buffer, data + done, piece);
      written = write (fd, buffer != NULL ? buffer : data + done, piece);
      if (written < 0 && errno == EINTR)
        continue;
      if (written <= 0)
        break;
      done += (gsize) written;
      if (written % ALIGNMENT != 0)
        break;
    }
  return done;
}

static gsize
write_past_cache (int fd, const guint8 *data, gsize length)
{
  int flags = fcntl (fd, F_GETFL);
  void *buffer;
  gsize done;

  if (flags < 0 || fcntl (fd, F_SETFL, flags | O_DIRECT) < 0)
    return 0;
  buffer = (guintptr) data % ALIGNMENT == 0 ? NULL : vk_write_direct_memory (BUFFER_BYTES);
  done = write_blocks (fd, data, length, buffer);
  free (buffer);
  fcntl (fd, F_SETFL, flags);
  return done;
}

gboolean
vk_write_direct (int fd, const void *data, gsize length)
{
  const guint8 *bytes = data;
  gsize done = length >= WORTH_BYTES ? write_past_cache (fd, bytes, length) : 0;

  while (done < length)
    {
      gssize written = write (fd, bytes + done, length - done);

      if (written < 0 && errno != EINTR)
        return FALSE;
      if (written > 0)
        done += (gsize) written;
    }
  return TRUE;
}
