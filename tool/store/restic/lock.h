/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* restic's locks: files in the repository that are refreshed while they are
 * held.  Everything that reads or writes takes a shared one; whoever removes
 * data takes an exclusive one. */
#pragma once

#include "store/restic/repo.h"

typedef struct VkResticLock VkResticLock;

/* Takes a lock.  While others' locks are in the way, tries again for
 * retry_seconds, then VK_ERROR_BUSY names who holds it, where and since when.
 * A lock in the way is removed when it is of a process of this host that is gone.  Others' are
 * not, not even stale ones: that is what `restic unlock' is for, and the sentence says so.
 * From then on it is refreshed on a thread of its own.
 * Returns: (transfer full), free with vk_restic_lock_free(); repo must outlive
 * it. */
VkResticLock *vk_restic_lock_take (VkRestic *repo, gboolean exclusive, guint retry_seconds, GCancellable *cancellable, GError **error);

/* What a lock waits for, in milliseconds. */
typedef struct
{
  guint settle_ms;  /* until others have seen it, and it counts */
  guint refresh_ms; /* from one refresh to the next */
  guint retry_ms;   /* after one that failed */
  guint expiry_ms;  /* then the lock is lost */
} VkResticLockTimes;

/* As restic: a fifth of a second, 5 minutes, and 22.5 minutes.  Where locks are listed at
 * once (see VkBackendOps) the fifth of a second is not waited for. */
extern const VkResticLockTimes vk_restic_lock_times_default;

/* Takes a shared lock, and comes back before others have had the time to see it, which
 * vk_restic_lock_check() waits for.  Until then things can be read: whoever removes some
 * has found this lock, or had one that was found.  What has been read counts, and
 * anything is written, only after that check: it fails with VK_ERROR_BUSY when a lock
 * has come in the way.  With retry_seconds it is the same as vk_restic_lock_take(). */
VkResticLock *vk_restic_lock_take_early (VkRestic *repo, guint retry_seconds, GCancellable *cancellable, GError **error);

/* Either, with other times. */
VkResticLock *vk_restic_lock_take_timed (VkRestic *repo, gboolean exclusive, gboolean early, guint retry_seconds, const VkResticLockTimes *times, GCancellable *cancellable, GError **error);

/* Removes it from the repository; a failure to is a message in the log, since
 * the lock becomes stale by itself. */
void vk_restic_lock_free (VkResticLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkResticLock, vk_restic_lock_free)

/* TRUE from the moment when others may take the lock for dead: it could not be
 * refreshed in time, or somebody removed it.  Nothing may be written or removed
 * any more. */
gboolean vk_restic_lock_is_lost (VkResticLock *lock);

/* The same as VK_ERROR_STORE with a sentence; FALSE when it is lost.  Waits, a fifth of
 * a second at most and for the backend, for a lock that was taken early. */
gboolean vk_restic_lock_check (VkResticLock *lock, GError **error);

/* Cancelled when the lock is lost.  (transfer none) */
GCancellable *vk_restic_lock_lost_cancellable (VkResticLock *lock);
