/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/index.h"

#include <string.h>

/* Entries are kept in blocks that never move, and found through a table of
 * their numbers with open addressing.  The table grows by half, not twofold, and
 * is used up to FULL_NUMERATOR / FULL_DENOMINATOR: 48 bytes of entry and 5.3 to
 * 8 of table a blob, and 32 for each pack. */
enum
{
  BLOCK_ENTRIES = 16384,
  FIRST_TABLE_SLOTS = 1024,
  FULL_NUMERATOR = 3,
  FULL_DENOMINATOR = 4,
};

/* Set in entry.pack for a tree. */
static const guint32 tree_bit = 1u << 31;

struct entry
{
  VkResticId id;
  guint32 pack; /* its number, and tree_bit */
  guint32 offset;
  guint32 length;
  guint32 raw_length;
};

struct VkIndex
{
  GRWLock lock;
  GPtrArray *blocks; /* of struct entry[BLOCK_ENTRIES] */
  guint32 count;
  guint32 *slots;    /* number of an entry + 1; 0: free */
  guint32 n_slots;
  GArray *packs;     /* of VkResticId */
};

static void
fill_in_empty (VkIndex *index)
{
  index->blocks = g_ptr_array_new_with_free_func (g_free);
  index->count = 0;
  index->n_slots = FIRST_TABLE_SLOTS;
  index->slots = g_new0 (guint32, index->n_slots);
  index->packs = g_array_new (FALSE, FALSE, sizeof (VkResticId));
}

static void
free_content (VkIndex *index)
{
  g_ptr_array_unref (index->blocks);
  g_array_unref (index->packs);
  g_free (index->slots);
}

VkIndex *
vk_index_new (void)
{
  VkIndex *index = g_new0 (VkIndex, 1);

  g_rw_lock_init (&index->lock);
  fill_in_empty (index);
  return index;
}

void
vk_index_clear (VkIndex *index)
{
  g_rw_lock_writer_lock (&index->lock);
  free_content (index);
  fill_in_empty (index);
  g_rw_lock_writer_unlock (&index->lock);
}

void
vk_index_free (VkIndex *index)
{
  if (index == NULL)
    return;
  g_rw_lock_clear (&index->lock);
  free_content (index);
  g_free (index);
}

static struct entry *
entry_at (const VkIndex *index, guint32 number)
{
  struct entry *block = g_ptr_array_index (index->blocks, number / BLOCK_ENTRIES);

  return &block[number % BLOCK_ENTRIES];
}

/* An id is a hash already: its first bits choose the slot. */
static guint32
first_slot (const VkIndex *index, const VkResticId *id)
{
  guint32 hash;

  memcpy (&hash, id->bytes, sizeof hash);
  return (guint32) ((guint64) hash * index->n_slots >> 32);
}

/* The slot that the blob is in, or the free one where it belongs. */
static guint32
find_slot (const VkIndex *index, VkBlobType type, const VkResticId *id)
{
  guint32 slot = first_slot (index, id);

  while (index->slots[slot] != 0)
    {
      const struct entry *entry = entry_at (index, index->slots[slot] - 1);

      if (vk_restic_id_equal (&entry->id, id) && ((entry->pack & tree_bit) != 0) == (type == VK_BLOB_TREE))
        break;
      slot = slot + 1 == index->n_slots ? 0 : slot + 1;
    }
  return slot;
}

static void
grow_table (VkIndex *index)
{
  g_free (index->slots);
  index->n_slots += index->n_slots / 2;
  index->slots = g_new0 (guint32, index->n_slots);
  for (guint32 number = 0; number < index->count; number++)
    {
      const struct entry *entry = entry_at (index, number);

      index->slots[find_slot (index, entry->pack & tree_bit ? VK_BLOB_TREE : VK_BLOB_DATA, &entry->id)] = number + 1;
    }
}

static void
add_blob (VkIndex *index, guint32 pack, const VkPackBlob *blob)
{
  guint32 slot;
  struct entry *entry;

  if ((guint64) (index->count + 1) * FULL_DENOMINATOR > (guint64) index->n_slots * FULL_NUMERATOR)
    grow_table (index);
  slot = find_slot (index, blob->type, &blob->id);
  if (index->slots[slot] != 0)
    return;
  if (index->count % BLOCK_ENTRIES == 0)
    g_ptr_array_add (index->blocks, g_new (struct entry, BLOCK_ENTRIES));
  entry = entry_at (index, index->count++);
  entry->id = blob->id;
  entry->pack = pack | (blob->type == VK_BLOB_TREE ? tree_bit : 0);
  entry->offset = blob->offset;
  entry->length = blob->length;
  entry->raw_length = blob->raw_length;
  index->slots[slot] = index->count;
}

void
vk_index_add_pack (VkIndex *index, const VkResticId *pack, const VkPackBlob *blobs, guint count)
{
  g_rw_lock_writer_lock (&index->lock);
  g_array_append_val (index->packs, *pack);
  for (guint i = 0; i < count; i++)
    add_blob (index, index->packs->len - 1, &blobs[i]);
  g_rw_lock_writer_unlock (&index->lock);
}

gboolean
vk_index_lookup (VkIndex *index, VkBlobType type, const VkResticId *id, VkBlobLocation *location)
{
  guint32 number;

  g_rw_lock_reader_lock (&index->lock);
  number = index->slots[find_slot (index, type, id)];
  if (number != 0 && location != NULL)
    {
      const struct entry *entry = entry_at (index, number - 1);

      location->pack = g_array_index (index->packs, VkResticId, entry->pack & ~tree_bit);
      location->offset = entry->offset;
      location->length = entry->length;
      location->raw_length = entry->raw_length;
      location->number = number - 1;
    }
  g_rw_lock_reader_unlock (&index->lock);
  return number != 0;
}

guint64
vk_index_count (VkIndex *index)
{
  guint64 count;

  g_rw_lock_reader_lock (&index->lock);
  count = index->count;
  g_rw_lock_reader_unlock (&index->lock);
  return count;
}

gsize
vk_index_memory (VkIndex *index)
{
  gsize bytes;

  g_rw_lock_reader_lock (&index->lock);
  bytes = sizeof *index + index->blocks->len * (BLOCK_ENTRIES * sizeof (struct entry) + sizeof (gpointer))
      + index->n_slots * sizeof (guint32) + index->packs->len * sizeof (VkResticId);
  g_rw_lock_reader_unlock (&index->lock);
  return bytes;
}
