/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "command/metrics.h"
#include "command/options.h"
#include "command/policy-options.h"
#include "command/prune-options.h"
#include "command/removal.h"

/* No domain XML is longer, in bytes. */
enum { DOMAIN_XML_LIMIT = 16 << 20 };

/* What is to be done: the points, and beside each one that stays the reasons. */
typedef struct
{
  GPtrArray *keep;    /* of VkPoint */
  GPtrArray *reasons; /* of char *, for each of keep: "last, daily" */
  GPtrArray *remove;  /* of VkPoint */
} Plan;

/* The rules of a domain are those of its policy where that has any, and else those of the options. */
typedef struct
{
  VkStore *store;
  VkRetention general;
  VkHost *host;       /* that knows the policies; NULL: they do not count */
  gboolean found_any; /* there was a rule for some domain, or no domain */
} Rules;

static void
refuse_to_guess (GError **error)
{
  vk_fail (error, VK_ERROR_USAGE, "prune: say what to keep: --keep-last, --keep-hourly, --keep-daily, --keep-weekly, --keep-monthly, --keep-yearly or --keep-within, or the same in the policy of the domain");
}

static gboolean
has_rules (const VkPolicy *policy)
{
  for (gsize i = 0; vk_prune_rules[i] != NULL; i++)
    if (vk_policy_has (policy, vk_prune_rules[i]))
      return TRUE;
  return FALSE;
}

static gboolean
parse_rules (const VkPolicy *policy, VkRetention *retention, GError **error)
{
  VkInvocation alone = { .options = g_new0 (VkPruneOptions, 1) };
  gboolean good = vk_policy_apply (policy, &vk_command_prune, alone.options, error) && vk_prune_options_parse (alone.options, retention, error);

  vk_options_free (&alone, &vk_command_prune);
  if (good && vk_retention_is_empty (retention))
    vk_fail (error, VK_ERROR_USAGE, "its rules keep nothing");
  return good && !vk_retention_is_empty (retention);
}

/* A domain that libvirt does not know, as it runs elsewhere now or is gone, has the policy with
 * which its newest point was made. */
static VkPolicy *
find_policy (const Rules *rules, const VkPoint *newest, GError **error)
{
  const VkManifestFile *file = vk_manifest_find_file (newest->manifest, "domain-xml");
  g_autoptr (GError) failure = NULL;
  g_autoptr (virDomain) domain = vk_host_find_domain (rules->host, newest->manifest->domain_uuid, &failure);
  g_autofree char *text = NULL;

  if (domain != NULL)
    return vk_policy_read (domain, error);
  if (!g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  if (file == NULL)
    return vk_policy_new ();
  text = vk_store_load_file (rules->store, newest, file, DOMAIN_XML_LIMIT, error);
  return text ? vk_policy_parse_domain (text, error) : NULL;
}

/* newest: of the domain.  *retention is empty when there is no rule for it. */
static gboolean
find_rules (Rules *rules, const VkPoint *newest, VkRetention *retention, GError **error)
{
  g_autoptr (VkPolicy) policy = NULL;
  gboolean good = TRUE;

  *retention = rules->general;
  if (rules->host != NULL)
    {
      policy = find_policy (rules, newest, error);
      good = policy != NULL && vk_policy_check (policy, error) && (!has_rules (policy) || parse_rules (policy, retention, error));
    }
  if (!good)
    g_prefix_error (error, _("the policy of the domain '%s': "), newest->manifest->domain_name);
  rules->found_any = rules->found_any || !good || !vk_retention_is_empty (retention);
  return good;
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

/* FALSE when the policy of a domain cannot be obeyed: nothing of that one is removed. */
static gboolean
plan_all (Plan *plan, Rules *rules, const GPtrArray *points, GError **error)
{
  g_autoptr (GTimeZone) zone = g_time_zone_new_local ();
  g_autoptr (GDateTime) now = g_date_time_new_now (zone);
  g_autoptr (GPtrArray) damaged = g_ptr_array_new ();
  g_autoptr (GPtrArray) left = g_ptr_array_new ();
  g_autoptr (GPtrArray) no_rule = g_ptr_array_new ();
  g_autoptr (GError) failure = NULL;

  g_ptr_array_add (damaged, (gpointer) "damaged");
  g_ptr_array_add (no_rule, (gpointer) "no-rule");
  for (guint i = points->len; i-- > 0;)
    if (is_usable (g_ptr_array_index (points, i)))
      g_ptr_array_add (left, g_ptr_array_index (points, i));
    else
      keep (plan, g_ptr_array_index (points, i), damaged);
  /* Without points there is nothing to have rules for. */
  rules->found_any = left->len == 0;
  while (left->len > 0)
    {
      g_autoptr (GPtrArray) domain = g_ptr_array_new ();
      const VkPoint *newest = g_ptr_array_index (left, 0);
      const char *uuid = newest->manifest->domain_uuid;
      VkRetention retention;

      for (guint i = 0; i < left->len;)
        if (strcmp (((VkPoint *) g_ptr_array_index (left, i))->manifest->domain_uuid, uuid) == 0)
          g_ptr_array_add (domain, g_ptr_array_remove_index (left, i));
        else
          i++;
      if (find_rules (rules, newest, &retention, failure ? NULL : &failure) && !vk_retention_is_empty (&retention))
        plan_domain (plan, &retention, domain, zone, now);
      else
        for (guint i = 0; i < domain->len; i++)
          keep (plan, g_ptr_array_index (domain, i), no_rule);
    }
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else if (!rules->found_any)
    refuse_to_guess (error);
  else
    return TRUE;
  return FALSE;
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
      g_string_append_printf (invocation->text, _("keep    %s  (%s)\n"), name, reasons);
    }
  json_object_set_array_member (invocation->result, "keep", kept);
  for (guint i = 0; i < plan->remove->len; i++)
    {
      g_autofree char *name = vk_point_name (g_ptr_array_index (plan->remove, i));

      vk_json_append_string (invocation->result, "remove", name);
      g_string_append_printf (invocation->text, _("remove  %s\n"), name);
    }
}

static gboolean
prune (VkInvocation *invocation, VkStore *store, Rules *rules, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  const VkPruneOptions *options = invocation->options;
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
    vk_fail (&failure, VK_ERROR_NOT_FOUND, "the store '%s' has no restore point of '%s'", store->url, domain);
  else if (points != NULL)
    {
      plan_all (&plan, rules, points, failure ? NULL : &failure);
      report_plan (invocation, &plan);
      if (!options->dry_run)
        vk_store_remove (store, plan.remove, removal, cancellable, failure ? NULL : &failure);
    }
  if (failure != NULL)
    g_propagate_error (error, failure);
  return failure == NULL;
}

/* Rules on the command line are for all domains.  Where the policies cannot be asked for, others
 * would remove what they were to keep. */
static gboolean
prepare_rules (VkInvocation *invocation, Rules *rules, GError **error)
{
  const VkPruneOptions *options = invocation->options;
  gboolean given = options->no_policy;

  if (!vk_prune_options_parse (options, &rules->general, error))
    return FALSE;
  for (gsize i = 0; vk_prune_rules[i] != NULL; i++)
    given = given || vk_options_have (invocation, vk_prune_rules[i]);
  if (!given)
    rules->host = vk_host_open (invocation->connect_uri, vk_retention_is_empty (&rules->general) ? NULL : error);
  if (vk_retention_is_empty (&rules->general) && rules->host == NULL)
    refuse_to_guess (error);
  else if (!given && rules->host == NULL)
    g_prefix_error (error, _("the policies of domains, which may have other rules, cannot be asked for (--no-policy does without): "));
  else
    return TRUE;
  return FALSE;
}

static gboolean
run_prune (VkInvocation *invocation, GError **error)
{
  const VkPruneOptions *options = invocation->options;
  Rules rules = { .host = NULL };
  g_autoptr (VkHost) host = NULL;
  g_autoptr (VkStore) store = NULL;
  g_autoptr (VkRemoval) removal = vk_removal_new ();
  g_autoptr (VkInterrupt) interrupt = NULL;
  gboolean done;

  if (!vk_require_store (invocation, error)
      || (!options->dry_run && !vk_metrics_check (options->metrics, error)))
    return FALSE;
  if (options->all == (invocation->arguments[0] != NULL))
    return vk_fail (error, VK_ERROR_USAGE, "prune: name one domain, or give --all");
  if (!prepare_rules (invocation, &rules, error))
    return FALSE;
  host = rules.host;
  store = vk_open_store (invocation, FALSE, error);
  if (store == NULL)
    return FALSE;
  rules.store = store;
  interrupt = vk_interrupt_new ();
  removal->reclaim = TRUE;
  json_object_set_boolean_member (invocation->result, "dry_run", options->dry_run);
  done = prune (invocation, store, &rules, removal, vk_interrupt_cancellable (interrupt), error);
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

static gboolean
check_options (const VkInvocation *invocation, GError **error)
{
  VkRetention retention = { 0 };

  return vk_prune_options_parse (invocation->options, &retention, error);
}

const VkCommand vk_command_prune = {
  .name = "prune",
  .arguments = "[DOMAIN]",
  .summary = N_("Remove the restore points that no rule keeps"),
  .options = vk_prune_options,
  .option_bytes = sizeof (VkPruneOptions),
  .policy_keys = vk_prune_rules,
  .check_options = check_options,
  .run = run_prune,
};
