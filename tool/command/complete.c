/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the shell's completion asks for, a word a line.  Hidden from the help. */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/error.h"
#include "command/complete-script.h"
#include "command/policy-options.h"
#include "host/domains.h"
#include "store/store.h"

static const GOptionEntry complete_options[] = { { NULL } };

static void
add_options (GString *text, const GOptionEntry *table)
{
  for (const GOptionEntry *entry = table; entry->long_name != NULL; entry++)
    g_string_append_printf (text, "--%s\n", entry->long_name);
}

/* "--mode" has the choices push and pull: its argument is written so. */
static void
add_choices (GString *text, const GOptionEntry *table, const char *option)
{
  for (const GOptionEntry *entry = table; entry->long_name != NULL; entry++)
    if (g_str_has_prefix (option, "--") && strcmp (option + 2, entry->long_name) == 0
        && entry->arg_description != NULL && strchr (entry->arg_description, '|') != NULL)
      {
        g_autofree char *lines = g_strdelimit (g_strdup (entry->arg_description), "|", '\n');

        g_string_append_printf (text, "%s\n", lines);
      }
}

static void
add_commands (GString *text)
{
  for (gsize i = 0; vk_commands[i] != NULL; i++)
    if (!vk_commands[i]->hidden)
      g_string_append_printf (text, "%s\n", vk_commands[i]->name);
}

static void
add_keys (GString *text)
{
  g_string_append (text, VK_POLICY_STORE "\n");
  for (gsize i = 0; vk_commands[i] != NULL; i++)
    for (gsize j = 0; vk_commands[i]->policy_keys != NULL && vk_commands[i]->policy_keys[j] != NULL; j++)
      g_string_append_printf (text, "%s\n", vk_commands[i]->policy_keys[j]);
}

static gboolean
add_domains (VkInvocation *invocation, GError **error)
{
  g_autoptr (VkHost) host = vk_host_open (invocation->connect_uri, error);
  g_autoptr (GPtrArray) names = host ? vk_host_domain_names (host, error) : NULL;

  for (guint i = 0; names != NULL && i < names->len; i++)
    g_string_append_printf (invocation->text, "%s\n", (const char *) g_ptr_array_index (names, i));
  return names != NULL;
}

static gboolean
add_points (VkInvocation *invocation, GError **error)
{
  g_autoptr (VkStore) store = NULL;
  g_autoptr (GPtrArray) points = NULL;

  /* The user is in the middle of a line. */
  invocation->store_settings.no_prompt = TRUE;
  store = vk_open_store (invocation, FALSE, error);
  points = store ? vk_store_list (store, NULL, error) : NULL;
  for (guint i = 0; points != NULL && i < points->len; i++)
    {
      g_autofree char *name = vk_point_name (g_ptr_array_index (points, i));

      g_string_append_printf (invocation->text, "%s\n", name);
    }
  return points != NULL;
}

static gboolean
run_complete (VkInvocation *invocation, GError **error)
{
  const char *what = invocation->arguments[0];
  const VkCommand *command = invocation->arguments[1] ? vk_command_find (invocation->arguments[1]) : NULL;

  if (strcmp (what, "commands") == 0)
    add_commands (invocation->text);
  else if (strcmp (what, "domains") == 0)
    return add_domains (invocation, error);
  else if (strcmp (what, "points") == 0)
    return add_points (invocation, error);
  else if (strcmp (what, "keys") == 0)
    add_keys (invocation->text);
  else if (strcmp (what, "script") == 0 && invocation->arguments[1] != NULL)
    return vk_completion_script (invocation->arguments[1], invocation->text, error);
  else if (strcmp (what, "options") == 0)
    {
      add_options (invocation->text, vk_global_options);
      if (command != NULL)
        add_options (invocation->text, command->options);
    }
  else if (strcmp (what, "choices") == 0 && command != NULL && invocation->arguments[2] != NULL)
    add_choices (invocation->text, command->options, invocation->arguments[2]);
  else if (strcmp (what, "argument") == 0 && command != NULL)
    g_string_append_printf (invocation->text, "%s\n", command->arguments);
  else
    return vk_fail (error, VK_ERROR_USAGE, "complete: 'commands', 'domains', 'points', 'keys', 'script SHELL', 'options [COMMAND]', 'choices COMMAND OPTION' or 'argument COMMAND'");
  return TRUE;
}

const VkCommand vk_command_complete = {
  .name = "complete",
  .arguments = "WHAT [COMMAND] [OPTION]",
  .summary = N_("Print words for the shell's completion"),
  .options = complete_options,
  .option_bytes = 1,
  .hidden = TRUE,
  .run = run_complete,
};
