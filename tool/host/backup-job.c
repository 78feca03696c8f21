/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/backup-job.h"

#include <glib/gi18n.h>
#include <inttypes.h>
#include <string.h>

#include "base/environment.h"
#include "base/error.h"
#include "host/backup-begin.h"
#include "host/job-info.h"
#include "host/question.h"

enum
{
  TICK_MILLISECONDS = 250,
  POLL_SECONDS = 2,        /* how often libvirt is asked, in case an event was lost */
  EVENT_SECONDS = 5,       /* for the event of a job that has gone */
  EXPLAIN_SECONDS = 2,     /* for the lifecycle event that follows a failed job */
  SHUTDOWN_SECONDS = 30,   /* for that of a guest that is on its way */
  END_SECONDS = 30,        /* for libvirt to report a job that was told to end */
};

/* VIR_DOMAIN_BACKUP_BEGIN_PRESERVE_SHUTDOWN_DOMAIN, which the headers need not have yet: a guest that shuts itself
 * down is paused until its backup has ended. */
enum { PRESERVE_SHUTDOWN_FLAG = 1 << 1, PRESERVE_SHUTDOWN_SINCE = 11010000 };

struct VkBackupJob
{
  VkHost *host;
  virDomainPtr domain;
  VkJobWatch *watch;
  VkEventFunc func;
  gpointer user_data;
  gboolean began;
  gboolean completed;     /* libvirt reported the end */
  gboolean success;
  char *message;          /* libvirt's words about the end */
  gboolean stopped;       /* the guest runs no more */
  char *stopped_detail;
  gboolean paused;        /* the guest is paused for an I/O error */
  char *io_error;         /* its reason */
  gboolean lost;          /* the connection broke */
  gboolean stalled;       /* it has written nothing for patience */
  GError *silence;        /* QEMU does not answer */
  gboolean over;          /* any of the above: nothing to wait for */
  gint64 last_poll;       /* monotonic microseconds */
  guint64 patience;       /* seconds; 0: its progress is not watched */
  guint64 processed;      /* bytes */
  gint64 last_progress;   /* monotonic microseconds */
};

static void
on_event (const VkEvent *event, gpointer user_data)
{
  VkBackupJob *job = user_data;

  if (event->kind == VK_EVENT_JOB_COMPLETED && job->began)
    {
      job->completed = TRUE;
      job->success = event->success;
      g_free (job->message);
      job->message = g_strdup (event->message);
    }
  if (event->stopped)
    {
      job->stopped = TRUE;
      g_free (job->stopped_detail);
      job->stopped_detail = g_strdup (event->detail ? event->detail : event->word);
    }
  if (event->paused_by_io_error)
    job->paused = TRUE;
  if (event->kind == VK_EVENT_IO_ERROR)
    {
      g_free (job->io_error);
      job->io_error = g_strdup_printf ("%s%s%s", event->word, event->disk ? " on " : "", event->disk ? event->disk : "");
    }
  job->over = job->completed || job->stopped || job->paused || job->lost || job->stalled || job->silence != NULL;
  if (job->func != NULL)
    job->func (event, job->user_data);
}

static void
on_lost (gpointer user_data)
{
  VkBackupJob *job = user_data;

  job->lost = TRUE;
  job->over = TRUE;
}

VkBackupJob *
vk_backup_job_new (VkHost *host, virDomainPtr domain, VkEventFunc func, gpointer user_data, GError **error)
{
  VkBackupJob *job = g_new0 (VkBackupJob, 1);

  job->host = host;
  job->domain = domain;
  job->func = func;
  job->user_data = user_data;
  job->watch = vk_job_watch_new (host, domain, on_event, job, error);
  if (job->watch == NULL)
    {
      g_free (job);
      return NULL;
    }
  vk_host_set_lost_func (host, on_lost, job);
  return job;
}

gboolean
vk_backup_job_stop (VkBackupJob *job)
{
  if (!job->began || job->completed || job->stopped)
    return TRUE;
  return !vk_host_is_lost (job->host) && vk_backup_job_end (job, NULL);
}

void
vk_backup_job_free (VkBackupJob *job)
{
  vk_backup_job_stop (job);
  vk_host_set_lost_func (job->host, NULL, NULL);
  vk_job_watch_free (job->watch);
  g_free (job->message);
  g_free (job->stopped_detail);
  g_free (job->io_error);
  g_clear_error (&job->silence);
  g_free (job);
}

static unsigned int
begin_flags (VkBackupJob *job, gboolean reuse)
{
  unsigned int flags = reuse ? VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL : 0;

  if (vk_host_libvirt_is_at_least (job->host, PRESERVE_SHUTDOWN_SINCE))
    flags |= PRESERVE_SHUTDOWN_FLAG;
  return flags;
}

gboolean
vk_backup_job_begin (VkBackupJob *job, const char *backup_xml, const char *checkpoint_xml, gboolean reuse, GError **error)
{
  const char *name = virDomainGetName (job->domain);
  VkJobInfo info;

  if (!vk_job_info_get (job->domain, &info, error))
    return FALSE;
  if (info.active)
    return vk_fail (error, VK_ERROR_BUSY, "a job (%s) is already running on '%s': wait for it or end it, see virt-keep status", info.operation, name);
  if (!vk_backup_begin (job->domain, backup_xml, checkpoint_xml, begin_flags (job, reuse), vk_host_is_local (job->host), error))
    return FALSE;
  job->began = TRUE;
  job->last_poll = g_get_monotonic_time ();
  return TRUE;
}

/* Notices that QEMU does not get on, as with a store on a network that has gone. */
static void
watch_progress (VkBackupJob *job, const VkJobInfo *info)
{
  gint64 now = g_get_monotonic_time ();

  if (info->processed != job->processed || job->last_progress == 0)
    {
      job->processed = info->processed;
      job->last_progress = now;
    }
  if (job->patience == 0 || now - job->last_progress < (gint64) job->patience * G_USEC_PER_SEC)
    return;
  job->stalled = TRUE;
  job->over = TRUE;
}

/* Notices the end of a job or of a guest whose event never came, and one without end. */
static void
poll_state (VkBackupJob *job)
{
  g_autoptr (GError) failure = NULL;
  VkJobInfo info;
  int state, reason;

  job->last_poll = g_get_monotonic_time ();
  if (virDomainGetState (job->domain, &state, &reason, 0) == 0 && (state == VIR_DOMAIN_SHUTOFF || state == VIR_DOMAIN_CRASHED))
    {
      job->stopped = TRUE;
      job->over = TRUE;
    }
  else if (!vk_job_info_get (job->domain, &info, &failure))
    {
      if (g_error_matches (failure, VK_ERROR, VK_ERROR_GUEST))
        {
          g_clear_error (&job->silence);
          job->silence = g_steal_pointer (&failure);
          job->over = TRUE;
        }
    }
  else if (info.is_backup)
    watch_progress (job, &info);
  else
    {
      /* The event that says how may be on its way, for long where the host has much to do. */
      vk_host_run_until (&job->over, NULL, g_get_monotonic_time () + EVENT_SECONDS * G_USEC_PER_SEC, NULL);
      if (!job->over)
        {
          job->message = g_strdup ("the job is gone, libvirt did not say how it ended");
          job->completed = TRUE;
          job->over = TRUE;
        }
    }
}

/* libvirt's word for how the guest stopped, where it needs no explanation. */
static const char *
describe_stop (const char *detail)
{
  if (detail == NULL)
    return "shut off";
  return strcmp (detail, "failed") == 0 ? "its QEMU died or was killed" : detail;
}

/* Sets *error to why the job is over.  Returns FALSE. */
static gboolean
set_outcome_error (VkBackupJob *job, GError **error)
{
  const char *name = virDomainGetName (job->domain);
  const char *words = job->message ? job->message : "no reason given";

  if (job->lost)
    vk_fail (error, VK_ERROR_CONNECTION, "the connection to libvirt was lost while '%s' was backed up: is libvirtd still running?", name);
  else if (job->stopped)
    vk_fail (error, VK_ERROR_GUEST, "the domain '%s' stopped during the backup (%s): start it and back it up again", name, describe_stop (job->stopped_detail));
  else if (job->paused)
    vk_fail (error, VK_ERROR_GUEST, "the domain '%s' was paused by an I/O error during the backup (%s): make room for its disks, or in pull mode for --scratch-dir, then virsh resume it", name, job->io_error ? job->io_error : "unknown");
  else if (job->silence != NULL)
    g_propagate_error (error, g_error_copy (job->silence));
  else if (job->stalled)
    vk_fail (error, VK_ERROR_STORE, "QEMU has written nothing of the backup of '%s' for %" PRIu64 " seconds: is the store, or the network to it, still there?", name, job->patience);
  else if (strstr (words, "Operation canceled") != NULL || (job->message == NULL && !job->success))
    vk_fail (error, VK_ERROR_ABORTED, "somebody else aborted the backup job of '%s'", name);
  else if (strstr (words, "Input/output error") != NULL)
    vk_fail (error, VK_ERROR_STORE, "QEMU could not copy the disks of '%s' to the store: %s: the store could not be written, or a disk of the domain could not be read", name, words);
  else if (strstr (words, "No space left") != NULL || strstr (words, "Read-only file system") != NULL || strstr (words, "quota") != NULL)
    vk_fail (error, VK_ERROR_STORE, "QEMU could not write the backup of '%s' to the store: %s", name, words);
  else
    vk_fail (error, VK_ERROR_FAILED, "the backup job of '%s' failed: %s", name, words);
  return FALSE;
}

/* After a job that ended without success: the guest's own end, which is the
 * cause, is reported after it. */
static void
wait_for_cause (VkBackupJob *job)
{
  gint64 deadline = g_get_monotonic_time () + EXPLAIN_SECONDS * G_USEC_PER_SEC;

  if (job->stopped || job->lost || job->paused || job->stalled || job->silence != NULL)
    return;
  if (job->message != NULL && strstr (job->message, "Operation canceled") == NULL)
    return;
  /* With its reason known only in part, ask; a destroyed guest is already off
   * in libvirt's books or will be within moments. */
  while (!job->stopped && !job->lost && g_get_monotonic_time () < deadline)
    {
      int state, reason;

      vk_host_run_until (&job->stopped, &job->lost, MIN (deadline, g_get_monotonic_time () + G_USEC_PER_SEC / 10), NULL);
      if (job->message != NULL && virDomainGetState (job->domain, &state, &reason, 0) == 0 && state == VIR_DOMAIN_RUNNING)
        break;
    }
}

/* Runs the main context until *done, or the job is over.  FALSE only when
 * cancelled, and when tick has said so. */
static gboolean
run_while_alive (VkBackupJob *job, const gboolean *done, VkTickFunc tick, gpointer user_data, GCancellable *cancellable, GError **error)
{
  while (!*done && !job->over)
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      vk_host_run_until (done, &job->over, g_get_monotonic_time () + TICK_MILLISECONDS * 1000, cancellable);
      if (tick != NULL && !tick (user_data, error))
        return FALSE;
      if (!job->over && g_get_monotonic_time () - job->last_poll > POLL_SECONDS * G_USEC_PER_SEC)
        poll_state (job);
    }
  return TRUE;
}

gboolean
vk_backup_job_wait (VkBackupJob *job, VkTickFunc tick, gpointer user_data, GCancellable *cancellable, GError **error)
{
  if (!vk_copy_patience (&job->patience, error))
    return FALSE;
  if (!run_while_alive (job, &job->over, tick, user_data, cancellable, error))
    return FALSE;
  /* The event of a job that has completed comes before that of a guest that stopped after it. */
  if (job->stopped)
    vk_host_run_until (&job->completed, NULL, g_get_monotonic_time () + TICK_MILLISECONDS * 1000, NULL);
  if (job->completed && job->success)
    return TRUE;
  wait_for_cause (job);
  return set_outcome_error (job, error);
}

gboolean
vk_backup_job_run_until (VkBackupJob *job, const gboolean *done, VkTickFunc tick, gpointer user_data, GCancellable *cancellable, GError **error)
{
  if (!run_while_alive (job, done, tick, user_data, cancellable, error))
    return FALSE;
  if (!job->over)
    return TRUE;
  wait_for_cause (job);
  return set_outcome_error (job, error);
}

/* Notes that libvirt has no such job any more. */
static gboolean
has_gone (VkBackupJob *job)
{
  VkJobInfo info;

  if (!vk_job_info_get (job->domain, &info, NULL) || info.is_backup)
    return FALSE;
  job->completed = TRUE;
  return TRUE;
}

static gboolean
abort_job (virDomainPtr domain, gpointer unused, GError **error)
{
  const char *name = virDomainGetName (domain);

  if (virDomainAbortJob (domain) == 0)
    return TRUE;
  vk_set_libvirt_error (error, N_("end it with virsh domjobabort"), "cannot end the backup job of '%s'", name);
  return FALSE;
}

gboolean
vk_backup_job_end (VkBackupJob *job, GError **error)
{
  const char *name = virDomainGetName (job->domain);
  gint64 deadline = g_get_monotonic_time () + END_SECONDS * G_USEC_PER_SEC;
  gboolean was_over = job->over;
  g_autoptr (GError) failure = NULL;

  if (job->completed || job->stopped)
    return TRUE;
  job->over = FALSE;
  if (!vk_question_ask (job->domain, abort_job, NULL, NULL, &failure))
    {
      /* Somebody else may have been faster: the guard of a backup that was killed. */
      if (has_gone (job))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&failure));
      job->over = was_over;
      return FALSE;
    }
  while (!job->completed && !job->lost && g_get_monotonic_time () < deadline)
    {
      vk_host_run_until (&job->completed, &job->lost, MIN (deadline, g_get_monotonic_time () + POLL_SECONDS * G_USEC_PER_SEC), NULL);
      if (!job->completed)
        has_gone (job);
    }
  if (job->completed)
    return TRUE;
  return vk_fail (error, VK_ERROR_FAILED, "libvirt did not report the end of the backup job of '%s' within %d seconds", name, END_SECONDS);
}

/* QEMU closes its exports when it begins to end, and ends when it has written what it had in its
 * cache. */
static gboolean
is_shutting_down (VkBackupJob *job)
{
  int state, reason;

  return virDomainGetState (job->domain, &state, &reason, 0) == 0
      && (state == VIR_DOMAIN_SHUTDOWN || (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_SHUTTING_DOWN));
}

void
vk_backup_job_explain (VkBackupJob *job, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + SHUTDOWN_SECONDS * G_USEC_PER_SEC;

  do
    {
      vk_host_run_until (&job->over, NULL, g_get_monotonic_time () + EXPLAIN_SECONDS * G_USEC_PER_SEC, NULL);
      if (!job->over)
        poll_state (job);
    }
  while (!job->over && is_shutting_down (job) && g_get_monotonic_time () < deadline);
  if (!job->over)
    return;
  wait_for_cause (job);
  g_clear_error (error);
  set_outcome_error (job, error);
}

gboolean
vk_backup_job_end_stale (VkBackupJob *job, GError **error)
{
  gboolean ended;

  job->began = TRUE;
  ended = vk_backup_job_end (job, error);
  job->began = FALSE;
  job->completed = FALSE;
  job->over = job->stopped || job->paused || job->lost;
  return ended;
}
