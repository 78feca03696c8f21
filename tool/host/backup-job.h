/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One libvirt backup job of ours, from its begin to the known reason of its
 * end. */
#pragma once

#include "host/host.h"
#include "host/job-watch.h"

typedef struct VkBackupJob VkBackupJob;

/* Watches domain, without starting anything.  func (may be NULL) gets every
 * event as well.  host and domain must outlive the job.
 * Returns: (transfer full), or NULL with VK_LIBVIRT_ERROR set. */
VkBackupJob *vk_backup_job_new (VkHost *host, virDomainPtr domain, VkEventFunc func, gpointer user_data, GError **error);

/* Aborts the job if it still runs. */
void vk_backup_job_free (VkBackupJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkBackupJob, vk_backup_job_free)

/* virDomainBackupBegin().  checkpoint_xml may be NULL.  reuse: the push
 * targets exist already.  A domain on which any job runs is VK_ERROR_BUSY at
 * once (libvirt itself would wait for half a minute).  After VK_ERROR_GUEST, QEMU has
 * not answered, and the job may yet begin. */
gboolean vk_backup_job_begin (VkBackupJob *job, const char *backup_xml, const char *checkpoint_xml, gboolean reuse, GError **error);

/* Ends the job if it still runs, whatever state it is in.  Returns whether none of ours runs any more. */
gboolean vk_backup_job_stop (VkBackupJob *job);

/* Called a few times a second while a job is waited for.  FALSE with *error set ends the
 * waiting. */
typedef gboolean (*VkTickFunc) (gpointer user_data, GError **error);

/* Push: waits for the end of the job.  TRUE when it completed.
 * Errors: VK_ERROR_GUEST when the guest stopped or was paused for an I/O
 * error, VK_ERROR_ABORTED, VK_ERROR_CONNECTION, VK_ERROR_STORE when the target
 * could not be written, VK_ERROR_FAILED, G_IO_ERROR_CANCELLED. */
gboolean vk_backup_job_wait (VkBackupJob *job, VkTickFunc tick, gpointer user_data, GCancellable *cancellable, GError **error);

/* Pull: runs the main context until *done is TRUE, as long as the job lives.
 * Errors as above. */
gboolean vk_backup_job_run_until (VkBackupJob *job, const gboolean *done, VkTickFunc tick, gpointer user_data, GCancellable *cancellable, GError **error);

/* Pull: ends the job, which is how a pull backup ends well, and waits until
 * libvirt has said so. */
gboolean vk_backup_job_end (VkBackupJob *job, GError **error);

/* Why the job ended before its time, when that is known or can still be
 * learned within a moment: replaces *error (e.g. a read error that was only
 * the consequence).  Does nothing when libvirt has nothing to say. */
void vk_backup_job_explain (VkBackupJob *job, GError **error);

/* Ends a backup job of an earlier process. */
gboolean vk_backup_job_end_stale (VkBackupJob *job, GError **error);
