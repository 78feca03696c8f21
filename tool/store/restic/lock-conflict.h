/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Other processes' locks on a repository. */
#pragma once

#include "store/restic/repo.h"

/* More bytes than this, decompressed, are no lock. */
enum { VK_LOCK_LIMIT = 1 << 20 };

/* What a lock's file says. */
typedef struct
{
  char *time; /* RFC 3339 */
  char *hostname;
  char *username;
  guint64 pid;
  gboolean exclusive;
} VkLockHolder;

/* text is what has been unsealed and decompressed.  VK_ERROR_DAMAGED when it is
 * no lock.  Returns: (transfer full). */
VkLockHolder *vk_lock_holder_parse (const void *text, gsize length, GError **error);
void vk_lock_holder_free (VkLockHolder *holder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkLockHolder, vk_lock_holder_free)

/* The same for the lock's file of that name.  VK_ERROR_NOT_FOUND when it has gone. */
VkLockHolder *vk_lock_holder_load (VkRestic *repo, const char *name, GCancellable *cancellable, GError **error);

/* Whether restic would take it for dead: it is older than half an hour, or of a process of
 * this host that is gone. */
gboolean vk_lock_holder_is_stale (const VkLockHolder *holder);

/* VK_ERROR_BUSY, with who holds it in the sentence, when a lock other than own
 * (a file's name, or NULL) is in the way of a shared or an exclusive one.  Those in the way of
 * processes of this host that are gone are removed. */
gboolean vk_lock_refuse_conflicts (VkRestic *repo, gboolean exclusive, const char *own, GCancellable *cancellable, GError **error);
