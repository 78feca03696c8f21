/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chunks of a disk on their way to a saver: buffers for their data, which bound how many
 * there are, and what becomes known of them. */
#pragma once

#include "store/restic/restic-sink.h"

typedef struct VkChunkFeeder VkChunkFeeder;

/* disk and saver must outlive it.  Returns: (transfer full). */
VkChunkFeeder *vk_chunk_feeder_new (VkResticDisk *disk, VkResticSaver *saver);

/* Waits until the saver has let go of all chunks, whether it saved them or has
 * failed. */
void vk_chunk_feeder_free (VkChunkFeeder *feeder);

/* An eventfd that becomes readable whenever a buffer has come back. */
int vk_chunk_feeder_event (const VkChunkFeeder *feeder);

/* A buffer of the size of a chunk, or NULL while all are in use. */
guint8 *vk_chunk_feeder_take_buffer (VkChunkFeeder *feeder);

/* Gives one back unused. */
void vk_chunk_feeder_return_buffer (VkChunkFeeder *feeder, guint8 *buffer);

/* The chunk at index is what buffer, which goes back, holds. */
void vk_chunk_feeder_give (VkChunkFeeder *feeder, guint64 index, guint8 *buffer);

/* The count chunks from index on are zeroes. */
void vk_chunk_feeder_give_zeroes (VkChunkFeeder *feeder, guint64 index, guint64 count);

/* FALSE with the first failure. */
gboolean vk_chunk_feeder_check (VkChunkFeeder *feeder, GError **error);

/* Everything has been given: waits for the saver, and fills in the results in the
 * disk.  Nothing can be given any more. */
gboolean vk_chunk_feeder_finish (VkChunkFeeder *feeder, GError **error);
