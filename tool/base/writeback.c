/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/writeback.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"

/* Often enough for the disk never to rest, seldom enough to cost nothing. */
enum { ROUND_MILLISECONDS = 20 };

typedef struct
{
  char *path;
  VkFd held;
} WrittenFile;

struct VkWriteback
{
  GThread *thread;
  GMutex mutex; /* of all below */
  GCond cond;
  GPtrArray *files; /* of WrittenFile */
  gboolean ended;
};

static void
file_free (WrittenFile *file)
{
  g_free (file->path);
  vk_fd_close (&file->held);
  g_free (file);
}

/* Starts writing what is dirty in each file now.  Called and left with the mutex
 * locked; it is free meanwhile, because the call waits while the disk's queue
 * is full.  Files are only ever added, and closed when this thread has gone. */
static void
start_writing (VkWriteback *writeback)
{
  for (guint i = 0; i < writeback->files->len && !writeback->ended; i++)
    {
      const WrittenFile *file = g_ptr_array_index (writeback->files, i);

      g_mutex_unlock (&writeback->mutex);
      sync_file_range (file->held, 0, 0, SYNC_FILE_RANGE_WRITE);
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
  writeback->files = g_ptr_array_new_with_free_func ((GDestroyNotify) file_free);
  writeback->thread = g_thread_new ("writeback", run, writeback);
  return writeback;
}

void
vk_writeback_add (VkWriteback *writeback, const char *path, VkFd held)
{
  WrittenFile *file = g_new0 (WrittenFile, 1);

  file->path = g_strdup (path);
  file->held = held;
  g_mutex_lock (&writeback->mutex);
  g_ptr_array_add (writeback->files, file);
  g_mutex_unlock (&writeback->mutex);
}

static gboolean
has_path (gconstpointer file, gconstpointer path)
{
  return strcmp (((const WrittenFile *) file)->path, path) == 0;
}

gboolean
vk_writeback_sync (VkWriteback *writeback, const char *path, GError **error)
{
  const WrittenFile *file = NULL;
  guint index = 0;

  g_mutex_lock (&writeback->mutex);
  if (g_ptr_array_find_with_equal_func (writeback->files, path, has_path, &index))
    file = g_ptr_array_index (writeback->files, index);
  g_mutex_unlock (&writeback->mutex);
  g_return_val_if_fail (file != NULL, FALSE);
  return vk_file_sync_held (file->held, path, error);
}

void
vk_writeback_free (VkWriteback *writeback)
{
  g_mutex_lock (&writeback->mutex);
  writeback->ended = TRUE;
  g_cond_signal (&writeback->cond);
  g_mutex_unlock (&writeback->mutex);
  g_thread_join (writeback->thread);
  g_ptr_array_unref (writeback->files);
  g_mutex_clear (&writeback->mutex);
  g_cond_clear (&writeback->cond);
  g_free (writeback);
}
