/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of a file of a repository, in any order and by any number of threads.
 * No byte is given out that has not been authenticated and checked against the
 * id of its blob.  What is read from one end to the other is read ahead, on
 * threads of the reader's; memory is that of the repository's cache. */
#pragma once

#include "store/restic/disk-map.h"

typedef struct VkDiskReader VkDiskReader;

/* name is what messages call the file; the rest as for vk_disk_map_new().  repo
 * must outlive the reader.  Returns: (transfer full). */
VkDiskReader *vk_disk_reader_new (VkRestic *repo, const char *name, VkContent *content, guint64 size, guint64 chunk_size, GError **error);
void vk_disk_reader_free (VkDiskReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkDiskReader, vk_disk_reader_free)

/* (transfer none) */
const VkDiskMap *vk_disk_reader_map (VkDiskReader *reader);

/* Fills buffer with length bytes at offset; all of them must be in the file.
 * VK_ERROR_NOT_FOUND, VK_ERROR_DAMAGED and VK_ERROR_STORE name the file and the
 * range of bytes that cannot be had. */
gboolean vk_disk_reader_read (VkDiskReader *reader, void *buffer, guint64 offset, gsize length, GCancellable *cancellable, GError **error);
