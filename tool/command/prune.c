/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "command/command.h"
#include "command/metrics.h"
#include "command/removal.h"
#include "store/retention.h"

typedef struct
{
  gboolean all;
  gboolean dry_run;
  char *last, *hourly, *daily, *weekly, *monthly, *yearly;
  char *within;
  char *metrics;
} PruneOptions;

static const GOptionEntry prune_options[] = {
  { "all", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (PruneOptions, all), "Prune the points of every domain in the store", NULL },
  { "keep-last", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (PruneOptions, last), "Keep the N newest points", "N" },
  { "keep-hourly", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (PruneOptions, hourly), "Keep the newest point of each of the N newest hours that have one", "N" },
  { "keep-daily", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (PruneOptions, daily), "... of the N newest days", "N" },
  { "keep-weekly", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (PruneOptions, weekly), "... of the N newest weeks, which begin on Monday", "N" },
  { "keep-monthly", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (PruneOptions, monthly), "... of the N newest months", "N" },
  { "keep-yearly", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (PruneOptions, yearly), "... of the N newest years", "N" },
  { "keep-within", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (PruneOptions, within), "Keep all points made within DURATION (2y5m7d3h) of the newest", "DURATION" },
  { "metrics", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (PruneOptions, metrics), "Write what there is afterwards into FILE, for Prometheus", "FILE" },
  { "dry-run", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (PruneOptions, dry_run), "Only say what would be removed", NULL },
  { NULL }
};

/* What is to be done: the points, and beside each one that stays the reasons. */
typedef struct
{
  GPtrArray *keep;    /* of VkPoint */
  GPtrArray *reasons; /* of char *, for each of keep: "last, daily" */
  GPtrArray *remove;  /* of VkPoint */
} Plan;

static gboolean
parse_retention (const PruneOptions *options, VkRetention *retention, GError **error)
{
  if (!vk_retention_parse_count ("--keep-last", options->last, &retention->last, error)
      || !vk_retention_parse_count ("--keep-hourly", options->hourly, &retention->hourly, error)
      || !vk_retention_parse_count ("--keep-daily", options->daily, &retention->daily, error)
      || !vk_retention_parse_count ("--keep-weekly", options->weekly, &retention->weekly, error)
      || !vk_retention_parse_count ("--keep-monthly", options->monthly, &retention->monthly, error)
      || !vk_retention_parse_count ("--keep-yearly", options->yearly, &retention->yearly, error)
      || (options->within != NULL && !vk_span_parse ("--keep-within", options->within, &retention->within, error)))
    return FALSE;
  if (!vk_retention_is_empty (retention))
    return TRUE;
  g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "prune: say what to keep: --keep-last, --keep-hourly, --keep-daily, --keep-weekly, --keep-monthly, --keep-yearly or --keep-within");
  return FALSE;
}

static void
keep (Plan *plan, VkPoint *point, const GPtrArray *reasons)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < reasons->len; i++)
    g_string_append_printf (text, "%s%s", i ? ", " : "", (const char *) g_ptr_array_index (reasons, i));
  g_ptr_array_add (plan->keep, point);
  g_ptr_array_add (plan->reasons, g_string_free (text, FALSE));
}

/* points: the usable ones of one domain, newest first. */
static void
plan_domain (Plan *plan, const VkRetention *retention, const GPtrArray *points, GTimeZone *zone, GDateTime *now)
{
  g_autoptr (GPtrArray) retained = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_retained_free);

  for (guint i = 0; i < points->len; i++)
    g_ptr_array_add (retained, vk_retained_new (((VkPoint *) g_ptr_array_index (points, i))->manifest->instant, zone));
  vk_retention_apply (retention, retained, now);
  for (guint i = 0; i < points->len; i++)
    {
      VkPoint *point = g_ptr_array_index (points, i);
      GPtrArray *reasons = ((VkRetained *) g_ptr_array_index (retained, i))->reasons;

      if (i == 0 && reasons->len == 0)
        g_ptr_array_add (reasons, (gpointer) "newest");
      if (point->is_protected)
        g_ptr_array_add (reasons, (gpointer) "protected");
      if (reasons->len > 0)
        keep (plan, point, reasons);
      else
        g_ptr_array_add (plan->remove, point);
    }
}

/* Rules are for what can be restored: a damaged point neither takes the place of
 * a good one nor is removed. */
static gboolean
is_usable (const VkPoint *point)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) time = point->damage ? NULL : g_date_time_new_from_iso8601 (point->manifest->instant, utc);

  return time != NULL;
}

static void
plan_all (Plan *plan, const VkRetention *retention, const GPtrArray *points)
{
  g_autoptr (GTimeZone) zone = g_time_zone_new_local ();
  g_autoptr (GDateTime) now = g_date_time_new_now (zone);
  g_autoptr (GPtrArray) damaged = g_ptr_array_new ();
  g_autoptr (GPtrArray) left = g_ptr_array_new ();

  g_ptr_array_add (damaged, (gpointer) "damaged");
  for (guint i = points->len; i-- > 0;)
    if (is_usable (g_ptr_array_index (points, i)))
      g_ptr_array_add (left, g_ptr_array_index (points, i));
    else
      keep (plan, g_ptr_array_index (points, i), damaged);
  while (left->len > 0)
    {
      g_autoptr (GPtrArray) domain = g_ptr_array_new ();
      const char *uuid = ((VkPoint *) g_ptr_array_index (left, 0))->manifest->domain_uuid;

      for (guint i = 0; i < left->len;)
        if (strcmp (((VkPoint *) g_ptr_array_index (left, i))->manifest->domain_uuid, uuid) == 0)
          g_ptr_array_add (domain, g_ptr_array_remove_index (left, i));
        else
          i++;
      plan_domain (plan, retention, domain, zone, now);
    }
}

static void
report_plan (VkInvocation *invocation, const Plan *plan)
{
  JsonArray *kept = json_array_new ();

  json_object_set_array_member (invocation->result, "remove", json_array_new ());
  for (guint i = 0; i < plan->keep->len; i++)
    {
      g_autofree char *name = vk_point_name (g_ptr_array_index (plan->keep, i));
      const char *reasons = g_ptr_array_index (plan->reasons, i);
      g_auto (GStrv) words = g_strsplit (reasons, ", ", -1);
      JsonObject *object = json_object_new ();

      vk_json_set_string (object, "point", name);
      for (char **word = words; *word != NULL; word++)
        vk_json_append_string (object, "reasons", *word);
      json_array_add_object_element (kept, object);
      g_string_append_printf (invocation->text, "keep    %s  (%s)\n", name, reasons);
    }
  json_object_set_array_member (invocation->result, "keep", kept);
  for (guint i = 0; i < plan->remove->len; i++)
    {
      g_autofree char *name = vk_point_name (g_ptr_array_index (plan->remove, i));

      vk_json_append_string (invocation->result, "remove", name);
      g_string_append_printf (invocation->text, "remove  %s\n", name);
    }
}

static gboolean
prune (VkInvocation *invocation, VkStore *store, const VkRetention *retention, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  const PruneOptions *options = invocation->options;
  const char *domain = invocation->arguments[0];
  g_autoptr (GPtrArray) keep_list = g_ptr_array_new ();
  g_autoptr (GPtrArray) reasons = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) remove_list = g_ptr_array_new ();
  Plan plan = { keep_list, reasons, remove_list };
  g_autoptr (GPtrArray) points = NULL;
  GError *failure = NULL;

  /* One domain of several that is busy does not keep the others. */
  if (!options->dry_run && !vk_store_finish (store, domain, removal, cancellable, &failure)
      && (domain != NULL || g_cancellable_is_cancelled (cancellable)))
    {
      g_propagate_error (error, failure);
      return FALSE;
    }
  points = vk_store_list (store, domain, failure ? NULL : &failure);
  if (points != NULL && domain != NULL && points->len == 0)
    g_set_error (&failure, VK_ERROR, VK_ERROR_NOT_FOUND, "the store '%s' has no restore point of '%s'", store->url, domain);
  else if (points != NULL)
    {
      plan_all (&plan, retention, points);
      report_plan (invocation, &plan);
      if (!options->dry_run)
        vk_store_remove (store, plan.remove, removal, cancellable, failure ? NULL : &failure);
    }
  if (failure != NULL)
    g_propagate_error (error, failure);
  return failure == NULL;
}

static gboolean
run_prune (VkInvocation *invocation, GError **error)
{
  const PruneOptions *options = invocation->options;
  VkRetention retention = { 0 };
  g_autoptr (VkStore) store = NULL;
  g_autoptr (VkRemoval) removal = vk_removal_new ();
  g_autoptr (VkInterrupt) interrupt = NULL;
  gboolean done;

  if (!vk_require_store (invocation, error)
      || !parse_retention (options, &retention, error)
      || (!options->dry_run && !vk_metrics_check (options->metrics, error)))
    return FALSE;
  if (options->all == (invocation->arguments[0] != NULL))
    {
      g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "prune: name one domain, or give --all");
      return FALSE;
    }
  store = vk_open_store (invocation, FALSE, error);
  if (store == NULL)
    return FALSE;
  interrupt = vk_interrupt_new ();
  removal->reclaim = TRUE;
  json_object_set_boolean_member (invocation->result, "dry_run", options->dry_run);
  done = prune (invocation, store, &retention, removal, vk_interrupt_cancellable (interrupt), error);
  if (!done)
    vk_interrupt_claim_error (interrupt, error);
  vk_removal_fill_result (invocation->result, removal);
  if (!options->dry_run)
    {
      vk_removal_append_text (invocation->text, removal);
      done = vk_metrics_write_points (invocation, options->metrics, store, invocation->arguments[0], done, error);
    }
  return done;
}

const VkCommand vk_command_prune = {
  .name = "prune",
  .arguments = "[DOMAIN]",
  .summary = "Remove the restore points that no rule keeps",
  .options = prune_options,
  .option_bytes = sizeof (PruneOptions),
  .run = run_prune,
};
