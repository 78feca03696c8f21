/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/freeze.h"

#include "base/error.h"
#include "host/agent.h"

enum
{
  THAW_TRIES = 5,
  THAW_SECONDS = 5, /* for one answer */
  PAUSE_SECONDS = 1,
};

struct VkFreeze
{
  virDomainPtr domain;
  VkFreezeMarker *marker;
  gint64 began;           /* monotonic microseconds */
  gint64 deadline;
  guint filesystems;
  GThread *watchdog;
  GMutex mutex;           /* for the two below */
  GCond cond;
  gboolean ending;        /* the owner thaws: the watchdog ends */
  gboolean expired;       /* the watchdog has thawed, or has tried to */
  gboolean thawed;
  gint64 thawed_at;
  guint thawed_filesystems;
};

/* With a limit on the agent's answers. */
static gboolean
order_thaw (virDomainPtr domain, guint *filesystems, GError **error)
{
  g_autoptr (GError) failure = NULL;
  int thawed = -1;

  for (guint try = 0; thawed < 0 && try < THAW_TRIES; try++)
    {
      if (try > 0)
        g_usleep (PAUSE_SECONDS * G_USEC_PER_SEC);
      thawed = virDomainFSThaw (domain, NULL, 0, 0);
      if (thawed >= 0)
        break;
      g_clear_error (&failure);
      vk_set_libvirt_error (&failure, NULL, "the guest agent did not thaw them");
      if (virDomainIsActive (domain) == 0)
        thawed = 0;
    }
  if (filesystems != NULL)
    *filesystems = (guint) MAX (thawed, 0);
  if (thawed >= 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_FROZEN, "the file systems of '%s' may still be frozen, and its programs stand still when they write: %s: thaw them now with virsh domfsthaw, or fsfreeze --unfreeze in the guest", virDomainGetName (domain), failure->message);
}

gboolean
vk_thaw (virDomainPtr domain, guint *filesystems, GError **error)
{
  gboolean thawed;

  vk_agent_limit_answers (domain, THAW_SECONDS);
  thawed = order_thaw (domain, filesystems, error);
  vk_agent_limit_answers (domain, 0);
  return thawed;
}

/* Only the thread that thaws writes thawed and what belongs to it, and they are read when
 * it has ended.
 * There is one call and no other next to it: while one thread of a process waits for
 * libvirtd, a call of another right after its last one may not be sent for seconds (in
 * libvirt's client one of them polls for all, and can miss that it is to look again). */
static gboolean
thaw (VkFreeze *freeze, GError **error)
{
  freeze->thawed = order_thaw (freeze->domain, &freeze->thawed_filesystems, error);
  freeze->thawed_at = g_get_monotonic_time ();
  return freeze->thawed;
}

static gpointer
watch_limit (gpointer user_data)
{
  VkFreeze *freeze = user_data;

  g_mutex_lock (&freeze->mutex);
  while (!freeze->ending && !freeze->expired)
    freeze->expired = !g_cond_wait_until (&freeze->cond, &freeze->mutex, freeze->deadline) && !freeze->ending;
  g_mutex_unlock (&freeze->mutex);
  if (freeze->expired)
    thaw (freeze, NULL);
  return NULL;
}

static void
freeze_free (VkFreeze *freeze)
{
  g_clear_pointer (&freeze->marker, vk_freeze_marker_free);
  g_mutex_clear (&freeze->mutex);
  g_cond_clear (&freeze->cond);
  g_free (freeze);
}

/* Whether the order may have reached the guest, and be carried out yet, although it failed.
 * An agent that answers with an error has thawed what it had frozen; and it refuses what
 * somebody else has frozen already, which is not ours to thaw. */
static gboolean
may_be_frozen (int code)
{
  switch (code)
    {
    case VIR_ERR_INTERNAL_ERROR:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
    case VIR_ERR_OPERATION_INVALID:
    case VIR_ERR_OPERATION_TIMEOUT:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_NO_SUPPORT:
      return FALSE;
    default:
      return TRUE;
    }
}

static gboolean
give_order (VkFreeze *freeze, const char *const *mounts, guint limit, GError **error)
{
  guint n = mounts ? g_strv_length ((char **) mounts) : 0;
  g_autoptr (GError) failure = NULL;
  gboolean unclear;
  int frozen;

  vk_agent_limit_answers (freeze->domain, limit);
  freeze->began = g_get_monotonic_time ();
  freeze->deadline = freeze->began + (gint64) limit * G_USEC_PER_SEC;
  frozen = virDomainFSFreeze (freeze->domain, n > 0 ? (const char **) mounts : NULL, n, 0);
  if (frozen < 0)
    vk_set_libvirt_error (&failure, NULL, "the guest agent did not freeze the file systems");
  vk_agent_limit_answers (freeze->domain, THAW_SECONDS);
  if (frozen >= 0)
    {
      freeze->filesystems = (guint) frozen;
      return TRUE;
    }
  unclear = may_be_frozen (failure->code) && !thaw (freeze, error);
  vk_agent_limit_answers (freeze->domain, 0);
  if (unclear)
    return FALSE;
  g_propagate_error (error, g_steal_pointer (&failure));
  vk_freeze_marker_remove (freeze->marker, NULL);
  return FALSE;
}

VkFreeze *
vk_freeze_begin (VkHost *host, virDomainPtr domain, const char *const *mounts, guint limit, GError **error)
{
  VkFreeze *freeze = g_new0 (VkFreeze, 1);

  freeze->domain = domain;
  g_mutex_init (&freeze->mutex);
  g_cond_init (&freeze->cond);
  freeze->marker = vk_freeze_marker_new (host, domain, error);
  if (freeze->marker == NULL || !give_order (freeze, mounts, limit, error))
    {
      freeze_free (freeze);
      return NULL;
    }
  freeze->watchdog = g_thread_new ("thaw", watch_limit, freeze);
  return freeze;
}

gint64
vk_freeze_deadline (const VkFreeze *freeze)
{
  return freeze->deadline;
}

gboolean
vk_freeze_end (VkFreeze *freeze, VkFreezeReport *report, GError **error)
{
  gboolean thawed;

  g_mutex_lock (&freeze->mutex);
  freeze->ending = TRUE;
  g_cond_signal (&freeze->cond);
  g_mutex_unlock (&freeze->mutex);
  g_thread_join (freeze->watchdog);
  thawed = freeze->thawed || thaw (freeze, error);
  vk_agent_limit_answers (freeze->domain, 0);
  /* One that cannot be removed only has the next backup thaw in vain. */
  if (thawed)
    vk_freeze_marker_remove (freeze->marker, NULL);
  report->filesystems = freeze->filesystems;
  report->milliseconds = (guint64) (freeze->thawed_at - freeze->began + 999) / 1000;
  report->expired = freeze->expired;
  report->broken = freeze->thawed && freeze->filesystems > 0 && freeze->thawed_filesystems == 0 && virDomainIsActive (freeze->domain) == 1;
  freeze_free (freeze);
  return thawed;
}
