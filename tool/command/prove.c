/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "prove/prove.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/files.h"
#include "base/json.h"
#include "base/run-dir.h"
#include "base/state.h"
#include "boot/boot.h"
#include "command/command.h"
#include "command/metrics.h"
#include "prove/expect.h"
#include "prove/proof-report.h"

/* How long a machine may take to come up, in seconds, and the longest script, in bytes. */
enum { DEFAULT_TIMEOUT = 300, SCRIPT_LIMIT = 1 << 20 };

/* libvirt passes through, on its way to a console's log. */
enum { CONSOLES_MODE = 0711 };

typedef struct
{
  gboolean all;
  char *timeout;
  char **expect;
  char *script;
  char *evidence;
  char *overlay_dir;
  char *metrics;
  char *progress;
} ProveOptions;

static const GOptionEntry prove_options[] = {
  { "all", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (ProveOptions, all), N_("Prove the newest point of every domain in the store"), NULL },
  { "timeout", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (ProveOptions, timeout), N_("How long a machine may take to come up"), "TIME" },
  { "expect", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (ProveOptions, expect), N_("What it has to do: agent, console:REGEX or port:NUMBER (repeatable)"), "WHAT" },
  { "script", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (ProveOptions, script), N_("Run the script FILE in the guest; it has to end with 0"), "FILE" },
  { "evidence", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (ProveOptions, evidence), N_("Also write verdict, screenshot and console into DIR"), "DIR" },
  { "overlay-dir", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (ProveOptions, overlay_dir), N_("Where what the machine writes is kept meanwhile"), "DIR" },
  { "metrics", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (ProveOptions, metrics), N_("Write what is proven now into FILE, for Prometheus"), "FILE" },
  { "progress", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (ProveOptions, progress), N_("How to show progress on standard error"), "bar|lines|json|none" },
  { NULL }
};

/* One run of the command. */
struct run
{
  VkInvocation *invocation;
  const ProveOptions *options;
  VkStore *store;
  VkHost *host;
  VkInterrupt *interrupt;
  VkProveRequest request;
  VkProgressStyle style;
  VkRunDir *directory; /* for the consoles */
  JsonArray *points; /* of the result */
  guint count;       /* of points that it is about */
  guint not_proven;
  guint failed;
  GError *first;     /* why, of the first of these */
};

/* --- what is asked for -------------------------------------------------------------------- */

/* Of any kind of file, a pipe too. */
static gboolean
load_script (const char *path, char **script, gsize *length, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GError) failure = NULL;
  g_autoptr (GFileInputStream) stream = g_file_read (file, NULL, &failure);

  *script = g_malloc0 (SCRIPT_LIMIT + 2);
  if (stream == NULL || !g_input_stream_read_all (G_INPUT_STREAM (stream), *script, SCRIPT_LIMIT + 1, length, NULL, &failure))
    vk_fail (error, VK_ERROR_NOT_FOUND, "the script '%s' cannot be read: %s", path, failure->message);
  else if (*length > SCRIPT_LIMIT)
    vk_fail (error, VK_ERROR_REFUSED, "the script '%s' is longer than %d bytes: the agent takes no such", path, SCRIPT_LIMIT);
  else
    return TRUE;
  return FALSE;
}

/* What --expect says, and with a script the agent that has to run it.  Returns: (transfer full). */
static GPtrArray *
parse_expectations (const ProveOptions *options, GError **error)
{
  GStrvBuilder *builder = g_strv_builder_new ();
  g_auto (GStrv) words = NULL;

  for (char **word = options->expect; word != NULL && *word != NULL; word++)
    g_strv_builder_add (builder, *word);
  if (options->expect != NULL && options->script != NULL && !g_strv_contains ((const char *const *) options->expect, "agent"))
    g_strv_builder_add (builder, "agent");
  words = g_strv_builder_end (builder);
  g_strv_builder_unref (builder);
  return vk_expectations_parse ((const char *const *) words, error);
}

static gboolean
check_words (const VkInvocation *invocation, const ProveOptions *options, GError **error)
{
  gboolean named = invocation->arguments[0] != NULL;

  if (named == options->all)
    vk_fail (error, VK_ERROR_USAGE, "what is to be proven? Give restore points or domains, or --all");
  return named != options->all;
}

/* --- one point ---------------------------------------------------------------------------- */

/* Why there is no verdict, or none that is kept. */
static void
add_failure (struct run *run, JsonObject *entry, GString *text, GError *failure)
{
  JsonObject *object = json_object_new ();

  g_assert (failure != NULL);
  vk_json_set_string (object, "class", vk_error_class_name (failure));
  vk_json_set_string (object, "message", failure->message);
  json_object_set_object_member (entry, "error", object);
  g_string_append_printf (text, "%s\n", failure->message);
  run->failed++;
  if (run->first == NULL)
    run->first = failure;
  else
    g_error_free (failure);
}

/* The verdict is known: keeps it, and counts it. */
static void
keep_proof (struct run *run, const VkPoint *point, const VkProof *proof, JsonObject *entry, GString *text)
{
  g_autofree char *name = vk_point_name (point);
  g_autoptr (GError) failure = NULL;
  g_autoptr (GError) unsaved = NULL;
  gboolean recorded = vk_store_record_verdict (run->store, point, proof->verdict, proof->screenshot, &failure);

  vk_proof_fill_json (entry, proof, run->request.expectations);
  json_object_set_boolean_member (entry, "recorded", recorded);
  vk_json_set_string (entry, "no_screenshot", proof->no_screenshot);
  g_string_append_printf (text, _("%s: %s in %.1f s%s%s\n"), name, proof->verdict->proven ? _("proven") : _("NOT proven"), (double) proof->verdict->milliseconds / 1000,
                          proof->verdict->reason ? ": " : "", proof->verdict->reason ? proof->verdict->reason : "");
  vk_proof_append_text (text, proof, run->request.expectations);
  if (run->options->evidence != NULL && !vk_proof_save (run->options->evidence, name, proof, run->request.console_log, entry, &unsaved))
    add_failure (run, entry, text, g_steal_pointer (&unsaved));
  if (!recorded)
    {
      g_prefix_error (&failure, proof->verdict->proven ? _("%s is proven, but this cannot be recorded: ") : _("%s is not proven, but this cannot be recorded: "), name);
      add_failure (run, entry, text, g_steal_pointer (&failure));
    }
  if (!proof->verdict->proven)
    {
      run->not_proven++;
      if (run->not_proven == 1)
        {
          g_clear_error (&run->first);
          run->first = g_error_new (VK_ERROR, VK_ERROR_NOT_PROVEN, _("%s is not proven: %s"), name, proof->verdict->reason);
        }
    }
}

static void
report_warnings (VkReporter *reporter, const VkProof *proof)
{
  for (guint i = 0; i < proof->warnings->len; i++)
    vk_reporter_warning (reporter, g_ptr_array_index (proof->warnings, i));
}

/* FALSE when the user has stopped it. */
static gboolean
prove_point (struct run *run, const VkPoint *point, JsonObject *entry, GString *text, GError **error)
{
  g_autoptr (VkReporter) reporter = vk_reporter_new (run->style, stderr, point->domain);
  g_autofree char *name = vk_point_name (point);
  g_autofree char *log = g_strdup_printf ("%s/%u.log", run->directory->path, run->count);
  g_autoptr (GError) failure = NULL;
  g_autoptr (VkProof) proof = NULL;

  vk_json_set_string (entry, "point", name);
  run->request.console_log = log;
  vk_reporter_event (reporter, "start", NULL, NULL);
  if (point->damage != NULL)
    vk_fail (&failure, VK_ERROR_STORE, "the restore point cannot be used: %s", point->damage);
  else
    proof = vk_prove_run (run->host, run->store, point, &run->request, reporter, vk_interrupt_cancellable (run->interrupt), &failure);
  if (proof == NULL && vk_interrupt_claim_error (run->interrupt, &failure))
    {
      vk_reporter_end (reporter, failure);
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (proof != NULL)
    {
      report_warnings (reporter, proof);
      vk_reporter_phase (reporter, "record", "recording the verdict");
      keep_proof (run, point, proof, entry, text);
    }
  vk_reporter_end (reporter, failure);
  if (failure != NULL)
    {
      g_prefix_error (&failure, _("%s cannot be tried: "), name);
      add_failure (run, entry, text, g_steal_pointer (&failure));
    }
  return TRUE;
}

/* Proves a point, or says why word names none (point NULL, failure (transfer full)). */
static gboolean
prove_one (struct run *run, const VkPoint *point, const char *word, GError *failure, GError **error)
{
  JsonObject *entry = json_object_new ();
  g_autoptr (GString) text = g_string_new (NULL);
  gboolean going_on = TRUE;

  run->count++;
  json_array_add_object_element (run->points, entry);
  if (point == NULL)
    {
      vk_json_set_string (entry, "point", word);
      add_failure (run, entry, text, failure);
    }
  else
    going_on = prove_point (run, point, entry, text, error);
  /* Several take their time: each is told when it is known.  What keeps the only one
   * from being tried is the command's own error. */
  if (!run->invocation->json && (json_object_has_member (entry, "verdict") || run->options->all || run->invocation->arguments[1] != NULL))
    {
      fputs (text->str, stdout);
      fflush (stdout);
    }
  return going_on;
}

/* --- all of them -------------------------------------------------------------------------- */

static const char *
uuid_of (const VkPoint *point)
{
  return point->manifest ? point->manifest->domain_uuid : point->domain;
}

/* Whether a later one of points is of the same domain. */
static gboolean
has_later (const GPtrArray *points, guint index)
{
  const VkPoint *point = g_ptr_array_index (points, index);

  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *other = g_ptr_array_index (points, i);

      if (i != index && strcmp (uuid_of (other), uuid_of (point)) == 0 && strcmp (other->id, point->id) > 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
prove_all (struct run *run, GError **error)
{
  g_autoptr (GPtrArray) points = vk_store_list (run->store, NULL, error);

  if (points == NULL)
    return FALSE;
  for (guint i = 0; i < points->len; i++)
    if (!has_later (points, i) && !prove_one (run, g_ptr_array_index (points, i), NULL, NULL, error))
      return FALSE;
  if (run->count > 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_NOT_FOUND, "the store '%s' has no restore point", run->store->url);
}

static gboolean
prove_named (struct run *run, GError **error)
{
  for (char **word = run->invocation->arguments; *word != NULL; word++)
    {
      GError *failure = NULL;
      g_autoptr (VkPoint) point = vk_store_find_point (run->store, *word, &failure);

      if (!prove_one (run, point, *word, failure, error))
        return FALSE;
    }
  return TRUE;
}

/* The worst of what was found, in words for one point or for several. */
static gboolean
conclude (struct run *run, GError **error)
{
  if (run->first == NULL)
    return TRUE;
  if (run->count == 1)
    g_propagate_error (error, g_steal_pointer (&run->first));
  else if (run->not_proven > 0)
    vk_fail (error, VK_ERROR_NOT_PROVEN, "%u of %u restore points are not proven%s", run->not_proven, run->count,
                 run->failed > 0 ? ", and others could not be tried or recorded" : "");
  else
    g_propagate_prefixed_error (error, g_steal_pointer (&run->first), "%u of %u restore points could not be tried or recorded; the first: ", run->failed, run->count);
  return FALSE;
}

static gboolean
prove (struct run *run, GError **error)
{
  g_autofree char *proofs = vk_state_path ("proofs");
  g_autoptr (VkRunDir) directory = NULL;
  gboolean done;

  if (vk_directory_make (proofs, CONSOLES_MODE, error))
    directory = vk_run_dir_new (proofs, "run-", CONSOLES_MODE, NULL, error);
  if (directory == NULL)
    return FALSE;
  run->directory = directory;
  run->points = json_array_new ();
  json_object_set_array_member (run->invocation->result, "points", run->points);
  done = run->options->all ? prove_all (run, error) : prove_named (run, error);
  if (done)
    done = conclude (run, error);
  g_clear_error (&run->first);
  return done;
}

static gboolean
run_prove (VkInvocation *invocation, GError **error)
{
  struct run run = { .invocation = invocation, .options = invocation->options, .request.timeout = DEFAULT_TIMEOUT };
  g_autoptr (GPtrArray) expectations = NULL;
  g_autoptr (VkInterrupt) interrupt = NULL;
  g_autofree char *script = NULL;
  g_autoptr (VkStore) store = NULL;
  g_autoptr (VkHost) host = NULL;

  if (!vk_require_store (invocation, error)
      || !check_words (invocation, run.options, error)
      || !vk_parse_seconds ("--timeout", run.options->timeout, &run.request.timeout, error)
      || !vk_parse_progress (invocation, run.options->progress, &run.style, error)
      || !vk_metrics_check (run.options->metrics, error)
      || (expectations = parse_expectations (run.options, error)) == NULL
      || (run.options->script != NULL && !load_script (run.options->script, &script, &run.request.script_length, error)))
    return FALSE;
  if (run.request.timeout == 0)
    return vk_fail (error, VK_ERROR_USAGE, "--timeout cannot be 0: no machine comes up in no time");
  run.request.expectations = expectations;
  run.request.script = script;
  run.request.overlay_dir = run.options->overlay_dir;
  interrupt = run.interrupt = vk_interrupt_new ();
  store = run.store = vk_open_store (invocation, FALSE, error);
  host = run.host = store ? vk_host_open (invocation->connect_uri, error) : NULL;
  return host != NULL && vk_metrics_write_points (invocation, run.options->metrics, store, NULL, prove (&run, error), error);
}

const VkCommand vk_command_prove = {
  .name = "prove",
  .arguments = "[POINT...]",
  .summary = N_("Start a restore point as a machine, cut off, and see it come up"),
  .options = prove_options,
  .option_bytes = sizeof (ProveOptions),
  .run = run_prove,
};
