/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/disk-content.h"

#include <inttypes.h>

#include "base/error.h"

/* Equal chunks that follow each other. */
struct known
{
  guint64 index;
  guint64 count;
  gboolean zero;
  VkResticId id;
};

struct VkDiskContent
{
  VkContent *content;
  VkChunkWriter writer; /* of content: what has no gap before it */
  VkChunkReader base;   /* as far as writer; content is NULL without one */
  gboolean base_ended;  /* before the disk does */
  GArray *known;        /* of struct known, in order: what comes after */
  guint first;          /* in known: those before have been appended */
};

/* Room for so many that have been appended is nothing. */
enum { KEPT_KNOWN = 1024 };

VkDiskContent *
vk_disk_content_new (const VkChunks *chunks, const VkContent *base)
{
  VkDiskContent *disk = g_new0 (VkDiskContent, 1);

  disk->content = vk_content_new ();
  disk->writer = (VkChunkWriter) { .chunks = chunks, .content = disk->content };
  disk->base = (VkChunkReader) { .chunks = chunks, .content = base };
  disk->known = g_array_new (FALSE, FALSE, sizeof (struct known));
  return disk;
}

void
vk_disk_content_free (VkDiskContent *disk)
{
  vk_content_unref (disk->content);
  g_array_unref (disk->known);
  g_free (disk);
}

/* Appends the next chunk: id, zeroes for NULL, or, with from_base, the base's. */
static void
append (VkDiskContent *disk, const VkResticId *id, gboolean from_base)
{
  const VkResticId *base_id = NULL;

  if (disk->base.content != NULL && !vk_chunk_reader_next (&disk->base, &base_id))
    disk->base_ended = TRUE;
  vk_chunk_writer_append (&disk->writer, from_base ? base_id : id);
}

/* The first chunk that is known and not appended, or NULL. */
static const struct known *
first_known (const VkDiskContent *disk)
{
  return disk->first < disk->known->len ? &g_array_index (disk->known, struct known, disk->first) : NULL;
}

/* Appends what follows the content without a gap. */
static void
append_known (VkDiskContent *disk)
{
  const struct known *known;

  while ((known = first_known (disk)) != NULL && known->index == disk->writer.next)
    {
      for (guint64 i = 0; i < known->count; i++)
        append (disk, known->zero ? NULL : &known->id, FALSE);
      disk->first++;
    }
}

void
vk_disk_content_note (VkDiskContent *disk, guint64 index, guint64 count, const VkResticId *id)
{
  struct known known = { .index = index, .count = count, .zero = id == NULL };
  guint at = disk->known->len;

  if (id != NULL)
    known.id = *id;
  /* Not far from the end: what is on its way at once is little. */
  while (at > disk->first && g_array_index (disk->known, struct known, at - 1).index > index)
    at--;
  g_array_insert_val (disk->known, at, known);
  append_known (disk);
  if (disk->first > KEPT_KNOWN)
    {
      g_array_remove_range (disk->known, 0, disk->first);
      disk->first = 0;
    }
}

static gboolean
set_gap_error (const VkDiskContent *disk, const char *why, GError **error)
{
  return vk_fail (error, VK_ERROR_FAILED, "nothing is known of the chunk at offset %" PRIu64 ": %s", disk->writer.next * disk->writer.chunks->chunk_size, why);
}

/* Appends what comes before the next known chunk, or the end. */
static gboolean
append_gap (VkDiskContent *disk, GError **error)
{
  const struct known *known = first_known (disk);
  guint64 end = known ? known->index : disk->writer.chunks->count;

  if (disk->base.content == NULL)
    return set_gap_error (disk, "the export is smaller than the disk", error);
  while (disk->writer.next < end && !disk->base_ended)
    append (disk, NULL, TRUE);
  return !disk->base_ended || set_gap_error (disk, "the disk in the base point is not of such chunks", error);
}

VkContent *
vk_disk_content_finish (VkDiskContent *disk, VkChunkWriter *writer, GError **error)
{
  while (disk->writer.next < disk->writer.chunks->count && !disk->base_ended)
    {
      append_known (disk);
      if (disk->writer.next < disk->writer.chunks->count && !append_gap (disk, error))
        return NULL;
    }
  if (disk->base_ended)
    {
      set_gap_error (disk, "the disk in the base point is not of such chunks", error);
      return NULL;
    }
  *writer = disk->writer;
  return vk_content_ref (disk->content);
}
