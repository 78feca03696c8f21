/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the blocks of an NBD export hold, in order of their offsets, asked for
 * ahead of time: block status of base:allocation and, for what has changed, of
 * a dirty bitmap. */
#pragma once

#include <glib.h>

#include "transfer/nbd-pool.h"

#define VK_CONTEXT_ALLOCATION "base:allocation"

typedef enum
{
  VK_EXTENT_DATA,      /* to be read */
  VK_EXTENT_ZERO,      /* reads as zeroes */
  VK_EXTENT_UNCHANGED, /* clean in the dirty bitmap */
} VkExtentState;

/* A run of bytes with one state; neighbours may have the same. */
typedef struct
{
  guint64 offset;
  guint64 length;
  VkExtentState state;
} VkExtent;

typedef struct VkExtentReader VkExtentReader;

/* pool was opened with the contexts VK_CONTEXT_ALLOCATION and dirty_bitmap
 * (which may be NULL).  A server that does not know the former has a disk full
 * of data.  granularity (bytes, a power of two of at most 1 GiB, or 0): with a
 * dirty bitmap, whatever lies in an aligned chunk of that size with something
 * that has changed counts as changed, too.  Must be freed after pool.
 * Returns: (transfer full), or NULL with *error set when the server does not
 * know dirty_bitmap. */
VkExtentReader *vk_extent_reader_new (VkNbdPool *pool, const char *dirty_bitmap, guint64 granularity, GError **error);

/* Asks ahead, and sets *extent to what comes next: NULL when the server has not
 * answered yet, or at the end. */
gboolean vk_extent_reader_peek (VkExtentReader *reader, const VkExtent **extent, GError **error);

/* Moves on by length bytes of the extent that was peeked at. */
void vk_extent_reader_take (VkExtentReader *reader, guint64 length);

gboolean vk_extent_reader_at_end (const VkExtentReader *reader);

void vk_extent_reader_free (VkExtentReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkExtentReader, vk_extent_reader_free)
