/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "backup/backup.h"

#include <string.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "command/backup-options.h"
#include "command/backup-result.h"
#include "command/many.h"
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

/* A guest that stands still must be heard of, whoever stopped us. */
static void
claim_error (VkInterrupt *interrupt, GError **error)
{
  if (!g_error_matches (*error, VK_ERROR, VK_ERROR_FROZEN))
    vk_interrupt_claim_error (interrupt, error);
}

static void
task_free (VkBackupTask *task)
{
  g_clear_pointer (&task->reporter, vk_reporter_free);
  g_clear_pointer (&task->manifest, vk_manifest_free);
  g_clear_pointer (&task->store, vk_store_free);
  g_clear_pointer (&task->host, vk_host_free);
}

static gboolean
open_task (VkInvocation *invocation, const VkBackupRequest *request, const char *domain, VkProgressStyle style, VkBackupTask *task, GError **error)
{
  const VkBackupOptions *options = invocation->options;

  task->request = *request;
  task->request.domain = domain;
  task->manifest = vk_manifest_new ();
  task->reporter = vk_reporter_new (style, stderr, domain);
  task->host = vk_host_open (invocation->connect_uri, error);
  task->store = task->host && vk_backup_options_settle (options, task->host, &task->request, error) ? open_store (invocation, !options->estimate, error) : NULL;
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
        {
          g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "the domain '%s' is named twice", task->request.domain);
          return FALSE;
        }
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

/* One domain, or several at one instant. */
static gboolean
run_here (VkInvocation *invocation, const VkBackupRequest *request, VkProgressStyle style, VkInterrupt *interrupt, GError **error)
{
  g_autoptr (GArray) tasks = g_array_new (FALSE, TRUE, sizeof (VkBackupTask));
  gboolean done = TRUE;

  g_array_set_clear_func (tasks, (GDestroyNotify) task_free);
  for (gsize i = 0; done && invocation->arguments[i] != NULL; i++)
    {
      g_array_set_size (tasks, (guint) i + 1);
      done = open_task (invocation, request, invocation->arguments[i], style, &g_array_index (tasks, VkBackupTask, i), error);
    }
  if (!done)
    return FALSE;
  done = run_tasks (invocation, tasks, vk_interrupt_cancellable (interrupt), error);
  if (!done)
    claim_error (interrupt, error);
  for (guint i = 0; i < tasks->len; i++)
    vk_reporter_end (g_array_index (tasks, VkBackupTask, i).reporter, done ? NULL : *error);
  return done;
}

/* --- several domains, each by itself ------------------------------------------ */

static const char *const many_options[] = { "all", "exclude-domain", "jobs", "order", NULL };

/* A domain may be called "web-[1]"; then that is who is meant. */
static gboolean
is_pattern (VkInvocation *invocation, const char *word)
{
  g_autoptr (VkHost) host = NULL;
  g_autoptr (virDomain) domain = NULL;

  if (!vk_selection_is_pattern (word))
    return FALSE;
  host = vk_host_open (invocation->connect_uri, NULL);
  domain = host ? vk_host_find_domain (host, word, NULL) : NULL;
  return domain == NULL;
}

static gboolean
is_for_many (VkInvocation *invocation)
{
  const VkBackupOptions *options = invocation->options;
  char **words = invocation->arguments;

  return !options->together && (options->all || words[1] != NULL || is_pattern (invocation, words[0]));
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
    g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "--all is for every domain: none is named with it, see --exclude-domain");
  else if (!options->all && words[0] == NULL)
    g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "no domain is named: give names, patterns such as 'web-*', or --all");
  else if (options->together && options->all)
    g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "--together is for domains that are named, without --all");
  else if (options->together && (options->jobs != NULL || options->order != NULL))
    g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "%s has no meaning with --together, which backs up all at once", options->jobs ? "--jobs" : "--order");
  else if (options->excluded_domains != NULL && !options->all && !has_pattern)
    g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "--exclude-domain is for --all and for patterns");
  else if (options->estimate && (options->together || options->all || words[1] != NULL))
    g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "--estimate is for one domain");
  else if (options->together && options->threshold != NULL)
    g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "--threshold is for one domain, without --together");
  else
    return TRUE;
  return FALSE;
}

/* The first of several processes would make it while the others look for it. */
static gboolean
make_image_store (VkInvocation *invocation, GError **error)
{
  g_autoptr (VkStore) store = NULL;

  if (vk_store_is_pull_only (invocation->store))
    return TRUE;
  store = open_store (invocation, TRUE, error);
  return store != NULL;
}

static VkSelection *
select_domains (VkInvocation *invocation, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  VkSelectionRequest request = { options->all, (const char *const *) invocation->arguments, (const char *const *) options->excluded_domains };
  g_autoptr (VkHost) host = vk_host_open (invocation->connect_uri, error);

  return host ? vk_selection_new (host, &request, error) : NULL;
}

static gboolean
run_many (VkInvocation *invocation, VkProgressStyle style, VkInterrupt *interrupt, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  VkManyRequest request = { .command = &vk_command_backup, .own = many_options, .style = style };
  g_autoptr (VkSelection) selection = NULL;
  guint64 jobs;
  int order;
  gboolean done;

  if (!vk_backup_options_parse_jobs (options, &jobs, error)
      || !vk_parse_choice ("--order", options->order, vk_order_words, VK_ORDER_GIVEN, &order, error)
      || !make_image_store (invocation, error))
    return FALSE;
  selection = select_domains (invocation, error);
  if (selection == NULL)
    return FALSE;
  request.selection = selection;
  request.jobs = (guint) jobs;
  request.order = (VkManyOrder) order;
  done = vk_many_run (invocation, &request, interrupt, error);
  if (!done)
    claim_error (interrupt, error);
  return done;
}

static gboolean
run_backup (VkInvocation *invocation, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  g_autoptr (VkInterrupt) interrupt = NULL;
  g_autoptr (GHashTable) rates = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  VkBackupRequest request = { .max_rates = rates };
  VkProgressStyle style;

  if (!vk_require_store (invocation, error)
      || !check_selection (invocation, error)
      || !vk_backup_options_parse (invocation, &request, &invocation->store_settings, error)
      || !vk_parse_progress (invocation, options->progress, &style, error))
    return FALSE;
  interrupt = vk_interrupt_new ();
  if (is_for_many (invocation))
    return run_many (invocation, style, interrupt, error);
  return run_here (invocation, &request, style, interrupt, error);
}

const VkCommand vk_command_backup = {
  .name = "backup",
  .arguments = "[DOMAIN...]",
  .summary = "Back up domains into a store",
  .options = vk_backup_options,
  .unconfigurable = many_options,
  .option_bytes = sizeof (VkBackupOptions),
  .run = run_backup,
};
