/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An open restic repository, format version 2: blobs out.  See saver.h for blobs
 * in, tree.h, snapshot.h and lock.h for the rest.
 *
 * Errors everywhere in this directory: VK_ERROR_NOT_FOUND when something is
 * missing, VK_ERROR_DAMAGED when it is there and not what it should be,
 * VK_ERROR_STORE when the backend cannot be read or written. */
#pragma once

#include "store/restic/backend.h"
#include "store/restic/blob.h"
#include "store/restic/crypto.h"

typedef struct VkRestic VkRestic;

typedef struct
{
  gsize cache_bytes;    /* of blobs kept in memory; 0: 64 MiB */
  gboolean no_cache;    /* keep no copies of index files on this host */
  const char *cache_directory; /* for them, instead of $XDG_CACHE_HOME/virt-keep/restic; or NULL */
} VkResticOptions;

/* Opens the repository with any of its keys.  VK_ERROR_NOT_FOUND when there is
 * none, VK_ERROR_REFUSED for a wrong password or a version that is not 2.
 * Takes over backend in any case; options may be NULL.
 * Returns: (transfer full). */
VkRestic *vk_restic_open (VkBackend *backend, const char *password, const VkResticOptions *options, GCancellable *cancellable, GError **error);

/* The same with the master key itself, for a process that is started by one which has
 * it: without the half second that a password takes. */
VkRestic *vk_restic_open_with_key (VkBackend *backend, const VkResticKey *master, const VkResticOptions *options, GCancellable *cancellable, GError **error);

/* Makes a new repository and opens it; VK_ERROR_REFUSED when there is one.  As
 * above otherwise. */
VkRestic *vk_restic_create (VkBackend *backend, const char *password, const VkResticOptions *options, GCancellable *cancellable, GError **error);

/* NULL is accepted. */
void vk_restic_close (VkRestic *repo);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkRestic, vk_restic_close)

/* 64 digits.  (transfer none) */
const char *vk_restic_repo_id (VkRestic *repo);
VkBackend *vk_restic_backend (VkRestic *repo);
VkCrypto *vk_restic_crypto (VkRestic *repo);

/* Reads the index files that have been written since the last call, all of them
 * the first time.  Call it after the snapshot whose blobs are wanted has been
 * found: the other way round misses what is written in between. */
gboolean vk_restic_load_index (VkRestic *repo, GCancellable *cancellable, GError **error);

/* Forgets what index files said, so that the next call of the above reads all of
 * them: packs may have been moved since.  Not while other threads read blobs. */
void vk_restic_forget_index (VkRestic *repo);

/* Where the blob is, as far as index files have been read; location may be NULL. */
gboolean vk_restic_lookup (VkRestic *repo, VkBlobType type, const VkResticId *id, VkBlobLocation *location);

/* How many bytes the blob holds, without reading it; FALSE as above. */
gboolean vk_restic_blob_length (VkRestic *repo, VkBlobType type, const VkResticId *id, guint32 *length);

/* What the blob holds, authenticated and checked against its id; out of memory
 * if it was used lately.  Loads the index if that has not been done.  Any number
 * of threads; those that want the same blob at once have it read once.
 * VK_ERROR_NOT_FOUND when no index file lists it or its pack is gone,
 * VK_ERROR_DAMAGED when the pack has changed; both name blob, pack and offset.
 * Returns: (transfer full). */
GBytes *vk_restic_load_blob (VkRestic *repo, VkBlobType type, const VkResticId *id, GCancellable *cancellable, GError **error);

/* What is stored of the blob, authenticated, but neither decompressed nor checked
 * against its id; *raw_length is 0 when it is not compressed.  For what is read
 * as a stream; vk_restic_load_blob() otherwise, whose errors these are.
 * Returns: (transfer full). */
GBytes *vk_restic_load_stored (VkRestic *repo, VkBlobType type, const VkResticId *id, guint32 *raw_length, GCancellable *cancellable, GError **error);

/* Memory of the index and the number of blobs in it, for tests and reports. */
void vk_restic_index_stats (VkRestic *repo, guint64 *blobs, gsize *memory);

/* Adds a pack that an index file lists to the index in memory; for saver.c. */
void vk_restic_add_pack (VkRestic *repo, const VkResticId *pack, const VkPackBlob *blobs, guint count);
