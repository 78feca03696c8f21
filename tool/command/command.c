/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/command.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"

const VkCommand *const vk_commands[] = {
  &vk_command_backup,
  &vk_command_list,
  &vk_command_show,
  &vk_command_restore,
  &vk_command_verify,
  &vk_command_forget,
  &vk_command_prune,
  &vk_command_protect,
  &vk_command_unprotect,
  &vk_command_note,
  &vk_command_status,
  &vk_command_abort,
  &vk_command_complete,
  NULL
};

const GOptionEntry vk_global_options[] = {
  { "connect", 'c', 0, G_OPTION_ARG_STRING, VK_OPTION (VkInvocation, connect_uri), "Connect to libvirt at URI", "URI" },
  { "store", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkInvocation, store), "Keep restore points in STORE, a directory", "STORE" },
  { "json", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkInvocation, json), "Print the result as JSON", NULL },
  { "quiet", 'q', 0, G_OPTION_ARG_NONE, VK_OPTION (VkInvocation, quiet), "Do not show progress", NULL },
  { NULL }
};

const VkCommand *
vk_command_find (const char *name)
{
  for (gsize i = 0; vk_commands[i] != NULL; i++)
    if (strcmp (vk_commands[i]->name, name) == 0)
      return vk_commands[i];
  return NULL;
}

gboolean
vk_parse_choice (const char *option, const char *value, const char *const *choices, int fallback, int *choice, GError **error)
{
  g_autofree char *all = NULL;

  *choice = fallback;
  if (value == NULL)
    return TRUE;
  for (int i = 0; choices[i] != NULL; i++)
    if (strcmp (choices[i], value) == 0)
      {
        *choice = i;
        return TRUE;
      }
  all = g_strjoinv (", ", (char **) choices);
  g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "%s cannot be '%s': it is one of %s", option, value, all);
  return FALSE;
}

gboolean
vk_parse_progress (const VkInvocation *invocation, const char *value, VkProgressStyle *style, GError **error)
{
  int choice;

  if (!vk_parse_choice ("--progress", value, vk_progress_words, -1, &choice, error))
    return FALSE;
  *style = (VkProgressStyle) (choice + 1);
  if (value == NULL && invocation->quiet)
    *style = VK_PROGRESS_NONE;
  return TRUE;
}

gboolean
vk_require_store (const VkInvocation *invocation, GError **error)
{
  if (invocation->store != NULL && *invocation->store != '\0')
    return TRUE;
  g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "no store is named: give --store DIRECTORY or set VIRT_KEEP_STORE");
  return FALSE;
}

VkStore *
vk_open_store (const VkInvocation *invocation, gboolean create, GError **error)
{
  if (!vk_require_store (invocation, error))
    return NULL;
  return vk_store_open (invocation->store, &invocation->store_settings, create, error);
}

JsonObject *
vk_domain_json (const char *name, const char *uuid)
{
  JsonObject *domain = json_object_new ();

  vk_json_set_string (domain, "name", name);
  vk_json_set_string (domain, "uuid", uuid);
  return domain;
}
