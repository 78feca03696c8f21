/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "prove/prove.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "boot/boot.h"
#include "host/screenshot.h"
#include "prove/console.h"
#include "prove/expect.h"

/* Between two looks at the machine, and how long libvirt is waited for when it has
 * gone while a machine of ours may run. */
enum { LOOK_MILLISECONDS = 200, RECONNECT_SECONDS = 30 };

/* The tables of sockets that are read, in bytes. */
enum { SOCKETS_LIMIT = 1 << 20 };

/* One try. */
struct attempt
{
  VkHost *host;
  const VkProveRequest *request;
  VkReporter *reporter;
  GCancellable *cancellable;
  VkConsole *console;
  virDomainPtr domain;
  gint64 start;    /* monotonic microseconds */
  gint64 deadline;
  char *reason;    /* why the point is not proven, once that is known */
  VkProof *proof;
};

void
vk_proof_free (VkProof *proof)
{
  vk_verdict_free (proof->verdict);
  g_strfreev (proof->console);
  g_clear_pointer (&proof->screenshot, g_bytes_unref);
  g_free (proof->no_screenshot);
  vk_agent_exit_clear (&proof->script);
  g_ptr_array_unref (proof->warnings);
  g_free (proof);
}

static guint64
milliseconds_since (gint64 start)
{
  return (guint64) (g_get_monotonic_time () - start) / 1000;
}

/* Only the first reason counts: what follows may be its consequence. */
static void G_GNUC_PRINTF (2, 3)
set_reason (struct attempt *attempt, const char *format, ...)
{
  va_list arguments;

  if (attempt->reason != NULL)
    return;
  va_start (arguments, format);
  attempt->reason = g_strdup_vprintf (format, arguments);
  va_end (arguments);
}

/* --- looking at the machine ---------------------------------------------------------- */

static void
meet (struct attempt *attempt, VkExpectation *expectation)
{
  JsonObject *fields = json_object_new ();
  g_autofree char *text = NULL;

  expectation->met = TRUE;
  expectation->milliseconds = milliseconds_since (attempt->start);
  text = g_strdup_printf ("%s: after %.1f s", expectation->word, (double) expectation->milliseconds / 1000);
  vk_json_set_string (fields, "expect", expectation->word);
  json_object_set_int_member (fields, "milliseconds", (gint64) expectation->milliseconds);
  vk_reporter_event (attempt->reporter, "met", text, fields);
}

static void
look_at_line (const char *line, gpointer user_data)
{
  struct attempt *attempt = user_data;
  GPtrArray *expectations = attempt->request->expectations;

  for (guint i = 0; i < expectations->len; i++)
    {
      VkExpectation *expectation = g_ptr_array_index (expectations, i);

      if (!expectation->met && expectation->kind == VK_EXPECT_CONSOLE && g_regex_match (expectation->regex, line, 0, NULL))
        meet (attempt, expectation);
    }
}

static void
look_at_console (struct attempt *attempt)
{
  if (!vk_console_read (attempt->console, look_at_line, attempt))
    set_reason (attempt, "the guest has written more than %d MiB to its serial console", VK_CONSOLE_LIMIT >> 20);
}

static gboolean
is_listened_on (struct attempt *attempt, guint port)
{
  g_autofree char *v4 = vk_agent_read_file (attempt->domain, "/proc/net/tcp", SOCKETS_LIMIT, NULL);
  g_autofree char *v6 = vk_agent_read_file (attempt->domain, "/proc/net/tcp6", SOCKETS_LIMIT, NULL);

  return (v4 != NULL && vk_port_is_listened_on (v4, port)) || (v6 != NULL && vk_port_is_listened_on (v6, port));
}

static void
look_at_agent (struct attempt *attempt)
{
  GPtrArray *expectations = attempt->request->expectations;
  const VkExpectation *open = vk_expectations_open (expectations);

  if (open == NULL || !vk_expectations_need_agent (expectations) || !vk_agent_ping (attempt->domain))
    return;
  for (guint i = 0; i < expectations->len; i++)
    {
      VkExpectation *expectation = g_ptr_array_index (expectations, i);

      if (!expectation->met && (expectation->kind == VK_EXPECT_AGENT || (expectation->kind == VK_EXPECT_PORT && is_listened_on (attempt, expectation->port))))
        meet (attempt, expectation);
    }
}

/* A machine that does not run any more needs no waiting for. */
static void
look_at_domain (struct attempt *attempt)
{
  int state, why;

  if (virDomainGetState (attempt->domain, &state, &why, 0) < 0)
    {
      if (virGetLastErrorCode () == VIR_ERR_NO_DOMAIN)
        set_reason (attempt, "the machine has ended by itself");
    }
  else if (state == VIR_DOMAIN_PAUSED && why == VIR_DOMAIN_PAUSED_IOERROR)
    set_reason (attempt, "the machine was stopped by an I/O error of a disk");
  else if (state == VIR_DOMAIN_CRASHED || (state == VIR_DOMAIN_PAUSED && why == VIR_DOMAIN_PAUSED_CRASHED))
    set_reason (attempt, "the guest has crashed");
  else if (state == VIR_DOMAIN_SHUTOFF || state == VIR_DOMAIN_SHUTDOWN)
    set_reason (attempt, "the machine has ended by itself");
}

/* --- waiting ------------------------------------------------------------------------- */

/* FALSE, with *error, when it makes no sense to go on. */
static gboolean
may_go_on (struct attempt *attempt, GError **error)
{
  if (g_cancellable_set_error_if_cancelled (attempt->cancellable, error))
    return FALSE;
  if (!vk_host_is_lost (attempt->host))
    return TRUE;
  return vk_fail (error, VK_ERROR_CONNECTION, "the connection to libvirt was lost while the machine was watched");
}

/* Waits a moment, in which libvirt's events are handled; the time being up is a reason:
 * complaint (transfer full). */
static void
pass_time (struct attempt *attempt, char *complaint)
{
  const gboolean never = FALSE;

  if (attempt->reason == NULL && g_get_monotonic_time () >= attempt->deadline)
    set_reason (attempt, "%s within %u s", complaint, attempt->request->timeout);
  else if (attempt->reason == NULL)
    vk_host_run_until (&never, NULL, g_get_monotonic_time () + LOOK_MILLISECONDS * 1000, attempt->cancellable);
  g_free (complaint);
}

static gboolean
wait_for_expectations (struct attempt *attempt, GError **error)
{
  const VkExpectation *open;

  vk_reporter_phase (attempt->reporter, "wait", "waiting for the guest to come up");
  while (attempt->reason == NULL && may_go_on (attempt, error))
    {
      look_at_console (attempt);
      look_at_agent (attempt);
      open = vk_expectations_open (attempt->request->expectations);
      if (open == NULL)
        return TRUE;
      look_at_domain (attempt);
      pass_time (attempt, vk_expectation_complaint (open));
    }
  return attempt->reason != NULL;
}

/* --- the script -------------------------------------------------------------------------- */

char **
vk_prove_interpreter (const char *script)
{
  static const char *const shell[] = { "/bin/sh", NULL };
  g_autofree char *line = g_str_has_prefix (script, "#!") ? g_strndup (script + 2, strcspn (script + 2, "\r\n")) : NULL;
  char **words;

  if (line == NULL || *g_strstrip (line) == '\0')
    return g_strdupv ((char **) shell);
  /* As the kernel does: what follows the program is one argument. */
  words = g_strsplit_set (line, " \t", 2);
  if (words[1] != NULL)
    g_strstrip (words[1]);
  return words;
}

static gboolean
watch_script (struct attempt *attempt, gint64 pid, GError **error)
{
  g_autoptr (GError) failure = NULL;

  while (attempt->reason == NULL && may_go_on (attempt, error))
    {
      look_at_console (attempt);
      look_at_domain (attempt);
      if (attempt->reason == NULL && !vk_agent_poll (attempt->domain, pid, &attempt->proof->script_ended, &attempt->proof->script, &failure))
        set_reason (attempt, "the script cannot be followed: %s", failure->message);
      if (attempt->proof->script_ended)
        return TRUE;
      pass_time (attempt, g_strdup ("the script has not ended"));
    }
  return attempt->reason != NULL;
}

static gboolean
run_script (struct attempt *attempt, GError **error)
{
  const VkProveRequest *request = attempt->request;
  g_auto (GStrv) interpreter = vk_prove_interpreter (request->script);
  const VkAgentExit *script = &attempt->proof->script;
  g_autoptr (GError) failure = NULL;
  gint64 pid;

  vk_reporter_phase (attempt->reporter, "script", "running the script in the guest");
  if (!vk_agent_start (attempt->domain, (const char *const *) interpreter, request->script, request->script_length, &pid, &failure))
    {
      set_reason (attempt, "the script cannot be started: %s", failure->message);
      return TRUE;
    }
  if (!watch_script (attempt, pid, error))
    return FALSE;
  if (attempt->proof->script_ended && script->exit_code < 0)
    set_reason (attempt, "the script was ended by a signal");
  else if (attempt->proof->script_ended && script->exit_code > 0)
    set_reason (attempt, "the script has ended with exit code %" PRId64, script->exit_code);
  return TRUE;
}

/* --- one try ------------------------------------------------------------------------------ */

static void
take_screenshot (struct attempt *attempt)
{
  g_autoptr (GError) failure = NULL;

  attempt->proof->screenshot = vk_screenshot (attempt->host, attempt->domain, &failure);
  if (failure != NULL)
    attempt->proof->no_screenshot = g_strdup (failure->message);
}

/* The machine runs: watches it to the verdict. */
static gboolean
watch (struct attempt *attempt, GError **error)
{
  VkProof *proof = attempt->proof;

  if (vk_expectations_need_agent (attempt->request->expectations) && !vk_agent_has_channel (attempt->domain))
    return vk_fail (error, VK_ERROR_REFUSED, "the domain has no channel for a guest agent (org.qemu.guest_agent.0), so none can answer: give --expect console:REGEX");
  if (!wait_for_expectations (attempt, error)
      || (attempt->reason == NULL && attempt->request->script != NULL && !run_script (attempt, error)))
    return FALSE;
  proof->verdict = vk_verdict_new (milliseconds_since (attempt->start), attempt->reason);
  take_screenshot (attempt);
  look_at_console (attempt);
  proof->console = vk_console_tail (attempt->console);
  return TRUE;
}

static gboolean
watch_boot (struct attempt *attempt, const VkBoot *boot, GError **error)
{
  gboolean watched;

  attempt->domain = virDomainLookupByUUIDString (vk_host_connection (attempt->host), boot->uuid);
  for (guint i = 0; i < boot->warnings->len; i++)
    g_ptr_array_add (attempt->proof->warnings, g_strdup (g_ptr_array_index (boot->warnings, i)));
  if (attempt->domain == NULL)
    {
      /* It has ended before it could be looked at. */
      set_reason (attempt, "the machine has ended by itself");
      attempt->proof->verdict = vk_verdict_new (milliseconds_since (attempt->start), attempt->reason);
      look_at_console (attempt);
      attempt->proof->console = vk_console_tail (attempt->console);
      return TRUE;
    }
  watched = watch (attempt, error);
  virDomainFree (attempt->domain);
  return watched;
}

/* Also when the user wants to stop, and when libvirtd was restarted. */
static gboolean
throw_away (VkHost *host, const VkBoot *boot, VkReporter *reporter, GError **error)
{
  vk_reporter_phase (reporter, "discard", "throwing the machine away");
  if (vk_host_is_lost (host) && !vk_host_reconnect (host, RECONNECT_SECONDS, error))
    return FALSE;
  return vk_boot_discard (host, boot->name, error);
}

static VkBoot *
start (VkHost *host, VkStore *store, const VkPoint *point, const VkProveRequest *request, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  const VkBootRequest boot = {
    .network = "none",
    .overlay_dir = request->overlay_dir,
    .isolated = TRUE,
    .autodestroy = TRUE,
    .console_log = request->console_log,
  };

  vk_reporter_phase (reporter, "boot", "starting a machine from the restore point");
  return vk_boot_start (host, store, point, &boot, reporter, cancellable, error);
}

VkProof *
vk_prove_run (VkHost *host, VkStore *store, const VkPoint *point, const VkProveRequest *request, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkProof) proof = g_new0 (VkProof, 1);
  g_autoptr (VkConsole) console = vk_console_new (request->console_log);
  struct attempt attempt = { host, request, reporter, cancellable, console, .start = g_get_monotonic_time (), .proof = proof };
  g_autoptr (VkBoot) boot = NULL;
  g_autoptr (GError) failure = NULL;
  gboolean watched;

  proof->warnings = g_ptr_array_new_with_free_func (g_free);
  vk_expectations_reset (request->expectations);
  boot = start (host, store, point, request, reporter, cancellable, error);
  if (boot == NULL)
    return NULL;
  attempt.deadline = g_get_monotonic_time () + (gint64) request->timeout * G_USEC_PER_SEC;
  watched = watch_boot (&attempt, boot, error);
  g_free (attempt.reason);
  if (!throw_away (host, boot, reporter, &failure))
    {
      g_clear_error (error);
      g_set_error (error, failure->domain, failure->code, "the domain '%s' that was started for the proof is still there: %s", boot->name, failure->message);
      return NULL;
    }
  return watched ? g_steal_pointer (&proof) : NULL;
}
