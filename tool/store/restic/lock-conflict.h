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

/* VK_ERROR_BUSY, with who holds it in the sentence, when a lock other than own
 * (a file's name, or NULL) is in the way of a shared or an exclusive one. */
gboolean vk_lock_refuse_conflicts (VkRestic *repo, gboolean exclusive, const char *own, GCancellable *cancellable, GError **error);
