/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/disk-map.h"

#include <inttypes.h>

#include "base/error.h"

/* A blob that is larger is not looked at for zeros, in bytes. */
enum { ZEROS_LIMIT = 8 << 20 };

/* Blobs of one length and state. */
struct segment
{
  guint64 offset;   /* in the file, bytes */
  guint64 first;    /* index of its first blob */
  guint32 length;   /* of each blob, bytes */
  VkDiskState state;
};

struct VkDiskMap
{
  VkContent *content;
  guint64 size;
  GArray *segments; /* of struct segment */
};

/* What is known while a map is made. */
struct build
{
  VkRestic *repo;
  VkDiskMap *map;
  guint64 chunk_size;
  guint64 offset;            /* that has been reached */
  gboolean uniform;          /* so far every blob has the length that chunk_size promises */
  const VkResticId *missing; /* the first one that is, or NULL */
  VkResticId zero_blob;      /* the id of VK_ZERO_BLOB_BYTES of zeros */
  VkResticId zeros;          /* the id of this many zeros: */
  guint32 zeros_length;
};

/* --- building ------------------------------------------------------------- */

static void
append (struct build *build, guint64 first, guint64 count, guint32 length, VkDiskState state)
{
  GArray *segments = build->map->segments;
  struct segment segment = { .offset = build->offset, .first = first, .length = length, .state = state };
  const struct segment *last = segments->len > 0 ? &g_array_index (segments, struct segment, segments->len - 1) : NULL;

  if (last == NULL || last->length != length || last->state != state)
    g_array_append_val (segments, segment);
  build->offset += count * length;
}

/* Whether it is the id of length zeros; hashes as many of them, but for each
 * length once in a row only. */
static gboolean
is_id_of_zeros (struct build *build, const VkResticId *id, guint32 length)
{
  if (build->zeros_length != length)
    {
      g_autofree guint8 *zeros = g_malloc0 (length);

      vk_restic_id_of (zeros, length, &build->zeros);
      build->zeros_length = length;
    }
  return vk_restic_id_equal (id, &build->zeros);
}

/* Other blobs of zeros than the usual one are whole chunks, or come in rows, or
 * at the end; anything else is not worth the hashing. */
static gboolean
is_zero (struct build *build, const VkResticId *id, guint64 count, guint32 length, gboolean last)
{
  return vk_restic_id_equal (id, &build->zero_blob)
      || ((count > 1 || last || length == build->chunk_size) && length <= ZEROS_LIMIT && is_id_of_zeros (build, id, length));
}

static gboolean
set_missing_error (GError **error, const VkResticId *id)
{
  char name[VK_RESTIC_ID_DIGITS + 1];

  vk_restic_id_format (id, name);
  return vk_fail (error, VK_ERROR_NOT_FOUND, "the data blob %s is missing: no index file lists it", name);
}

/* Gives a blob that is missing the place that it must have had. */
static gboolean
append_missing (struct build *build, const VkResticId *id, guint64 first, guint64 count, gboolean last, GError **error)
{
  guint64 size = build->map->size;
  guint64 length = last && count == 1 ? size - build->offset : build->chunk_size;

  if (build->chunk_size == 0 || !build->uniform || length == 0 || length > build->chunk_size
      || count > (size - build->offset) / length)
    return set_missing_error (error, id);
  append (build, first, count, (guint32) length, VK_DISK_MISSING);
  if (build->missing == NULL)
    build->missing = id;
  return TRUE;
}

static gboolean
set_size_error (const struct build *build, GError **error)
{
  return vk_fail (error, VK_ERROR_DAMAGED, "what it is made of is not of the %" PRIu64 " bytes that it should have", build->map->size);
}

static gboolean
append_run (struct build *build, const VkResticId *id, guint64 first, guint64 count, gboolean last, GError **error)
{
  guint32 length;
  gboolean zero;

  /* The bytes of these are known without them. */
  if (vk_restic_id_equal (id, &build->zero_blob))
    length = VK_ZERO_BLOB_BYTES;
  else if (build->chunk_size > 0 && build->chunk_size <= ZEROS_LIMIT && is_id_of_zeros (build, id, (guint32) build->chunk_size))
    length = (guint32) build->chunk_size;
  else if (!vk_restic_blob_length (build->repo, VK_BLOB_DATA, id, &length))
    return append_missing (build, id, first, count, last, error);
  if (length == 0 || count > (build->map->size - build->offset) / length)
    return set_size_error (build, error);
  zero = is_zero (build, id, count, length, last);
  if (!zero && !last && length != build->chunk_size)
    build->uniform = FALSE;
  append (build, first, count, length, zero ? VK_DISK_ZERO : VK_DISK_DATA);
  return TRUE;
}

static gboolean
append_all (struct build *build, GError **error)
{
  guint64 length = build->map->content ? vk_content_length (build->map->content) : 0;
  guint64 index = 0;

  while (index < length)
    {
      guint64 count;
      const VkResticId *id = vk_content_get_run (build->map->content, index, &count);

      if (!append_run (build, id, index, count, index + count == length, error))
        return FALSE;
      index += count;
    }
  if (build->missing != NULL && !build->uniform)
    return set_missing_error (error, build->missing);
  return build->offset == build->map->size || set_size_error (build, error);
}

VkDiskMap *
vk_disk_map_new (VkRestic *repo, VkContent *content, guint64 size, guint64 chunk_size, GError **error)
{
  g_autoptr (VkDiskMap) map = g_new0 (VkDiskMap, 1);
  struct build build = { .repo = repo, .map = map, .chunk_size = chunk_size, .uniform = TRUE };
  g_autofree guint8 *zeros = g_malloc0 (VK_ZERO_BLOB_BYTES);

  vk_restic_id_of (zeros, VK_ZERO_BLOB_BYTES, &build.zero_blob);
  map->content = content ? vk_content_ref (content) : NULL;
  map->size = size;
  map->segments = g_array_new (FALSE, FALSE, sizeof (struct segment));
  return append_all (&build, error) ? g_steal_pointer (&map) : NULL;
}

void
vk_disk_map_free (VkDiskMap *map)
{
  if (map == NULL)
    return;
  vk_content_unref (map->content);
  g_array_unref (map->segments);
  g_free (map);
}

/* --- looking up ----------------------------------------------------------- */

guint64
vk_disk_map_size (const VkDiskMap *map)
{
  return map->size;
}

/* The number of the segment that offset is in. */
static guint
find_segment (const VkDiskMap *map, guint64 offset)
{
  guint low = 0;
  guint high = map->segments->len;

  while (high - low > 1)
    {
      guint middle = low + (high - low) / 2;

      if (g_array_index (map->segments, struct segment, middle).offset <= offset)
        low = middle;
      else
        high = middle;
    }
  return low;
}

void
vk_disk_map_find (const VkDiskMap *map, guint64 offset, VkDiskPiece *piece)
{
  const struct segment *segment = &g_array_index (map->segments, struct segment, find_segment (map, offset));
  guint64 number = (offset - segment->offset) / segment->length;

  piece->id = vk_content_get (map->content, segment->first + number);
  piece->offset = segment->offset + number * segment->length;
  piece->length = segment->length;
  piece->state = segment->state;
}

guint64
vk_disk_map_run (const VkDiskMap *map, guint64 offset, VkDiskState *state)
{
  guint number = find_segment (map, offset);
  const struct segment *segments = (const struct segment *) map->segments->data;

  *state = segments[number].state;
  for (number++; number < map->segments->len; number++)
    if (segments[number].state != *state)
      return segments[number].offset - offset;
  return map->size - offset;
}

gsize
vk_disk_map_memory (const VkDiskMap *map)
{
  return sizeof *map + map->segments->len * sizeof (struct segment);
}
