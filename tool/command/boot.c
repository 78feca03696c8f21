/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "boot/boot.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "command/command.h"

typedef struct
{
  char *name;
  char *memory;
  char *network;
  char *overlay_dir;
  char *finish;
  char *directory;
  char *discard;
  char *progress;
} BootOptions;

static const GOptionEntry boot_options[] = {
  { "name", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (BootOptions, name), N_("Call the domain NAME"), "NAME" },
  { "memory", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (BootOptions, memory), N_("Give the domain so much memory, e.g. 2G"), "SIZE" },
  { "network", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (BootOptions, network), N_("Network of its interfaces: none (the default), same, or a libvirt network"), "NETWORK" },
  { "overlay-dir", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (BootOptions, overlay_dir), N_("Keep what the guest writes in the directory DIR"), "DIR" },
  { "finish", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (BootOptions, finish), N_("Move the booted domain NAME to permanent disks while it runs"), "NAME" },
  { "to", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (BootOptions, directory), N_("With --finish: into the directory DIR"), "DIR" },
  { "discard", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (BootOptions, discard), N_("Throw the booted domain NAME away"), "NAME" },
  { "progress", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (BootOptions, progress), N_("How to show progress on standard error"), "bar|lines|json|none" },
  { NULL }
};

/* The smallest that a domain can have, and the largest that there is room to say, in
 * bytes. */
enum { MEMORY_MIN = 1 << 20 };

static gboolean
set_usage_error (GError **error, const char *message)
{
  g_set_error_literal (error, VK_ERROR, VK_ERROR_USAGE, message);
  return FALSE;
}

static gboolean
parse_memory (const char *text, guint64 *bytes, GError **error)
{
  *bytes = 0;
  /* Without a unit it is mebibytes, as virt-install has it. */
  if (text == NULL || (vk_parse_size (text, 20, bytes) && *bytes >= MEMORY_MIN))
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "--memory cannot be '%s': it is a size of at least 1M, such as 2G", text);
}

/* --- the three verbs ------------------------------------------------------ */

static void
fill_result (VkInvocation *invocation, const VkBoot *boot)
{
  g_autoptr (GList) targets = g_list_sort (g_hash_table_get_keys (boot->disks), (GCompareFunc) strcmp);
  JsonObject *disks = json_object_new ();

  vk_json_set_string (invocation->result, "point", boot->point);
  json_object_set_object_member (invocation->result, "domain", vk_domain_json (boot->name, boot->uuid));
  for (GList *target = targets; target != NULL; target = target->next)
    vk_json_set_string (disks, target->data, g_hash_table_lookup (boot->disks, target->data));
  json_object_set_object_member (invocation->result, "overlays", disks);
  json_object_set_array_member (invocation->result, "warnings", json_array_new ());
  for (guint i = 0; i < boot->warnings->len; i++)
    vk_json_append_string (invocation->result, "warnings", g_ptr_array_index (boot->warnings, i));
  g_string_append_printf (invocation->text, _("The domain %s runs from %s.\n"
                          "Keep it: virt-keep boot --finish NAME --to DIR; throw it away: virt-keep boot --discard NAME.\n"), boot->name, boot->point);
}

static gboolean
start (VkInvocation *invocation, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  const BootOptions *options = invocation->options;
  VkBootRequest request = { .name = options->name, .network = options->network, .overlay_dir = options->overlay_dir };
  g_autoptr (VkStore) store = NULL;
  g_autoptr (VkPoint) point = NULL;
  g_autoptr (VkHost) host = NULL;
  g_autoptr (VkBoot) boot = NULL;

  if (!parse_memory (options->memory, &request.memory, error))
    return FALSE;
  store = vk_open_store (invocation, FALSE, error);
  point = store ? vk_store_find_point (store, invocation->arguments[0], error) : NULL;
  host = point ? vk_host_open (invocation->connect_uri, error) : NULL;
  boot = host ? vk_boot_start (host, store, point, &request, reporter, cancellable, error) : NULL;
  if (boot == NULL)
    return FALSE;
  for (guint i = 0; i < boot->warnings->len; i++)
    vk_reporter_warning (reporter, g_ptr_array_index (boot->warnings, i));
  fill_result (invocation, boot);
  return TRUE;
}

static gboolean
discard (VkInvocation *invocation, VkHost *host, GError **error)
{
  const BootOptions *options = invocation->options;

  if (!vk_boot_discard (host, options->discard, error))
    return FALSE;
  vk_json_set_string (invocation->result, "discarded", options->discard);
  g_string_append_printf (invocation->text, _("The domain %s is gone, with all that it wrote.\n"), options->discard);
  return TRUE;
}

static gboolean
finish (VkInvocation *invocation, VkHost *host, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  const BootOptions *options = invocation->options;

  if (!vk_boot_finish (host, options->finish, options->directory, reporter, cancellable, error))
    return FALSE;
  vk_json_set_string (invocation->result, "finished", options->finish);
  vk_json_set_string (invocation->result, "directory", options->directory);
  g_string_append_printf (invocation->text, _("The domain %s is defined and runs from its disks in %s.\n"), options->finish, options->directory);
  return TRUE;
}

/* --- the command ---------------------------------------------------------- */

static gboolean
check_name (const char *option, const char *name, GError **error)
{
  if (name == NULL || (*name != '\0' && strpbrk (name, "/\n") == NULL))
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "%s cannot be '%s': libvirt has no domain without a name, or with a slash or a line break in it", option, name);
}

static gboolean
check_options (const VkInvocation *invocation, GError **error)
{
  const BootOptions *options = invocation->options;
  gboolean has_point = invocation->arguments[0] != NULL;

  if (has_point + (options->finish != NULL) + (options->discard != NULL) != 1)
    return set_usage_error (error, "what is to be booted? give a restore point, or --finish NAME, or --discard NAME");
  if (!has_point && (options->name != NULL || options->memory != NULL || options->network != NULL || options->overlay_dir != NULL))
    return set_usage_error (error, "--name, --memory, --network and --overlay-dir are for a restore point that is booted");
  if ((options->finish != NULL) != (options->directory != NULL))
    return set_usage_error (error, "--finish NAME and --to DIR belong together");
  if (options->network != NULL && *options->network == '\0')
    return set_usage_error (error, "--network is none, same, or the name of a libvirt network");
  if (options->overlay_dir != NULL && *options->overlay_dir == '\0')
    return set_usage_error (error, "--overlay-dir is a directory");
  return check_name ("--name", options->name, error);
}

static gboolean
run_verb (VkInvocation *invocation, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  const BootOptions *options = invocation->options;
  g_autoptr (VkHost) host = NULL;

  if (invocation->arguments[0] != NULL)
    return start (invocation, reporter, cancellable, error);
  host = vk_host_open (invocation->connect_uri, error);
  if (host == NULL)
    return FALSE;
  if (options->discard != NULL)
    return discard (invocation, host, error);
  return finish (invocation, host, reporter, cancellable, error);
}

static gboolean
run_boot (VkInvocation *invocation, GError **error)
{
  const BootOptions *options = invocation->options;
  g_autoptr (VkReporter) reporter = NULL;
  g_autoptr (VkInterrupt) interrupt = NULL;
  VkProgressStyle style;
  gboolean done;

  if (!check_options (invocation, error) || !vk_parse_progress (invocation, options->progress, &style, error))
    return FALSE;
  reporter = vk_reporter_new (style, stderr, NULL);
  interrupt = vk_interrupt_new ();
  done = run_verb (invocation, reporter, vk_interrupt_cancellable (interrupt), error);
  if (!done)
    vk_interrupt_claim_error (interrupt, error);
  vk_reporter_end (reporter, done ? NULL : *error);
  return done;
}

const VkCommand vk_command_boot = {
  .name = "boot",
  .arguments = "[POINT]",
  .summary = N_("Start a domain from a restore point, within seconds"),
  .options = boot_options,
  .option_bytes = sizeof (BootOptions),
  .run = run_boot,
};
