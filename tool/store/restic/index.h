/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where each blob lies: all index files of a repository in memory, in less than
 * 60 bytes a blob. */
#pragma once

#include "store/restic/blob.h"

typedef struct VkIndex VkIndex;

VkIndex *vk_index_new (void);
void vk_index_free (VkIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkIndex, vk_index_free)

/* Adds the blobs of a pack.  A blob that is known is left as it is. */
void vk_index_add_pack (VkIndex *index, const VkResticId *pack, const VkPackBlob *blobs, guint count);

/* Forgets all blobs. */
void vk_index_clear (VkIndex *index);

/* FALSE when there is no such blob; location may be NULL.  Calls of this and of
 * vk_index_add_pack() may come from several threads at once. */
gboolean vk_index_lookup (VkIndex *index, VkBlobType type, const VkResticId *id, VkBlobLocation *location);

/* The number of different blobs, and the memory they take, in bytes. */
guint64 vk_index_count (VkIndex *index);
gsize vk_index_memory (VkIndex *index);
