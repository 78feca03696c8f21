/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/writeback.h"

#include <fcntl.h>
#include <unistd.h>

/* Often enough for the disk never to rest, seldom enough to cost nothing. */
enum { ROUND_MILLISECONDS = 20 };

struct VkWriteback
{
  GThread *thread;
  GMutex mutex; /* of all below */
  GCond cond;
  GArray *files; /* of int: descriptors */
  gboolean ended;
};

/* Starts writing what is dirty in each file now.  Called and left with the mutex
 * locked; it is free meanwhile, because the call waits while the disk's queue
 * is full.  Files are only ever added, and closed when this thread has gone. */
static void
start_writing (VkWriteback *writeback)
{
  for (guint i = 0; i < writeback->files->len && !writeback->ended; i++)
    {
      int fd = g_array_index (writeback->files, int, i);

      g_mutex_unlock (&writeback->mutex);
      sync_file_range (fd, 0, 0, SYNC_FILE_RANGE_WRITE);
      g_mutex_lock (&writeback->mutex);
    }
}

static gpointer
run (gpointer data)
{
  VkWriteback *writeback = data;

  g_mutex_lock (&writeback->mutex);
  while (!writeback->ended)
    {
      start_writing (writeback);
      g_cond_wait_until (&writeback->cond, &writeback->mutex, g_get_monotonic_time () + ROUND_MILLISECONDS * 1000);
    }
  g_mutex_unlock (&writeback->mutex);
  return NULL;
}

VkWriteback *
vk_writeback_new (void)
{
  VkWriteback *writeback = g_new0 (VkWriteback, 1);

  g_mutex_init (&writeback->mutex);
  g_cond_init (&writeback->cond);
  writeback->files = g_array_new (FALSE, FALSE, sizeof (int));
  writeback->thread = g_thread_new ("writeback", run, writeback);
  return writeback;
}

void
vk_writeback_add (VkWriteback *writeback, const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

  if (fd < 0)
    return;
  g_mutex_lock (&writeback->mutex);
  g_array_append_val (writeback->files, fd);
  g_mutex_unlock (&writeback->mutex);
}

void
vk_writeback_free (VkWriteback *writeback)
{
  g_mutex_lock (&writeback->mutex);
  writeback->ended = TRUE;
  g_cond_signal (&writeback->cond);
  g_mutex_unlock (&writeback->mutex);
  g_thread_join (writeback->thread);
  for (guint i = 0; i < writeback->files->len; i++)
    close (g_array_index (writeback->files, int, i));
  g_array_unref (writeback->files);
  g_mutex_clear (&writeback->mutex);
  g_cond_clear (&writeback->cond);
  g_free (writeback);
}
