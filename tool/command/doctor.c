/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "doctor/doctor.h"

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "boot/boot.h"
#include "command/command.h"

typedef struct
{
  gboolean all;
  gboolean fix;
  char *mode;
  char *scratch_dir;
  char *monitor;
} DoctorOptions;

static const GOptionEntry doctor_options[] = {
  { "all", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (DoctorOptions, all), N_("Look at every domain"), NULL },
  { "fix", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (DoctorOptions, fix), N_("Mend what is certainly ours"), NULL },
  { "mode", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (DoctorOptions, mode), N_("Look at what backups of this mode need only"), "push|pull" },
  { "scratch-dir", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (DoctorOptions, scratch_dir), N_("Look at DIR as well, in which pull mode is to keep scratch files"), "DIR" },
  { "monitor", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (DoctorOptions, monitor), N_("Whether to ask QEMU itself what a backup has left in it"), "auto|never" },
  { NULL }
};

/* What booted domains have left, as a caller may want to see it beside the checks. */
static JsonObject *
stray_to_json (const VkBootStray *stray)
{
  JsonObject *object = json_object_new ();
  JsonArray *doors = json_array_new ();

  vk_json_set_string (object, "domain", stray->name);
  vk_json_set_string (object, "point", stray->point);
  vk_json_set_string (object, "directory", stray->directory);
  for (guint i = 0; i < stray->doors->len; i++)
    json_array_add_int_element (doors, g_array_index (stray->doors, pid_t, i));
  json_object_set_array_member (object, "doors", doors);
  return object;
}

static void
fill_json (JsonObject *result, const VkDoctorReport *report)
{
  JsonArray *strays = json_array_new ();

  json_object_set_array_member (result, "checks", vk_doctor_report_to_json (report));
  json_object_set_int_member (result, "problems", vk_doctor_report_problems (report));
  for (guint i = 0; i < report->strays->len; i++)
    json_array_add_object_element (strays, stray_to_json (g_ptr_array_index (report->strays, i)));
  json_object_set_array_member (result, "stray", strays);
  json_object_set_array_member (result, "removed", json_array_new ());
  for (guint i = 0; i < report->removed->len; i++)
    vk_json_append_string (result, "removed", g_ptr_array_index (report->removed, i));
}

static gboolean
parse_request (const VkInvocation *invocation, VkDoctorRequest *request, GError **error)
{
  static const char *const monitor_words[] = { "auto", "never", NULL };
  const DoctorOptions *options = invocation->options;
  int mode, monitor;

  if (!vk_parse_choice ("--mode", options->mode, vk_mode_words, -1, &mode, error)
      || !vk_parse_choice ("--monitor", options->monitor, monitor_words, 0, &monitor, error))
    return FALSE;
  request->store_is_restic = invocation->store != NULL && vk_store_is_pull_only (invocation->store);
  if (options->all && invocation->arguments[0] != NULL)
    vk_fail (error, VK_ERROR_USAGE, "name domains or give --all, not both");
  else if (options->scratch_dir != NULL && mode == VK_MODE_PUSH)
    vk_fail (error, VK_ERROR_USAGE, "--scratch-dir is for --mode pull: in push mode there are no scratch files");
  else if (request->store_is_restic && mode == VK_MODE_PUSH)
    vk_fail (error, VK_ERROR_USAGE, "--mode push is for image stores: QEMU cannot write into a restic repository itself");
  else
    {
      request->connect_uri = invocation->connect_uri;
      request->domains = (const char *const *) invocation->arguments;
      request->all = options->all;
      request->fix = options->fix;
      request->push = mode != VK_MODE_PULL && !request->store_is_restic;
      request->pull = mode != VK_MODE_PUSH;
      request->scratch_dir = options->scratch_dir;
      request->use_monitor = monitor == 0;
      return TRUE;
    }
  return FALSE;
}

/* A store that cannot be opened is a finding; what is no store's name is a mistake. */
static gboolean
open_store (VkInvocation *invocation, VkStore **store, GError **failure, GError **error)
{
  if (invocation->store == NULL || *invocation->store == '\0')
    return TRUE;
  *store = vk_open_store (invocation, FALSE, failure);
  if (*store != NULL || !g_error_matches (*failure, VK_ERROR, VK_ERROR_USAGE))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (failure));
  return FALSE;
}

static gboolean
judge (VkInvocation *invocation, const VkDoctorReport *report, GError **error)
{
  guint problems = vk_doctor_report_problems (report);

  if (problems == 0)
    return TRUE;
  if (!invocation->json)
    fputs (invocation->text->str, stdout);
  return vk_fail (error, VK_ERROR_DAMAGED, ngettext ("%u problem was found", "%u problems were found", problems), problems);
}

static gboolean
run_doctor (VkInvocation *invocation, GError **error)
{
  g_autoptr (VkInterrupt) interrupt = vk_interrupt_new ();
  g_autoptr (VkDoctorReport) report = vk_doctor_report_new ();
  g_autoptr (GError) store_failure = NULL;
  g_autoptr (VkStore) store = NULL;
  VkDoctorRequest request = { 0 };
  gboolean done;

  if (!parse_request (invocation, &request, error) || !open_store (invocation, &store, &store_failure, error))
    return FALSE;
  request.store = store;
  request.store_failure = store_failure;
  done = vk_doctor_run (&request, report, vk_interrupt_cancellable (interrupt), error);
  if (!done)
    vk_interrupt_claim_error (interrupt, error);
  fill_json (invocation->result, report);
  vk_doctor_report_to_text (report, invocation->text);
  return done && judge (invocation, report, error);
}

const VkCommand vk_command_doctor = {
  .name = "doctor",
  .arguments = "[DOMAIN...]",
  .summary = N_("Say whether backups can work and what a crash has left, and mend it"),
  .options = doctor_options,
  .option_bytes = sizeof (DoctorOptions),
  .run = run_doctor,
};
