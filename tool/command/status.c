/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "command/command.h"
#include "host/domains.h"
#include "host/job-info.h"
#include "host/job-watch.h"
#include "report/format.h"

enum { FOLLOW_MILLISECONDS = 500 };

typedef struct
{
  gboolean follow;
} StatusOptions;

static const GOptionEntry status_options[] = {
  { "follow", 'f', 0, G_OPTION_ARG_NONE, VK_OPTION (StatusOptions, follow), N_("Go on until the job has ended, printing its events"), NULL },
  { NULL }
};

/* The running domains: the one that was named, or all. */
static GPtrArray *
find_domains (VkHost *host, const char *word, GError **error)
{
  virDomainPtr domain;
  GPtrArray *domains;

  if (word == NULL)
    return vk_host_domains (host, VIR_CONNECT_LIST_DOMAINS_ACTIVE, error);
  domain = vk_host_find_domain (host, word, error);
  if (domain == NULL)
    return NULL;
  domains = vk_domain_array_new ();
  g_ptr_array_add (domains, domain);
  return domains;
}

/* A domain that is shut off has no job; libvirt answers with an error. */
static gboolean
get_job (virDomainPtr domain, VkJobInfo *info, GError **error)
{
  *info = (VkJobInfo) { 0 };
  return virDomainIsActive (domain) != 1 || vk_job_info_get (domain, info, error);
}

static JsonObject *
job_to_json (virDomainPtr domain, const VkJobInfo *info)
{
  JsonObject *job = json_object_new ();
  char uuid[VIR_UUID_STRING_BUFLEN] = "";
  g_auto (GStrv) targets = NULL;
  const char *mode;

  virDomainGetUUIDString (domain, uuid);
  vk_job_backup_details (domain, &mode, &targets);
  json_object_set_object_member (job, "domain", vk_domain_json (virDomainGetName (domain), uuid));
  vk_json_set_string (job, "operation", info->operation);
  vk_json_set_string (job, "mode", mode);
  json_object_set_int_member (job, "elapsed_ms", (gint64) info->elapsed);
  if (info->has_disk_progress)
    {
      json_object_set_int_member (job, "processed", (gint64) info->processed);
      json_object_set_int_member (job, "remaining", (gint64) info->remaining);
      json_object_set_int_member (job, "total", (gint64) info->total);
    }
  if (info->has_scratch)
    {
      json_object_set_int_member (job, "scratch_used", (gint64) info->scratch_used);
      json_object_set_int_member (job, "scratch_total", (gint64) info->scratch_total);
    }
  json_object_set_array_member (job, "targets", json_array_new ());
  for (gsize i = 0; targets != NULL && targets[i] != NULL; i++)
    vk_json_append_string (job, "targets", targets[i]);
  return job;
}

static void
job_to_text (GString *text, virDomainPtr domain, const VkJobInfo *info)
{
  g_autofree char *elapsed = vk_format_seconds (info->elapsed / 1000);
  g_auto (GStrv) targets = NULL;
  const char *mode;

  vk_job_backup_details (domain, &mode, &targets);
  g_string_append_printf (text, _("%s: %s%s%s, running for %s"), virDomainGetName (domain), info->operation, mode ? ", " : "", mode ? mode : "", elapsed);
  if (info->has_disk_progress && info->total > 0)
    {
      g_autofree char *processed = vk_format_bytes (info->processed);
      g_autofree char *total = vk_format_bytes (info->total);

      g_string_append_printf (text, _(", %.0f %% (%s of %s)"), 100.0 * (double) info->processed / (double) info->total, processed, total);
    }
  if (info->has_scratch)
    {
      g_autofree char *used = vk_format_bytes (info->scratch_used);

      g_string_append_printf (text, _(", scratch files hold %s"), used);
    }
  g_string_append_c (text, '\n');
  for (gsize i = 0; targets != NULL && targets[i] != NULL; i++)
    g_string_append_printf (text, "  %s\n", targets[i]);
}

static gboolean
show_once (VkInvocation *invocation, const GPtrArray *domains, GError **error)
{
  JsonArray *jobs = json_array_new ();

  json_object_set_array_member (invocation->result, "jobs", jobs);
  for (guint i = 0; i < domains->len; i++)
    {
      virDomainPtr domain = g_ptr_array_index (domains, i);
      VkJobInfo info;

      if (!get_job (domain, &info, error))
        return FALSE;
      if (!info.active)
        continue;
      json_array_add_object_element (jobs, job_to_json (domain, &info));
      job_to_text (invocation->text, domain, &info);
    }
  if (json_array_get_length (jobs) == 0)
    g_string_append (invocation->text, _("No job is running.\n"));
  return TRUE;
}

typedef struct
{
  virDomainPtr domain;
  VkReporter *reporter;
  VkJobWatch *watch;
  gboolean ended; /* the job is gone, its last event may be missing */
  gboolean over;
} Followed;

static void
followed_free (Followed *followed)
{
  g_clear_pointer (&followed->watch, vk_job_watch_free);
  g_clear_pointer (&followed->reporter, vk_reporter_free);
  g_free (followed);
}

static void
show_event (const VkEvent *event, gpointer user_data)
{
  Followed *followed = user_data;
  g_autofree char *text = vk_event_to_text (event);

  vk_reporter_event (followed->reporter, vk_event_name (event->kind), text, vk_event_to_json (event));
  if (event->kind == VK_EVENT_JOB_COMPLETED || event->stopped)
    followed->over = TRUE;
}

/* Begins to follow the domain when a job runs on it; *followed is NULL when
 * there is none.  The watch comes first, so that no end of a job is missed. */
static gboolean
follow_domain (VkInvocation *invocation, VkHost *host, virDomainPtr domain, Followed **out, GError **error)
{
  Followed *followed = g_new0 (Followed, 1);
  VkJobInfo info;

  *out = followed;
  followed->domain = domain;
  followed->reporter = vk_reporter_new (invocation->json ? VK_PROGRESS_JSON : VK_PROGRESS_AUTO, stdout, virDomainGetName (domain));
  followed->watch = vk_job_watch_new (host, domain, show_event, followed, error);
  if (followed->watch == NULL || !get_job (domain, &info, error))
    return FALSE;
  if (info.active)
    {
      JsonObject *fields = job_to_json (domain, &info);

      /* Every event names its domain already, by name alone. */
      json_object_remove_member (fields, "domain");
      vk_reporter_event (followed->reporter, "start", NULL, fields);
    }
  followed->over = !info.active;
  return TRUE;
}

static void
show_progress (Followed *followed)
{
  VkProgressItem item = { 0 };
  VkJobInfo info;

  if (followed->over || !get_job (followed->domain, &info, NULL))
    return;
  /* The event that tells of the end may still be on its way: one more round. */
  if (!info.active)
    followed->over = followed->ended;
  followed->ended = !info.active;
  item.done = info.has_disk_progress ? info.processed : info.scratch_used;
  item.total = info.has_disk_progress ? info.total : info.scratch_total;
  if (info.active && item.total > 0)
    vk_reporter_progress (followed->reporter, &item, 1);
}

static gboolean
follow (VkInvocation *invocation, VkHost *host, const GPtrArray *domains, GError **error)
{
  g_autoptr (VkInterrupt) interrupt = vk_interrupt_new ();
  GCancellable *cancellable = vk_interrupt_cancellable (interrupt);
  g_autoptr (GPtrArray) jobs = g_ptr_array_new_with_free_func ((GDestroyNotify) followed_free);
  gboolean never = FALSE;
  guint running = 1;

  for (guint i = 0; i < domains->len; i++)
    {
      Followed *followed;
      gboolean following = follow_domain (invocation, host, g_ptr_array_index (domains, i), &followed, error);

      g_ptr_array_add (jobs, followed);
      if (!following)
        return FALSE;
    }
  invocation->streamed = TRUE;
  while (running > 0 && !g_cancellable_is_cancelled (cancellable) && !vk_host_is_lost (host))
    {
      running = 0;
      for (guint i = 0; i < jobs->len; i++)
        {
          Followed *followed = g_ptr_array_index (jobs, i);

          show_progress (followed);
          running += !followed->over;
        }
      if (running > 0)
        vk_host_run_until (&never, NULL, g_get_monotonic_time () + FOLLOW_MILLISECONDS * 1000, cancellable);
    }
  if (vk_interrupt_claim_error (interrupt, error))
    return FALSE;
  if (!vk_host_is_lost (host))
    return TRUE;
  return vk_fail (error, VK_ERROR_CONNECTION, "the connection to libvirt was lost");
}

static gboolean
run_status (VkInvocation *invocation, GError **error)
{
  const StatusOptions *options = invocation->options;
  g_autoptr (VkHost) host = vk_host_open (invocation->connect_uri, error);
  g_autoptr (GPtrArray) domains = host ? find_domains (host, invocation->arguments[0], error) : NULL;

  if (domains == NULL)
    return FALSE;
  return options->follow ? follow (invocation, host, domains, error) : show_once (invocation, domains, error);
}

const VkCommand vk_command_status = {
  .name = "status",
  .arguments = "[DOMAIN]",
  .summary = N_("Show the jobs that run now, whoever started them"),
  .options = status_options,
  .option_bytes = sizeof (StatusOptions),
  .run = run_status,
};
