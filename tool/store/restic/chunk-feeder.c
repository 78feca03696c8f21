/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/chunk-feeder.h"

#include <glib/gi18n.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "store/restic/disk-content.h"

enum
{
  /* Memory for the data of chunks, which is read straight into it: enough to keep those
   * busy that read, hash and compress, and never less than a few chunks. */
  BUFFER_BYTES = 16 << 20,
  MIN_BUFFERS = 4,
};

struct VkChunkFeeder
{
  VkResticDisk *disk;
  VkResticSaver *saver;
  int event;

  GMutex lock;          /* over what follows */
  GCond changed;        /* feeding went down */
  GPtrArray *idle;      /* buffers */
  guint buffers;        /* how many more may be allocated */
  guint feeding;        /* chunks that the saver has not let go of */
  VkDiskContent *content;
  guint64 bytes_added;
};

struct chunk
{
  VkChunkFeeder *feeder;
  guint64 index;
  guint64 length;
  guint8 *data;
};

/* Called on a thread of the saver's. */
static void
on_saved (const VkResticId *id, gboolean is_new, gpointer user_data)
{
  struct chunk *chunk = user_data;
  VkChunkFeeder *feeder = chunk->feeder;

  g_mutex_lock (&feeder->lock);
  vk_disk_content_note (feeder->content, chunk->index, 1, id);
  feeder->bytes_added += is_new ? chunk->length : 0;
  g_mutex_unlock (&feeder->lock);
}

/* Nobody reads the chunk any more, saved or not.  On any thread. */
static void
on_released (gpointer user_data)
{
  g_autofree struct chunk *chunk = user_data;
  VkChunkFeeder *feeder = chunk->feeder;

  g_mutex_lock (&feeder->lock);
  g_ptr_array_add (feeder->idle, chunk->data);
  feeder->feeding--;
  eventfd_write (feeder->event, 1);
  g_cond_broadcast (&feeder->changed);
  g_mutex_unlock (&feeder->lock);
}

int
vk_chunk_feeder_event (const VkChunkFeeder *feeder)
{
  return feeder->event;
}

guint8 *
vk_chunk_feeder_take_buffer (VkChunkFeeder *feeder)
{
  guint8 *buffer = NULL;

  g_mutex_lock (&feeder->lock);
  if (feeder->idle->len > 0)
    buffer = g_ptr_array_steal_index_fast (feeder->idle, feeder->idle->len - 1);
  else if (feeder->buffers > 0)
    {
      feeder->buffers--;
      buffer = g_malloc (feeder->disk->chunks.chunk_size);
    }
  g_mutex_unlock (&feeder->lock);
  return buffer;
}

void
vk_chunk_feeder_return_buffer (VkChunkFeeder *feeder, guint8 *buffer)
{
  g_mutex_lock (&feeder->lock);
  g_ptr_array_add (feeder->idle, buffer);
  eventfd_write (feeder->event, 1);
  g_mutex_unlock (&feeder->lock);
}

/* That the saver has failed is known to vk_chunk_feeder_check(), too. */
void
vk_chunk_feeder_give (VkChunkFeeder *feeder, guint64 index, guint8 *buffer)
{
  struct chunk *chunk = g_new (struct chunk, 1);
  g_autoptr (GBytes) content = NULL;

  *chunk = (struct chunk) { .feeder = feeder, .index = index, .length = vk_chunks_length (&feeder->disk->chunks, index), .data = buffer };
  g_mutex_lock (&feeder->lock);
  feeder->feeding++;
  g_mutex_unlock (&feeder->lock);
  content = g_bytes_new_with_free_func (buffer, chunk->length, on_released, chunk);
  vk_restic_saver_push (feeder->saver, VK_BLOB_DATA, content, on_saved, chunk, NULL);
}

void
vk_chunk_feeder_give_zeroes (VkChunkFeeder *feeder, guint64 index, guint64 count)
{
  g_mutex_lock (&feeder->lock);
  vk_disk_content_note (feeder->content, index, count, NULL);
  g_mutex_unlock (&feeder->lock);
}

gboolean
vk_chunk_feeder_check (VkChunkFeeder *feeder, GError **error)
{
  return vk_restic_saver_check (feeder->saver, error);
}

static void
drain (VkChunkFeeder *feeder)
{
  g_mutex_lock (&feeder->lock);
  while (feeder->feeding > 0)
    g_cond_wait (&feeder->changed, &feeder->lock);
  g_mutex_unlock (&feeder->lock);
}

/* The blobs of zeroes that are part of the disk are in the repository. */
static gboolean
save_zeroes (VkChunkFeeder *feeder, const VkChunkWriter *writer, GError **error)
{
  const VkChunks *chunks = &feeder->disk->chunks;
  g_autofree guint8 *zeroes = g_malloc0 (chunks->chunk_size);
  VkResticId id;

  return (!writer->has_piece || vk_restic_saver_add (feeder->saver, VK_BLOB_DATA, zeroes, VK_CHUNK_SIZE_MIN, &id, error))
      && (!writer->has_zero || vk_restic_saver_add (feeder->saver, VK_BLOB_DATA, zeroes, chunks->chunk_size, &id, error))
      && (!writer->has_zero_end || vk_restic_saver_add (feeder->saver, VK_BLOB_DATA, zeroes, chunks->size % chunks->chunk_size, &id, error));
}

gboolean
vk_chunk_feeder_finish (VkChunkFeeder *feeder, GError **error)
{
  VkResticDisk *disk = feeder->disk;
  g_autoptr (VkContent) content = NULL;
  VkChunkWriter writer;

  drain (feeder);
  if (!vk_chunk_feeder_check (feeder, error))
    return FALSE;
  /* What the disk consists of takes memory, too. */
  g_ptr_array_set_size (feeder->idle, 0);
  content = vk_disk_content_finish (feeder->content, &writer, error);
  if (content == NULL)
    {
      g_prefix_error (error, _("disk '%s': "), disk->target);
      return FALSE;
    }
  if (!save_zeroes (feeder, &writer, error))
    return FALSE;
  disk->bytes_added = feeder->bytes_added;
  disk->content_bytes = writer.bytes;
  disk->content = g_steal_pointer (&content);
  return TRUE;
}

VkChunkFeeder *
vk_chunk_feeder_new (VkResticDisk *disk, VkResticSaver *saver)
{
  VkChunkFeeder *feeder = g_new0 (VkChunkFeeder, 1);

  feeder->disk = disk;
  feeder->saver = saver;
  feeder->event = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  feeder->idle = g_ptr_array_new_with_free_func (g_free);
  feeder->content = vk_disk_content_new (&disk->chunks, disk->base);
  feeder->buffers = MAX (MIN_BUFFERS, BUFFER_BYTES / disk->chunks.chunk_size);
  g_mutex_init (&feeder->lock);
  g_cond_init (&feeder->changed);
  return feeder;
}

void
vk_chunk_feeder_free (VkChunkFeeder *feeder)
{
  drain (feeder);
  g_ptr_array_unref (feeder->idle);
  vk_disk_content_free (feeder->content);
  g_mutex_clear (&feeder->lock);
  g_cond_clear (&feeder->changed);
  close (feeder->event);
  g_free (feeder);
}
