/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Index files: JSON lists of packs and their blobs. */
#pragma once

#include "store/restic/backend.h"
#include "store/restic/crypto.h"
#include "store/restic/index.h"

/* As restic, no more blobs than this are put into one file, unless they are of
 * one pack. */
enum { VK_INDEX_FILE_BLOBS = 50000 };

/* More than this, decompressed, is no index file, in bytes.  restic 0.14 makes
 * ones of 150 000 blobs and 30 MB. */
enum { VK_INDEX_FILE_LIMIT = 1 << 30 };

/* A pack and what is in it. */
typedef struct
{
  VkResticId id;
  GArray *blobs; /* of VkPackBlob */
} VkIndexPack;

void vk_index_pack_free (VkIndexPack *pack);

/* Adds what the file lists to index.  encoded is what vk_unpacked_unseal() has
 * given.  VK_ERROR_DAMAGED when it is malformed; what came before is added. */
gboolean vk_index_file_read (GBytes *encoded, VkIndex *index, GError **error);

/* Writes one index file for packs (of VkIndexPack); durable on success.  *size
 * gets its length in bytes. */
gboolean vk_index_file_save (VkBackend *backend, VkCrypto *crypto, const GPtrArray *packs, gsize *size, GCancellable *cancellable, GError **error);
