/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ids of a file's blobs, in order.  A list takes 32 bytes an id, and next
 * to nothing for one that repeats its neighbour, as the zero blob does. */
#pragma once

#include "store/restic/id.h"

typedef struct VkContent VkContent;

VkContent *vk_content_new (void);
VkContent *vk_content_ref (VkContent *content);
void vk_content_unref (VkContent *content);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkContent, vk_content_unref)

/* Appends id, count times.  Not while others read the list. */
void vk_content_append (VkContent *content, const VkResticId *id, guint64 count);

/* How many ids there are. */
guint64 vk_content_length (const VkContent *content);

/* The id at index, which must be below the length; it stays valid until the
 * next append.  Costs a binary search over the runs of repeated ids. */
const VkResticId *vk_content_get (const VkContent *content, guint64 index);

/* The same, and how many ids from index on are equal to it. */
const VkResticId *vk_content_get_run (const VkContent *content, guint64 index, guint64 *count);

/* SHA-256 of the ids, 32 bytes each, in order.  Returns: (transfer full) 64
 * hexadecimal digits. */
char *vk_content_digest (const VkContent *content);

/* Memory in use, in bytes. */
gsize vk_content_memory (const VkContent *content);
