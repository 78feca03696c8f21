/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* restic's locks: files in the repository that are refreshed while they are
 * held.  Everything that reads or writes takes a shared one; whoever removes
 * data takes an exclusive one. */
#pragma once

#include "store/restic/repo.h"

typedef struct VkResticLock VkResticLock;

/* Takes a lock.  While others' locks are in the way, tries again for
 * retry_seconds, then VK_ERROR_BUSY names who holds it, where and since when.
 * Others' locks are never removed, not even stale ones: that is what `restic
 * unlock' is for, and the sentence says so.
 * From then on it is refreshed on a thread of its own.
 * Returns: (transfer full), free with vk_restic_lock_free(); repo must outlive
 * it. */
VkResticLock *vk_restic_lock_take (VkRestic *repo, gboolean exclusive, guint retry_seconds, GCancellable *cancellable, GError **error);

/* How long a lock goes without being refreshed, in milliseconds. */
typedef struct
{
  guint refresh_ms; /* from one time to the next */
  guint retry_ms;   /* after one that failed */
  guint expiry_ms;  /* then the lock is lost */
} VkResticLockTimes;

/* As restic: 5 minutes, and 22.5 minutes. */
extern const VkResticLockTimes vk_restic_lock_times_default;

/* The same with other times, for tests. */
VkResticLock *vk_restic_lock_take_timed (VkRestic *repo, gboolean exclusive, guint retry_seconds, const VkResticLockTimes *times, GCancellable *cancellable, GError **error);

/* Removes it from the repository; a failure to is a message in the log, since
 * the lock becomes stale by itself. */
void vk_restic_lock_free (VkResticLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkResticLock, vk_restic_lock_free)

/* TRUE from the moment when others may take the lock for dead: it could not be
 * refreshed in time, or somebody removed it.  Nothing may be written or removed
 * any more. */
gboolean vk_restic_lock_is_lost (VkResticLock *lock);

/* The same as VK_ERROR_STORE with a sentence; FALSE when it is lost. */
gboolean vk_restic_lock_check (VkResticLock *lock, GError **error);

/* Cancelled when the lock is lost.  (transfer none) */
GCancellable *vk_restic_lock_lost_cancellable (VkResticLock *lock);
