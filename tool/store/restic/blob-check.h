/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the blobs of files are in a repository, and what they should be.  Each
 * blob is looked at once, however many files it is part of. */
#pragma once

#include "store/restic/content.h"
#include "store/restic/repo.h"

/* Something that is wrong with a blob. */
typedef struct
{
  char *file;    /* of the repository: "data/PACK", or "index" when none lists the blob */
  char *message;
} VkBlobFault;

typedef struct VkBlobCheck VkBlobCheck;

/* After the index has been loaded.  read: blobs are read, authenticated and
 * hashed, on threads of the check's; without, it is seen whether their packs are
 * there and long enough.  repo must outlive it.  Returns: (transfer full). */
VkBlobCheck *vk_blob_check_new (VkRestic *repo, gboolean read, GCancellable *cancellable, GError **error);
void vk_blob_check_free (VkBlobCheck *check);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkBlobCheck, vk_blob_check_free)

/* Checks the blobs of a file (NULL: none); waits while too many are being read.
 * FALSE when it was cancelled or the repository cannot be read. */
gboolean vk_blob_check_add (VkBlobCheck *check, const VkContent *content, GError **error);

/* Waits for what is being read; FALSE as above. */
gboolean vk_blob_check_finish (VkBlobCheck *check, GError **error);

/* After that: how many blobs are faulty, and what is wrong with this one, or
 * NULL.  (transfer none) */
guint vk_blob_check_faults (VkBlobCheck *check);
const VkBlobFault *vk_blob_check_find (VkBlobCheck *check, const VkResticId *id);
