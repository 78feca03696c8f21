/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/job-watch.h"

#include "base/error.h"
#include "base/json.h"

enum { WATCHED_EVENTS = 4 };

struct VkJobWatch
{
  virConnectPtr connection;
  int callbacks[WATCHED_EVENTS]; /* libvirt's ids, -1 when not registered */
  VkEventFunc func;
  gpointer user_data;
};

const char *
vk_event_name (VkEventKind kind)
{
  switch (kind)
    {
    case VK_EVENT_JOB_COMPLETED:
      return "job-completed";
    case VK_EVENT_BLOCK_JOB:
      return "block-job";
    case VK_EVENT_IO_ERROR:
      return "io-error";
    case VK_EVENT_LIFECYCLE:
      return "lifecycle";
    }
  g_assert_not_reached ();
}

/* VIR_DOMAIN_EVENT_SUSPENDED_GUEST_SHUTDOWN, since libvirt 11.10, which the headers need not have yet. */
enum { SUSPENDED_GUEST_SHUTDOWN = 9 };

static const char *
lifecycle_word (int event)
{
  switch ((virDomainEventType) event)
    {
    case VIR_DOMAIN_EVENT_DEFINED:
      return "defined";
    case VIR_DOMAIN_EVENT_UNDEFINED:
      return "undefined";
    case VIR_DOMAIN_EVENT_STARTED:
      return "started";
    case VIR_DOMAIN_EVENT_SUSPENDED:
      return "suspended";
    case VIR_DOMAIN_EVENT_RESUMED:
      return "resumed";
    case VIR_DOMAIN_EVENT_STOPPED:
      return "stopped";
    case VIR_DOMAIN_EVENT_SHUTDOWN:
      return "shutdown";
    case VIR_DOMAIN_EVENT_PMSUSPENDED:
      return "pmsuspended";
    case VIR_DOMAIN_EVENT_CRASHED:
      return "crashed";
#ifdef VIR_ENUM_SENTINELS
    case VIR_DOMAIN_EVENT_LAST:
      break;
#endif
    }
  return "unknown";
}

static const char *
stopped_detail (int detail)
{
  switch ((virDomainEventStoppedDetailType) detail)
    {
    case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
      return "shut down";
    case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
      return "destroyed";
    case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
      return "crashed";
    case VIR_DOMAIN_EVENT_STOPPED_MIGRATED:
      return "migrated away";
    case VIR_DOMAIN_EVENT_STOPPED_SAVED:
      return "saved";
    case VIR_DOMAIN_EVENT_STOPPED_FAILED:
      return "failed";
    case VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT:
      return "reverted to a snapshot";
#ifdef VIR_ENUM_SENTINELS
    case VIR_DOMAIN_EVENT_STOPPED_LAST:
      break;
#endif
    }
  return NULL;
}

static int
on_lifecycle (virConnectPtr connection, virDomainPtr domain, int event, int detail, void *user_data)
{
  VkJobWatch *watch = user_data;
  VkEvent report = { .kind = VK_EVENT_LIFECYCLE, .word = lifecycle_word (event) };

  if (event == VIR_DOMAIN_EVENT_STOPPED || event == VIR_DOMAIN_EVENT_CRASHED)
    report.stopped = TRUE;
  if (event == VIR_DOMAIN_EVENT_STOPPED)
    report.detail = stopped_detail (detail);
  if (event == VIR_DOMAIN_EVENT_SUSPENDED && detail == VIR_DOMAIN_EVENT_SUSPENDED_IOERROR)
    {
      report.paused_by_io_error = TRUE;
      report.detail = "I/O error";
    }
  if (event == VIR_DOMAIN_EVENT_SUSPENDED && detail == SUSPENDED_GUEST_SHUTDOWN)
    report.detail = "the guest has shut down, its QEMU waits for the end of the backup";
  watch->func (&report, watch->user_data);
  return 0;
}

static const char *
io_error_action (int action)
{
  switch ((virDomainEventIOErrorAction) action)
    {
    case VIR_DOMAIN_EVENT_IO_ERROR_NONE:
      return "ignore";
    case VIR_DOMAIN_EVENT_IO_ERROR_PAUSE:
      return "pause";
    case VIR_DOMAIN_EVENT_IO_ERROR_REPORT:
      return "report";
#ifdef VIR_ENUM_SENTINELS
    case VIR_DOMAIN_EVENT_IO_ERROR_LAST:
      break;
#endif
    }
  return NULL;
}

static void
on_io_error (virConnectPtr connection, virDomainPtr domain, const char *path, const char *alias, int action, const char *reason, void *user_data)
{
  VkJobWatch *watch = user_data;
  /* libvirt does not know whose a failed scratch file is. */
  const char *device = alias != NULL && *alias != '\0' ? alias : NULL;
  VkEvent report = { .kind = VK_EVENT_IO_ERROR, .word = reason && *reason ? reason : "unknown", .detail = io_error_action (action), .disk = device };

  watch->func (&report, watch->user_data);
}

static const char *
block_job_word (int status)
{
  switch ((virConnectDomainEventBlockJobStatus) status)
    {
    case VIR_DOMAIN_BLOCK_JOB_COMPLETED:
      return "completed";
    case VIR_DOMAIN_BLOCK_JOB_FAILED:
      return "failed";
    case VIR_DOMAIN_BLOCK_JOB_CANCELED:
      return "canceled";
    case VIR_DOMAIN_BLOCK_JOB_READY:
      return "ready";
#ifdef VIR_ENUM_SENTINELS
    case VIR_DOMAIN_BLOCK_JOB_LAST:
      break;
#endif
    }
  return "unknown";
}

static void
on_block_job (virConnectPtr connection, virDomainPtr domain, const char *disk, int type, int status, void *user_data)
{
  VkJobWatch *watch = user_data;
  VkEvent report = { .kind = VK_EVENT_BLOCK_JOB, .word = block_job_word (status), .disk = disk };

  watch->func (&report, watch->user_data);
}

static void
on_job_completed (virConnectPtr connection, virDomainPtr domain, virTypedParameterPtr params, int n_params, void *user_data)
{
  VkJobWatch *watch = user_data;
  VkEvent report = { .kind = VK_EVENT_JOB_COMPLETED };
  int success = 0;

  virTypedParamsGetBoolean (params, n_params, VIR_DOMAIN_JOB_SUCCESS, &success);
  virTypedParamsGetString (params, n_params, VIR_DOMAIN_JOB_ERRMSG, &report.message);
  report.success = success;
  watch->func (&report, watch->user_data);
}

VkJobWatch *
vk_job_watch_new (VkHost *host, virDomainPtr domain, VkEventFunc func, gpointer user_data, GError **error)
{
  static const struct
  {
    int id;
    virConnectDomainEventGenericCallback callback;
  } events[WATCHED_EVENTS] = {
    { VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK (on_lifecycle) },
    { VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, VIR_DOMAIN_EVENT_CALLBACK (on_io_error) },
    { VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, VIR_DOMAIN_EVENT_CALLBACK (on_block_job) },
    { VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK (on_job_completed) },
  };
  g_autoptr (VkJobWatch) watch = g_new0 (VkJobWatch, 1);
  const char *name = virDomainGetName (domain);

  watch->connection = vk_host_connection (host);
  virConnectRef (watch->connection);
  watch->func = func;
  watch->user_data = user_data;
  for (int i = 0; i < WATCHED_EVENTS; i++)
    watch->callbacks[i] = -1;
  for (int i = 0; i < WATCHED_EVENTS; i++)
    {
      watch->callbacks[i] = virConnectDomainEventRegisterAny (watch->connection, domain, events[i].id, events[i].callback, watch, NULL);
      if (watch->callbacks[i] < 0)
        {
          vk_set_libvirt_error (error, NULL, "cannot follow the events of '%s'", name);
          return NULL;
        }
    }
  return g_steal_pointer (&watch);
}

void
vk_job_watch_free (VkJobWatch *watch)
{
  for (int i = 0; i < WATCHED_EVENTS; i++)
    if (watch->callbacks[i] >= 0)
      virConnectDomainEventDeregisterAny (watch->connection, watch->callbacks[i]);
  virConnectClose (watch->connection);
  g_free (watch);
}

JsonObject *
vk_event_to_json (const VkEvent *event)
{
  JsonObject *fields = json_object_new ();

  switch (event->kind)
    {
    case VK_EVENT_JOB_COMPLETED:
      json_object_set_boolean_member (fields, "success", event->success);
      vk_json_set_string (fields, "message", event->message);
      break;
    case VK_EVENT_BLOCK_JOB:
      vk_json_set_string (fields, "disk", event->disk);
      vk_json_set_string (fields, "status", event->word);
      break;
    case VK_EVENT_IO_ERROR:
      vk_json_set_string (fields, "device", event->disk);
      vk_json_set_string (fields, "reason", event->word);
      vk_json_set_string (fields, "action", event->detail);
      break;
    case VK_EVENT_LIFECYCLE:
      vk_json_set_string (fields, "state", event->word);
      vk_json_set_string (fields, "detail", event->detail);
      break;
    }
  return fields;
}

char *
vk_event_to_text (const VkEvent *event)
{
  switch (event->kind)
    {
    case VK_EVENT_JOB_COMPLETED:
      return g_strdup_printf ("libvirt: job %s%s%s", event->success ? "completed" : "ended without success", event->message ? ": " : "", event->message ? event->message : "");
    case VK_EVENT_BLOCK_JOB:
      return g_strdup_printf ("libvirt: block job of %s %s", event->disk, event->word);
    case VK_EVENT_IO_ERROR:
      return g_strdup_printf ("libvirt: I/O error%s%s: %s%s%s", event->disk ? " on " : "", event->disk ? event->disk : "", event->word, event->detail ? ", action: " : "", event->detail ? event->detail : "");
    case VK_EVENT_LIFECYCLE:
      return g_strdup_printf ("libvirt: domain %s%s%s", event->word, event->detail ? ": " : "", event->detail ? event->detail : "");
    }
  g_assert_not_reached ();
}
