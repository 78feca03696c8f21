/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/policy-options.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "command/options.h"

VkPolicy *
vk_policy_of (VkHost *host, const char *name, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (virDomain) domain = vk_host_find_domain (host, name, &failure);

  if (domain != NULL)
    return vk_policy_read (domain, error);
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    return vk_policy_new ();
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

/* --- keys ------------------------------------------------------------------------ */

static gboolean
is_for_policies (const VkCommand *command, const char *key)
{
  return command->policy_keys != NULL && g_strv_contains (command->policy_keys, key);
}

/* NULL for a key that is no option of a command. */
static const GOptionEntry *
find_entry (const char *key, const VkCommand **of)
{
  for (gsize i = 0; vk_commands[i] != NULL; i++)
    for (const GOptionEntry *entry = vk_commands[i]->options; entry->long_name != NULL; entry++)
      if (strcmp (entry->long_name, key) == 0 && is_for_policies (vk_commands[i], key))
        {
          *of = vk_commands[i];
          return entry;
        }
  return NULL;
}

static gboolean
is_label (const char *key)
{
  return g_str_has_prefix (key, VK_POLICY_LABEL) && key[strlen (VK_POLICY_LABEL)] != '\0';
}

gboolean
vk_policy_check_key (const char *key, GError **error)
{
  const VkCommand *command;

  if (strcmp (key, VK_POLICY_STORE) == 0 || is_label (key) || find_entry (key, &command) != NULL)
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "'%s' is no key that a policy can have: virt-keep(1) lists them, below policy", key);
}

static gboolean
is_list (const GOptionEntry *entry)
{
  return entry->arg == G_OPTION_ARG_STRING_ARRAY || entry->arg == G_OPTION_ARG_FILENAME_ARRAY;
}

gboolean
vk_policy_is_list (const char *key)
{
  const VkCommand *command;
  const GOptionEntry *entry = find_entry (key, &command);

  return entry != NULL && is_list (entry);
}

/* --- values ---------------------------------------------------------------------- */

static gboolean
check_number_of_values (const char *key, char **values, GError **error)
{
  for (gsize i = 0; values[i] != NULL; i++)
    if (*values[i] == '\0')
      return vk_fail (error, VK_ERROR_USAGE, "'%s' has no value", key);
  if (values[1] == NULL || vk_policy_is_list (key))
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "'%s' has more than one value", key);
}

static gboolean
take_switch (const char *key, const char *value, gboolean *on, GError **error)
{
  *on = strcmp (value, "true") == 0;
  if (*on || strcmp (value, "false") == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "'%s' cannot be '%s': it is true or false", key, value);
}

static gboolean
take_values (const VkPolicy *policy, const GOptionEntry *entry, gpointer options, GError **error)
{
  gpointer field = (guint8 *) options + GPOINTER_TO_SIZE (entry->arg_data);
  g_auto (GStrv) values = vk_policy_values (policy, entry->long_name);

  if (entry->arg == G_OPTION_ARG_NONE)
    return take_switch (entry->long_name, values[0], field, error);
  if (is_list (entry))
    *(char ***) field = g_steal_pointer (&values);
  else
    *(char **) field = g_strdup (values[0]);
  return TRUE;
}

/* Whether the command accepts what the policy gives it: of one key, or (NULL) of all. */
static gboolean
check_command (const VkPolicy *policy, const VkCommand *command, const char *key, GError **error)
{
  VkInvocation alone = { .options = g_malloc0 (command->option_bytes) };
  gboolean good = TRUE;

  for (const GOptionEntry *entry = command->options; good && entry->long_name != NULL; entry++)
    if (is_for_policies (command, entry->long_name) && (key == NULL || strcmp (key, entry->long_name) == 0) && vk_policy_has (policy, entry->long_name))
      good = take_values (policy, entry, alone.options, error);
  good = good && command->check_options (&alone, error);
  vk_options_free (&alone, command);
  return good;
}

static gboolean
check_key (const VkPolicy *policy, const char *key, GError **error)
{
  g_auto (GStrv) values = vk_policy_values (policy, key);
  const VkCommand *command;
  g_autoptr (GError) failure = NULL;

  if (!vk_policy_check_key (key, error) || !check_number_of_values (key, values, error))
    return FALSE;
  if (find_entry (key, &command) == NULL || check_command (policy, command, key, &failure))
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "'%s': %s", key, failure->message);
}

gboolean
vk_policy_check (const VkPolicy *policy, GError **error)
{
  g_autoptr (GPtrArray) keys = vk_policy_keys (policy);

  for (guint i = 0; i < keys->len; i++)
    if (!check_key (policy, g_ptr_array_index (keys, i), error))
      return FALSE;
  for (gsize i = 0; vk_commands[i] != NULL; i++)
    if (vk_commands[i]->policy_keys != NULL && !check_command (policy, vk_commands[i], NULL, error))
      return FALSE;
  return TRUE;
}

gboolean
vk_policy_apply (const VkPolicy *policy, const VkCommand *command, gpointer options, GError **error)
{
  for (const GOptionEntry *entry = command->options; entry->long_name != NULL; entry++)
    if (is_for_policies (command, entry->long_name) && vk_policy_has (policy, entry->long_name)
        && !vk_option_is_given (entry, options) && !take_values (policy, entry, options, error))
      return FALSE;
  return TRUE;
}

/* --- the result ------------------------------------------------------------------ */

JsonObject *
vk_policy_to_json (const VkPolicy *policy)
{
  g_autoptr (GPtrArray) keys = vk_policy_keys (policy);
  JsonObject *object = json_object_new ();
  JsonObject *labels = json_object_new ();

  for (guint i = 0; i < keys->len; i++)
    {
      const char *key = g_ptr_array_index (keys, i);
      g_auto (GStrv) values = vk_policy_values (policy, key);

      if (is_label (key))
        vk_json_set_string (labels, key + strlen (VK_POLICY_LABEL), values[0]);
      else if (vk_policy_is_list (key))
        for (gsize j = 0; values[j] != NULL; j++)
          vk_json_append_string (object, key, values[j]);
      else
        vk_json_set_string (object, key, values[0]);
    }
  json_object_set_object_member (object, "label", labels);
  return object;
}
