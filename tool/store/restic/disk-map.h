/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which blob holds which bytes of a file, whatever lengths its blobs have, and
 * where it is zero.  Blobs of one length and state that follow each other take
 * 24 bytes together. */
#pragma once

#include "store/restic/content.h"
#include "store/restic/repo.h"

/* The blob of zeros that makes holes when restic restores, in bytes. */
enum { VK_ZERO_BLOB_BYTES = 512 << 10 };

typedef enum
{
  VK_DISK_DATA,
  VK_DISK_ZERO,    /* known by its id: nothing has to be read */
  VK_DISK_MISSING, /* no index file lists the blob */
} VkDiskState;

/* One blob of the file. */
typedef struct
{
  const VkResticId *id;
  guint64 offset; /* of its first byte in the file */
  guint32 length; /* bytes */
  VkDiskState state;
} VkDiskPiece;

typedef struct VkDiskMap VkDiskMap;

/* content (NULL: empty) are the blobs of a file of size bytes, looked up in the
 * index as it is loaded now.  chunk_size: the length of each blob but the last
 * and that of zeros, 0 when they vary; with it, blobs that are missing still have
 * their place.  VK_ERROR_NOT_FOUND when one is missing and has not,
 * VK_ERROR_DAMAGED when they do not add up to size.
 * Returns: (transfer full). */
VkDiskMap *vk_disk_map_new (VkRestic *repo, VkContent *content, guint64 size, guint64 chunk_size, GError **error);
void vk_disk_map_free (VkDiskMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkDiskMap, vk_disk_map_free)

guint64 vk_disk_map_size (const VkDiskMap *map);

/* The blob that holds the byte at offset, which is below the size; piece->id is
 * valid as long as the map is. */
void vk_disk_map_find (const VkDiskMap *map, guint64 offset, VkDiskPiece *piece);

/* How many bytes from offset on are of the same state. */
guint64 vk_disk_map_run (const VkDiskMap *map, guint64 offset, VkDiskState *state);

/* Memory in use, without that of content, in bytes. */
gsize vk_disk_map_memory (const VkDiskMap *map);
