/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blobs into a repository: hashed, looked up, compressed, sealed, packed and
 * stored on threads of the saver's.  Packs are bounded by number: besides the blobs that
 * it was given, memory is about (uploads + 3) x pack size at most. */
#pragma once

#include "store/restic/lock.h"
#include "store/restic/pack.h"

typedef struct VkResticSaver VkResticSaver;

typedef struct
{
  VkResticLock *lock; /* that is held meanwhile: nothing is written once it is lost; or NULL */
  guint threads;     /* that hash and compress; 0: one a processor */
  guint uploads;     /* packs on their way at once; 0: what the backend says */
  gsize pack_size;   /* VK_PACK_SIZE_MIN..VK_PACK_SIZE_MAX; 0: VK_PACK_SIZE_DEFAULT */
  int level;         /* of zstd; 0: VK_ZSTD_DATA_LEVEL; negative: do not compress data blobs */
} VkResticSaverOptions;

/* Counted since the saver was made. */
typedef struct
{
  guint64 blobs;         /* that were given */
  guint64 new_blobs;     /* that were not in the repository */
  guint64 new_bytes;     /* in those, before compression */
  guint64 stored_bytes;  /* packs and index files */
} VkResticSaverStats;

/* Called when the id of a blob is known, on a thread of the saver's, or of the
 * caller's within vk_restic_saver_add().  is_new: the repository did not have
 * it.  Not called any more after a failure. */
typedef void (*VkSavedFunc) (const VkResticId *id, gboolean is_new, gpointer user_data);

/* options may be NULL.  When cancellable is cancelled everything ends with its
 * error.  repo and options->lock must outlive the saver.
 * Deduplicates against the index as far as it has been loaded, and against what
 * this saver has been given.  Returns: (transfer full). */
VkResticSaver *vk_restic_saver_new (VkRestic *repo, const VkResticSaverOptions *options, GCancellable *cancellable);

/* Gives a blob to the threads of the saver, and does not wait for them: whoever gives blobs
 * bounds how many of them there are, by when they are freed.  saved may be NULL.  Any number
 * of threads may call it.  FALSE, with the first error of anything so far, when nothing can
 * be saved any more. */
gboolean vk_restic_saver_push (VkResticSaver *saver, VkBlobType type, GBytes *content, VkSavedFunc saved, gpointer user_data, GError **error);

/* The same on the calling thread: *id is known on return.  Any number of threads
 * may call it. */
gboolean vk_restic_saver_add (VkResticSaver *saver, VkBlobType type, const void *content, gsize length, VkResticId *id, GError **error);

/* A blob that is compressed already, which may be large: it is sealed where it is.
 * content (transfer full) is a zstd frame of length bytes whose SHA-256 is *id, behind
 * VK_SEAL_IV_BYTES that are free. */
gboolean vk_restic_saver_add_compressed (VkResticSaver *saver, VkBlobType type, const VkResticId *id, guint32 length, GByteArray *content, GError **error);

/* FALSE, with the first error of anything so far, when nothing can be saved any
 * more. */
gboolean vk_restic_saver_check (VkResticSaver *saver, GError **error);

/* Waits until everything that was given is in packs, those are durable, and
 * index files that list them are.  Only then may a snapshot refer to it.  Not
 * while other threads give blobs. */
gboolean vk_restic_saver_flush (VkResticSaver *saver, GError **error);

/* Gives back the memory that is kept for more packs: only few are to come. */
void vk_restic_saver_shrink (VkResticSaver *saver);

void vk_restic_saver_get_stats (VkResticSaver *saver, VkResticSaverStats *stats);

/* Gives up what has not been flushed: at most packs that nothing refers to are
 * left. */
void vk_restic_saver_free (VkResticSaver *saver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkResticSaver, vk_restic_saver_free)
