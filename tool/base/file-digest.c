/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/file-digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"

enum
{
  /* Small enough to be in the processor's caches still when it is hashed. */
  BLOCK_BYTES = 256 << 10,
  BLOCKS = 3, /* one read, one hashed, one on its way */
};

typedef struct
{
  guint8 *data;
  gssize length; /* 0 at the end of the file, -1 with number set after a failure */
  int number;    /* errno */
} Block;

typedef struct
{
  int fd;
  GAsyncQueue *empty, *filled;
  int stop; /* atomic */
  Block blocks[BLOCKS];
} Reader;

/* Reads until the end, a failure or stop. */
static gpointer
read_blocks (gpointer data)
{
  Reader *reader = data;
  Block *block;

  do
    {
      block = g_async_queue_pop (reader->empty);
      if (g_atomic_int_get (&reader->stop))
        break;
      do
        block->length = read (reader->fd, block->data, BLOCK_BYTES);
      while (block->length < 0 && errno == EINTR);
      block->number = errno;
      g_async_queue_push (reader->filled, block);
    }
  while (block->length > 0);
  return NULL;
}

static gboolean
hash_blocks (Reader *reader, VkDigest *digest, const char *path, guint64 *total, GCancellable *cancellable, GError **error)
{
  for (;;)
    {
      Block *block = g_async_queue_pop (reader->filled);

      if (block->length < 0)
        {
          errno = block->number;
          return vk_fail_errno (error, "cannot read '%s'", path);
        }
      if (block->length == 0)
        return TRUE;
      vk_digest_update (digest, block->data, (gsize) block->length);
      *total += (guint64) block->length;
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        {
          g_atomic_int_set (&reader->stop, 1);
          g_async_queue_push (reader->empty, block);
          return FALSE;
        }
      g_async_queue_push (reader->empty, block);
    }
}

/* The digest of the file fd, from where it stands. */
static gboolean
digest_fd (int fd, VkDigest *digest, const char *path, guint64 *total, GCancellable *cancellable, GError **error)
{
  Reader reader = { .fd = fd, .empty = g_async_queue_new (), .filled = g_async_queue_new () };
  g_autofree guint8 *memory = g_malloc ((gsize) BLOCKS * BLOCK_BYTES);
  GThread *thread;
  gboolean ok;

  for (gsize i = 0; i < BLOCKS; i++)
    {
      reader.blocks[i].data = memory + i * BLOCK_BYTES;
      g_async_queue_push (reader.empty, &reader.blocks[i]);
    }
  thread = g_thread_new ("read", read_blocks, &reader);
  ok = hash_blocks (&reader, digest, path, total, cancellable, error);
  g_thread_join (thread);
  g_async_queue_unref (reader.empty);
  g_async_queue_unref (reader.filled);
  return ok;
}

char *
vk_file_sha256 (const char *path, guint64 *length, GCancellable *cancellable, GError **error)
{
  struct stat status;
  g_auto (VkFd) fd = vk_fd_open_regular (path, &status, error);
  g_autoptr (VkDigest) digest = vk_digest_new ();
  guint64 total = 0;

  if (fd < 0)
    return NULL;
  posix_fadvise (fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  if (g_cancellable_set_error_if_cancelled (cancellable, error) || !digest_fd (fd, digest, path, &total, cancellable, error))
    return NULL;
  if (length != NULL)
    *length = total;
  return vk_digest_finish (digest);
}

gboolean
vk_file_check_sha256 (const char *path, const char *expected, GCancellable *cancellable, GError **error)
{
  g_autofree char *found = vk_file_sha256 (path, NULL, cancellable, error);

  if (found == NULL)
    return FALSE;
  if (strcmp (found, expected) == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "'%s' is damaged: its SHA-256 is not the one in the manifest: see virt-keep verify", path);
}
