/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small restic repositories for tests: files in fixed chunks and a snapshot. */
#pragma once

#include "store/restic/snapshot.h"
#include "store/restic/tree.h"

/* restic makes holes where this many zeros are. */
enum { RESTIC_ZERO_BYTES = 512 << 10 };

/* Makes a repository in the directory path with a key that costs next to nothing,
 * as tests open it often. */
void restic_make_repository (const char *path, const char *password);

/* Saves length bytes in chunks of chunk_bytes, a chunk of zeros as blobs of
 * RESTIC_ZERO_BYTES where it can be divided so.  Returns: (transfer full), or
 * NULL with *error. */
VkContent *restic_save_file (VkResticSaver *saver, const guint8 *data, gsize length, gsize chunk_bytes, GError **error);

/* Saves a tree of manifest.json and vda.raw, flushes, and saves a snapshot of it
 * under lock (or NULL).  *id gets its id. */
gboolean restic_save_point (VkRestic *repo, VkResticLock *lock, VkResticSaver *saver, const guint8 *disk, gsize length, gsize chunk_bytes, VkResticId *id, GError **error);

/* What a file holds, blob by blob.  Returns: (transfer full), or NULL with
 * *error. */
GByteArray *restic_load_file (VkRestic *repo, const VkResticId *snapshot, const char *path, GError **error);
