/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "report/page.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "command/options.h"
#include "command/settings.h"
#include "host/domains.h"
#include "report/format.h"
#include "store/retention.h"

typedef struct
{
  char *html;
  char *max_age;
} ReportOptions;

static const GOptionEntry report_options[] = {
  { "html", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (ReportOptions, html), N_("Write the report as a page into FILE, which it replaces"), "FILE" },
  { "max-age", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (ReportOptions, max_age), N_("A newest restore point older than that is not safe (2d)"), "DURATION" },
  { NULL }
};

static const char *const report_policy_keys[] = { "max-age", NULL };

/* The time before which a newest point is too old.  Returns: (transfer full). */
static GDateTime *
parse_oldest (const ReportOptions *options, GDateTime *now, GError **error)
{
  VkSpan span = { 0 };
  GDateTime *oldest;

  if (!vk_span_parse ("--max-age", options->max_age ? options->max_age : "2d", &span, error))
    return NULL;
  oldest = g_date_time_add_full (now, -span.years, -span.months, -span.days, -span.hours, 0, 0);
  if (oldest == NULL)
    vk_fail (error, VK_ERROR_USAGE, "--max-age cannot be '%s': that is before there was a calendar", options->max_age);
  return oldest;
}

static gboolean
check_options (const VkInvocation *invocation, GError **error)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autoptr (GDateTime) oldest = parse_oldest (invocation->options, now, error);

  return oldest != NULL;
}

static JsonObject *
summary_to_json (const VkReport *report, const VkDomainSummary *summary)
{
  JsonObject *object = json_object_new ();
  g_autofree char *newest = summary->newest ? vk_point_name (summary->newest) : NULL;
  g_autofree char *proven = summary->proven ? vk_point_name (summary->proven) : NULL;

  json_object_set_object_member (object, "domain", vk_domain_json (summary->name, summary->uuid));
  json_object_set_boolean_member (object, "safe", summary->problems->len == 0);
  json_object_set_array_member (object, "problems", json_array_new ());
  for (guint i = 0; i < summary->problems->len; i++)
    vk_json_append_string (object, "problems", g_ptr_array_index (summary->problems, i));
  vk_json_set_string (object, "newest", newest);
  if (summary->instant != NULL)
    json_object_set_int_member (object, "age_seconds", g_date_time_difference (report->now, summary->instant) / G_TIME_SPAN_SECOND);
  else
    json_object_set_null_member (object, "age_seconds");
  json_object_set_int_member (object, "points", summary->points->len);
  json_object_set_int_member (object, "damaged", summary->damaged);
  json_object_set_int_member (object, "chain", summary->chain);
  json_object_set_int_member (object, "bytes", (gint64) summary->bytes);
  vk_json_set_string (object, "proven", proven);
  if (summary->verdict != NULL)
    json_object_set_object_member (object, "verdict", vk_verdict_to_json (summary->verdict));
  return object;
}

static void
append_row (GString *text, const VkReport *report, const VkDomainSummary *summary, int width)
{
  g_autofree char *name = g_utf8_make_valid (summary->name, -1);
  g_autofree char *age = summary->instant ? vk_report_age (report, summary->instant) : g_strdup ("-");
  g_autofree char *bytes = vk_format_bytes (summary->bytes);
  const char *proof = !summary->verdict ? "never" : summary->verdict->proven ? summary->verdict->time : "failed";

  g_string_append_printf (text, " %s%*s  %-8s  %-12s %6u %6u %10s  %s\n", name, width - (int) g_utf8_strlen (name, -1), "",
                          summary->problems->len > 0 ? _("NOT SAFE") : _("safe"), age, summary->points->len, summary->chain, bytes, proof);
  for (guint i = 0; i < summary->problems->len; i++)
    {
      g_autofree char *problem = vk_format_harmless (g_ptr_array_index (summary->problems, i), FALSE);

      g_string_append_printf (text, "   %s\n", problem);
    }
}

static void
fill_result (VkInvocation *invocation, const VkReport *report)
{
  JsonArray *domains = json_array_new ();
  g_autofree char *conclusion = vk_report_conclude (report);
  GString *text = invocation->text;
  int width = 6;

  vk_json_set_string (invocation->result, "store", report->store);
  json_object_set_int_member (invocation->result, "unsafe", vk_report_count_unsafe (report));
  vk_json_set_string (invocation->result, "note", report->note);
  json_object_set_array_member (invocation->result, "domains", domains);
  for (guint i = 0; i < report->summaries->len; i++)
    {
      const VkDomainSummary *summary = g_ptr_array_index (report->summaries, i);

      width = MAX (width, (int) g_utf8_strlen (summary->name, -1));
      json_array_add_object_element (domains, summary_to_json (report, summary));
    }
  if (report->summaries->len > 0)
    g_string_append_printf (text, " %-*s  %-8s  %-12s %6s %6s %10s  %s\n", width, _("Domain"), _("State"), _("Age"), _("Points"), _("Chain"), _("Size"), _("Last proof"));
  for (guint i = 0; i < report->summaries->len; i++)
    append_row (text, report, g_ptr_array_index (report->summaries, i), width);
  g_string_append_printf (text, "%s.\n", conclusion);
  if (report->note != NULL)
    g_string_append_printf (text, "%s.\n", report->note);
}

/* A policy may send the domain to another store than that of the report. */
static gboolean
is_kept_elsewhere (const VkInvocation *invocation, VkHost *host, const char *name)
{
  g_autoptr (VkPolicy) policy = vk_policy_of (host, name, NULL);
  g_autofree char *store = policy ? vk_settings_store_of_policy (invocation, policy) : NULL;

  return store != NULL && strcmp (store, invocation->store) != 0;
}

/* A domain that was never backed up has no place in the store.  Where there is no libvirt (host is
 * NULL), as on the host of the store, nobody knows of it.  FALSE when it cannot be asked. */
static gboolean
add_missing (const VkInvocation *invocation, VkHost *host, GPtrArray *summaries, GError **error)
{
  g_autoptr (GPtrArray) names = host ? vk_host_domain_names (host, error) : NULL;

  for (guint i = 0; names != NULL && i < names->len; i++)
    if (!is_kept_elsewhere (invocation, host, g_ptr_array_index (names, i)))
      vk_summary_add_missing (summaries, g_ptr_array_index (names, i));
  return names != NULL;
}

/* oldest: where the domain's policy (host is NULL: nobody knows it) says nothing else, or the
 * command line does. */
static void
judge (const VkInvocation *invocation, VkHost *host, VkDomainSummary *summary, GDateTime *now, GDateTime *oldest)
{
  ReportOptions options = { NULL, NULL };
  g_autoptr (GError) failure = NULL;
  g_autoptr (VkPolicy) policy = host ? vk_policy_of (host, summary->uuid ? summary->uuid : summary->name, &failure) : NULL;
  g_autoptr (GDateTime) own = NULL;

  if (policy != NULL && vk_settings_check_policy (invocation, policy, &failure) && vk_policy_has (policy, "max-age")
      && !vk_options_have (invocation, "max-age") && vk_policy_apply (policy, &vk_command_report, &options, &failure))
    own = parse_oldest (&options, now, &failure);
  g_free (options.max_age);
  vk_summary_judge (summary, own ? own : oldest);
  if (failure != NULL)
    g_ptr_array_add (summary->problems, g_strdup_printf ("its policy cannot be obeyed: %s", failure->message));
}

/* Others may read it, whatever the umask. */
static gboolean
write_page (const char *path, const VkReport *report, GError **error)
{
  g_autofree char *page = vk_report_to_html (report);
  g_autoptr (GError) failure = NULL;

  if (!g_file_set_contents_full (path, page, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, &failure))
    return vk_fail (error, VK_ERROR_STORE, "the report cannot be written to '%s': %s", path, failure->message);
  return g_chmod (path, 0644) == 0 || vk_fail_errno (error, "cannot make readable '%s'", path);
}

static gboolean
run_report (VkInvocation *invocation, GError **error)
{
  const ReportOptions *options = invocation->options;
  g_autoptr (VkStore) store = NULL;
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GPtrArray) summaries = NULL;
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autoptr (GDateTime) oldest = parse_oldest (options, now, error);
  g_autoptr (VkHost) host = NULL;
  g_autoptr (GError) unknown = NULL;
  g_autofree char *note = NULL;
  VkReport report;

  if (oldest == NULL)
    return FALSE;
  store = vk_open_store (invocation, FALSE, error);
  points = store ? vk_store_list (store, NULL, error) : NULL;
  if (points == NULL)
    return FALSE;
  summaries = vk_summarize (points, store->ops->whole_points);
  host = vk_host_open_unattended (invocation->connect_uri, &unknown);
  if (!add_missing (invocation, host, summaries, &unknown))
    note = g_strdup_printf ("Domains without any restore point are not shown, since libvirt cannot be asked: %s", unknown->message);
  for (guint i = 0; i < summaries->len; i++)
    judge (invocation, host, g_ptr_array_index (summaries, i), now, oldest);
  vk_summaries_sort (summaries);
  report = (VkReport) { store->url, now, oldest, summaries, note };
  fill_result (invocation, &report);
  return options->html == NULL || write_page (options->html, &report, error);
}

const VkCommand vk_command_report = {
  .name = "report",
  .arguments = "",
  .summary = N_("Show which domains are safe, and which are not"),
  .options = report_options,
  .option_bytes = sizeof (ReportOptions),
  .policy_keys = report_policy_keys,
  .check_options = check_options,
  .run = run_report,
};
