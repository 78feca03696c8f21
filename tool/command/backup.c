/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "backup/backup.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "command/backup-options.h"
#include "command/backup-order.h"
#include "command/backup-result.h"
#include "command/backup-stream.h"
#include "command/many.h"
#include "command/metrics.h"
#include "command/options.h"
#include "command/settings.h"
#include "report/format.h"

static gboolean
run_estimate (VkInvocation *invocation, VkHost *host, VkStore *store, const VkBackupRequest *request, VkReporter *reporter, VkManifest *manifest, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) estimates = vk_backup_estimate_run (host, store, request, reporter, manifest, cancellable, error);

  vk_backup_report_estimates (invocation, estimates);
  return estimates != NULL;
}

/* Making a store waits for a disk that may be slow. */
static VkStore *
open_store (VkInvocation *invocation, gboolean create, GError **error)
{
  VkHostPump *pump = vk_host_pump_start ();
  VkStore *store = vk_open_store (invocation, create, error);

  vk_host_pump_stop (pump);
  return store;
}

/* host (transfer full): NULL with *error. */
static gboolean
open_task (const VkInvocation *invocation, VkHost *host, const char *domain, VkProgressStyle style, VkBackupOrder *order, VkBackupTask *task, GError **error)
{
  const VkBackupOptions *options = invocation->options;

  task->host = host;
  task->request.domain = domain;
  task->manifest = vk_manifest_new ();
  task->reporter = vk_reporter_new (style, stderr, domain);
  task->place = invocation->store;
  if (host == NULL
      || !vk_backup_order_place (invocation, host, domain, NULL, order, &task->request, error))
    return FALSE;
  task->place = order->own.store;
  task->store = open_store (&order->own, !options->estimate, error);
  if (task->store != NULL)
    vk_reporter_event (task->reporter, "start", NULL, NULL);
  return task->store != NULL;
}

/* A domain has a name, a UUID and an id. */
static gboolean
check_different (const GArray *tasks, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; tasks->len > 1 && i < tasks->len; i++)
    {
      const VkBackupTask *task = &g_array_index (tasks, VkBackupTask, i);
      g_autoptr (virDomain) domain = vk_host_find_domain (task->host, task->request.domain, error);
      char uuid[VIR_UUID_STRING_BUFLEN] = "";

      if (domain == NULL)
        return FALSE;
      virDomainGetUUIDString (domain, uuid);
      if (!g_hash_table_add (seen, g_strdup (uuid)))
        return vk_fail (error, VK_ERROR_USAGE, "the domain '%s' is named twice", task->request.domain);
    }
  return TRUE;
}

static gboolean
run_tasks (VkInvocation *invocation, GArray *tasks, GCancellable *cancellable, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  VkBackupTask *first = &g_array_index (tasks, VkBackupTask, 0);
  VkBackupSpread spread = { 0 };
  gboolean done;

  if (options->estimate)
    done = run_estimate (invocation, first->host, first->store, &first->request, first->reporter, first->manifest, cancellable, error);
  else
    done = check_different (tasks, error) && vk_backup_run (first, tasks->len, &spread, cancellable, error);
  vk_backup_report (invocation, tasks, options->together ? &spread : NULL, done);
  return done;
}

/* One domain, or several at one instant, each with a connection of its own: host (transfer full)
 * is that of the first. */
static gboolean
run_here (VkInvocation *invocation, VkHost *host, VkProgressStyle style, VkInterrupt *interrupt, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  g_autoptr (GPtrArray) orders = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_backup_order_free);
  g_autoptr (GArray) tasks = g_array_new (FALSE, TRUE, sizeof (VkBackupTask));
  gboolean done = TRUE;

  g_array_set_clear_func (tasks, (GDestroyNotify) vk_backup_task_clear);
  for (gsize i = 0; done && invocation->arguments[i] != NULL; i++)
    {
      VkHost *own = i == 0 ? host : vk_host_open (invocation->connect_uri, error);
      VkBackupOrder *order = vk_backup_order_new ();

      g_ptr_array_add (orders, order);
      g_array_set_size (tasks, (guint) i + 1);
      done = open_task (invocation, own, invocation->arguments[i], style, order, &g_array_index (tasks, VkBackupTask, i), error);
    }
  if (!done)
    return options->estimate ? FALSE : vk_metrics_write_backups (invocation, options->metrics, tasks, FALSE, error);
  done = run_tasks (invocation, tasks, vk_interrupt_cancellable (interrupt), error);
  if (!done)
    vk_backup_claim_error (interrupt, error);
  if (!options->estimate)
    done = vk_metrics_write_backups (invocation, options->metrics, tasks, done, error);
  for (guint i = 0; i < tasks->len; i++)
    vk_reporter_end (g_array_index (tasks, VkBackupTask, i).reporter, done ? NULL : *error);
  return done;
}

/* --- several domains, each by itself ------------------------------------------ */

static const char *const many_options[] = { "all", "exclude-domain", "jobs", "order", "selector", NULL };

/* Those, and what makes something else of it. */
static const char *const unconfigurable[] = { "all", "exclude-domain", "jobs", "order", "selector", "to", NULL };

/* A domain may be called "web-[1]"; then that is who is meant. */
static gboolean
is_pattern (VkHost *host, const char *word)
{
  g_autoptr (virDomain) domain = vk_selection_is_pattern (word) ? vk_host_find_domain (host, word, NULL) : NULL;

  return vk_selection_is_pattern (word) && domain == NULL;
}

static gboolean
is_for_many (VkInvocation *invocation, VkHost *host)
{
  const VkBackupOptions *options = invocation->options;
  char **words = invocation->arguments;

  return !options->together && (options->all || words[0] == NULL || words[1] != NULL || is_pattern (host, words[0]));
}

static gboolean
check_selectors (char **selectors, GError **error)
{
  for (; selectors != NULL && *selectors != NULL; selectors++)
    {
      const char *equals = strchr (*selectors, '=');
      g_autofree char *key = equals ? g_strndup (*selectors, (gsize) (equals - *selectors)) : NULL;

      if (key == NULL || *key == '\0')
        return vk_fail (error, VK_ERROR_USAGE, "--selector cannot be '%s': it is KEY=VALUE, as a policy has it", *selectors);
      if (!vk_policy_check_key (key, error))
        {
          g_prefix_error (error, "--selector: ");
          return FALSE;
        }
    }
  return TRUE;
}

/* What goes with several domains, and with one, and what does not. */
static gboolean
check_selection (const VkInvocation *invocation, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  char **words = invocation->arguments;
  gboolean has_pattern = FALSE;

  for (gsize i = 0; words[i] != NULL; i++)
    has_pattern = has_pattern || vk_selection_is_pattern (words[i]);
  if (options->all && words[0] != NULL)
    vk_fail (error, VK_ERROR_USAGE, "--all is for every domain: none is named with it, see --exclude-domain");
  else if (!options->all && options->selectors == NULL && words[0] == NULL)
    vk_fail (error, VK_ERROR_USAGE, "no domain is named: give names, patterns such as 'web-*', --selector, or --all");
  else if (options->together && options->all)
    vk_fail (error, VK_ERROR_USAGE, "--together is for domains that are named, without --all");
  else if (options->together && (options->jobs != NULL || options->order != NULL))
    vk_fail (error, VK_ERROR_USAGE, "%s has no meaning with --together, which backs up all at once", options->jobs ? "--jobs" : "--order");
  else if (options->together && words[0] == NULL)
    vk_fail (error, VK_ERROR_USAGE, "--together is for domains that are named");
  else if (options->selectors != NULL && words[0] != NULL && !has_pattern)
    vk_fail (error, VK_ERROR_USAGE, "--selector chooses among all domains and those of patterns, not those that are named");
  else if (options->excluded_domains != NULL && !options->all && options->selectors == NULL && !has_pattern)
    vk_fail (error, VK_ERROR_USAGE, "--exclude-domain is for --all, --selector and patterns");
  else if (options->estimate && (options->together || options->all || words[0] == NULL || words[1] != NULL))
    vk_fail (error, VK_ERROR_USAGE, "--estimate is for one domain");
  else if (options->together && options->threshold != NULL)
    vk_fail (error, VK_ERROR_USAGE, "--threshold is for one domain, without --together");
  else
    return check_selectors (options->selectors, error);
  return FALSE;
}

static VkSelection *
select_domains (VkInvocation *invocation, VkHost *host, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  VkSelectionRequest request = { options->all || invocation->arguments[0] == NULL, (const char *const *) invocation->arguments,
                                 (const char *const *) options->excluded_domains, (const char *const *) options->selectors };

  return vk_selection_new (host, &request, error);
}

/* host (transfer full) is not needed for longer than to find the domains. */
static gboolean
run_many (VkInvocation *invocation, VkHost *host, VkManyRequest *request, VkInterrupt *interrupt, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  g_autoptr (VkSelection) selection = select_domains (invocation, host, error);
  gboolean done;

  vk_host_free (host);
  if (selection == NULL)
    return FALSE;
  request->selection = selection;
  done = vk_many_run (invocation, request, interrupt, error);
  if (!done)
    vk_backup_claim_error (interrupt, error);
  return vk_metrics_write_unwritten (invocation, options->metrics, done, error);
}

static gboolean
parse_many (const VkBackupOptions *options, VkManyRequest *request, GError **error)
{
  guint64 jobs;
  int order;

  if (!vk_backup_options_parse_jobs (options, &jobs, error)
      || !vk_parse_choice ("--order", options->order, vk_order_words, VK_ORDER_GIVEN, &order, error))
    return FALSE;
  request->jobs = (guint) jobs;
  request->order = (VkManyOrder) order;
  request->obeys_policies = !options->no_policy;
  return TRUE;
}

/* What was typed is judged before libvirt is asked.  The store may be for a policy to say. */
static gboolean
check_options (const VkInvocation *invocation, GError **error)
{
  VkInvocation known = *invocation;

  if (!vk_settings_name_store (invocation) || ((const VkBackupOptions *) invocation->options)->to != NULL)
    known.store = NULL;
  return vk_backup_options_check (&known, error);
}

/* Where nothing says so far which store it is, that is what is wrong, more than that libvirt, which
 * knows the policies, cannot be asked. */
static VkHost *
open_host (VkInvocation *invocation, GError **error)
{
  g_autoptr (GError) failure = NULL;
  VkHost *host = vk_host_open (invocation->connect_uri, &failure);

  if (host == NULL && vk_require_store (invocation, error))
    g_propagate_error (error, g_steal_pointer (&failure));
  return host;
}

static gboolean
run_stream (VkInvocation *invocation, VkHost *host, int output, VkProgressStyle style, VkInterrupt *interrupt, GError **error)
{
  if (!is_pattern (host, invocation->arguments[0]))
    return vk_backup_stream_run (invocation, host, output, style, interrupt, error);
  vk_host_free (host);
  return vk_fail (error, VK_ERROR_USAGE, "--to is for one domain, and '%s' is a pattern", invocation->arguments[0]);
}

static gboolean
run_backup (VkInvocation *invocation, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  g_autoptr (VkInterrupt) interrupt = NULL;
  VkManyRequest many = { .command = &vk_command_backup, .own = many_options };
  g_auto (VkFd) output = -1;
  VkHost *host;

  if (options->to != NULL && (!vk_backup_stream_take_output (invocation, &output, error) || !vk_backup_stream_check (invocation, error)))
    return FALSE;
  if (!check_selection (invocation, error)
      || !check_options (invocation, error)
      || !parse_many (options, &many, error)
      || !vk_parse_progress (invocation, options->progress, &many.style, error)
      || (!options->estimate && options->to == NULL && !vk_metrics_check (options->metrics, error)))
    return FALSE;
  interrupt = vk_interrupt_new ();
  host = options->to ? vk_host_open (invocation->connect_uri, error) : open_host (invocation, error);
  if (host == NULL)
    return FALSE;
  if (options->to != NULL)
    return run_stream (invocation, host, output, many.style, interrupt, error);
  return is_for_many (invocation, host) ? run_many (invocation, host, &many, interrupt, error) : run_here (invocation, host, many.style, interrupt, error);
}

const VkCommand vk_command_backup = {
  .name = "backup",
  .arguments = "[DOMAIN...]",
  .summary = N_("Back up domains into a store"),
  .options = vk_backup_options,
  .unconfigurable = unconfigurable,
  .streams = TRUE,
  .policy_keys = vk_backup_policy_keys,
  .check_options = vk_backup_options_check,
  .option_bytes = sizeof (VkBackupOptions),
  .forks = TRUE,
  .run = run_backup,
};
