/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/settings.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/error.h"
#include "command/options.h"

/* What a section [store NAME] may say.  It is resolved into the global options. */
typedef struct
{
  char *url;
  char *password_file;
  char *retry_lock;
} StoreSettings;

static const GOptionEntry store_keys[] = {
  { "url", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (StoreSettings, url), NULL, NULL },
  { "password-file", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (StoreSettings, password_file), NULL, NULL },
  { "retry-lock", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (StoreSettings, retry_lock), NULL, NULL },
  { NULL }
};

/* The file cannot name itself.  command may be NULL. */
static gboolean
may_be_configured (const GOptionEntry *entry, const VkCommand *command)
{
  return strcmp (entry->long_name, "config") != 0
      && !(command != NULL && command->unconfigurable != NULL && g_strv_contains (command->unconfigurable, entry->long_name));
}

static gboolean
take_value (const VkConfig *config, const VkConfigSection *section, const GOptionEntry *entry, gpointer base, GError **error)
{
  gpointer field = (guint8 *) base + GPOINTER_TO_SIZE (entry->arg_data);

  switch (entry->arg)
    {
    case G_OPTION_ARG_NONE:
      return vk_config_boolean (config, section, entry->long_name, field, error);
    case G_OPTION_ARG_INT:
      return vk_config_integer (config, section, entry->long_name, field, error);
    case G_OPTION_ARG_STRING_ARRAY:
    case G_OPTION_ARG_FILENAME_ARRAY:
      *(char ***) field = vk_config_list (config, section, entry->long_name, error);
      return *(char ***) field != NULL;
    default:
      *(char **) field = vk_config_string (config, section, entry->long_name, error);
      return *(char **) field != NULL;
    }
}

/* The section that has the last word about this option. */
static const VkConfigSection *
find_section (const VkConfig *config, const char *command, const char *domain, gboolean global, const char *key)
{
  const VkConfigSection *section = domain ? vk_config_find (config, command, domain, key) : NULL;

  if (section == NULL && domain != NULL && global)
    section = vk_config_find (config, "domain", domain, key);
  if (section == NULL)
    section = vk_config_find (config, command, NULL, key);
  if (section == NULL && global)
    section = vk_config_find (config, PACKAGE_NAME, NULL, key);
  return section;
}

/* Takes for entry what the files say, if nothing has been given before. */
static gboolean
fill_in_entry (const VkConfig *config, const VkCommand *command, const char *domain, const GOptionEntry *entry, gboolean global, gpointer base, GError **error)
{
  const VkConfigSection *section;

  if (!may_be_configured (entry, command) || vk_option_is_given (entry, base))
    return TRUE;
  section = find_section (config, command->name, domain, global, entry->long_name);
  return section == NULL || take_value (config, section, entry, base, error);
}

/* What the policy (may be NULL) has, even a switch that is off, is not for the files to say. */
static gboolean
fill_in (VkInvocation *invocation, const VkCommand *command, const VkConfig *config, const char *domain, const VkPolicy *policy, GError **error)
{
  for (const GOptionEntry *entry = command->options; entry->long_name != NULL; entry++)
    if (!(policy != NULL && vk_policy_has (policy, entry->long_name))
        && !fill_in_entry (config, command, domain, entry, FALSE, invocation->options, error))
      return FALSE;
  for (const GOptionEntry *entry = vk_global_options; entry->long_name != NULL; entry++)
    if (!fill_in_entry (config, command, domain, entry, TRUE, invocation, error))
      return FALSE;
  return TRUE;
}

/* The domain that the command is about: its first argument is one, or a point of one. */
static char *
domain_of (const VkCommand *command, char **arguments)
{
  const char *word = command->arguments[0] == '[' ? command->arguments + 1 : command->arguments;
  const char *at = arguments[0] ? strrchr (arguments[0], '@') : NULL;

  if (arguments[0] == NULL || !(g_str_has_prefix (word, "DOMAIN") || g_str_has_prefix (word, "POINT")))
    return NULL;
  if (at == NULL || g_str_has_prefix (word, "DOMAIN"))
    return g_strdup (arguments[0]);
  return g_strndup (arguments[0], (gsize) (at - arguments[0]));
}

/* A value for a global option that was not given, or nothing. */
static gboolean
take_store_value (const VkConfig *config, const char *name, const char *key, char **value, GError **error)
{
  const VkConfigSection *section = *value ? NULL : vk_config_find (config, "store", name, key);

  if (section != NULL)
    *value = vk_config_string (config, section, key, error);
  return section == NULL || *value != NULL;
}

static gboolean
resolve_store (VkInvocation *invocation, const VkConfig *config, GError **error)
{
  g_autofree char *name = NULL;

  if (invocation->store == NULL || !vk_config_has (config, "store", invocation->store))
    return TRUE;
  name = g_steal_pointer (&invocation->store);
  return take_store_value (config, name, "url", &invocation->store, error)
      && take_store_value (config, name, "password-file", (char **) &invocation->store_settings.password_file, error)
      && take_store_value (config, name, "retry-lock", &invocation->retry_lock, error);
}

/* --- the store of a policy ------------------------------------------------------- */

/* Whoever writes a policy shall not find places on this host, or send it elsewhere, where
 * its configuration names the stores that there are. */
static gboolean
may_be_store_of_policy (const VkConfig *config, const char *store, GError **error)
{
  const GPtrArray *sections = vk_config_sections (config);
  gboolean has_names = FALSE;

  for (guint i = 0; i < sections->len; i++)
    has_names = has_names || strcmp (((const VkConfigSection *) g_ptr_array_index (sections, i))->kind, "store") == 0;
  if (vk_config_has (config, "store", store) || (!has_names && (g_path_is_absolute (store) || strchr (store, ':') != NULL)))
    return TRUE;
  if (has_names)
    vk_fail (error, VK_ERROR_USAGE, "'store' cannot be '%s': the configuration has no section [store %s], and a policy chooses among the stores that it names", store, store);
  else
    vk_fail (error, VK_ERROR_USAGE, "'store' cannot be '%s': it is the name of a store in the configuration, an absolute path, or a URL", store);
  return FALSE;
}

static gboolean
check_store_of_policy (const VkPolicy *policy, const VkConfig *config, GError **error)
{
  g_auto (GStrv) stores = vk_policy_values (policy, VK_POLICY_STORE);

  return stores == NULL || may_be_store_of_policy (config, stores[0], error);
}

gboolean
vk_settings_check_policy (const VkInvocation *invocation, const VkPolicy *policy, GError **error)
{
  g_autoptr (VkConfig) config = vk_config_load (invocation->config_file, error);

  return config != NULL && vk_policy_check (policy, error) && check_store_of_policy (policy, config, error);
}

char *
vk_settings_store_of_policy (const VkInvocation *invocation, const VkPolicy *policy)
{
  g_auto (GStrv) stores = vk_policy_values (policy, VK_POLICY_STORE);
  g_autoptr (VkConfig) config = stores ? vk_config_load (invocation->config_file, NULL) : NULL;
  const VkConfigSection *section = config && vk_config_has (config, "store", stores[0]) ? vk_config_find (config, "store", stores[0], "url") : NULL;

  if (section != NULL)
    return vk_config_string (config, section, "url", NULL);
  return stores ? g_strdup (stores[0]) : NULL;
}

/* --- all of it -------------------------------------------------------------------- */

/* The store comes first, as it has settings of its own. */
static gboolean
choose_store (VkInvocation *invocation, const VkCommand *command, const VkConfig *config, const char *domain, const VkPolicy *policy, GError **error)
{
  g_auto (GStrv) stores = policy ? vk_policy_values (policy, VK_POLICY_STORE) : NULL;

  if (invocation->store == NULL && stores != NULL)
    invocation->store = g_strdup (stores[0]);
  for (const GOptionEntry *entry = vk_global_options; entry->long_name != NULL; entry++)
    if (strcmp (entry->long_name, "store") == 0 && !fill_in_entry (config, command, domain, entry, TRUE, invocation, error))
      return FALSE;
  return resolve_store (invocation, config, error);
}

static gboolean
obey (VkInvocation *invocation, const VkCommand *command, const VkConfig *config, const char *domain, const VkPolicy *policy, GError **error)
{
  if (vk_policy_check (policy, error) && (invocation->store != NULL || check_store_of_policy (policy, config, error))
      && vk_policy_apply (policy, command, invocation->options, error))
    return TRUE;
  g_prefix_error (error, _("the policy of the domain '%s': "), domain);
  return FALSE;
}

static gboolean
configure (VkInvocation *invocation, const VkCommand *command, const VkPolicy *policy, GError **error)
{
  g_autoptr (VkConfig) config = NULL;
  g_autofree char *domain = domain_of (command, invocation->arguments);

  if (invocation->store == NULL)
    invocation->store = g_strdup (g_getenv ("VIRT_KEEP_STORE"));
  if (command->unconfigured)
    return TRUE;
  config = vk_config_load (invocation->config_file, error);
  return config != NULL
      && vk_settings_check (config, NULL, error)
      && (policy == NULL || obey (invocation, command, config, domain, policy, error))
      && choose_store (invocation, command, config, domain, policy, error)
      && fill_in (invocation, command, config, domain, policy, error);
}

gboolean
vk_settings_configure (VkInvocation *invocation, const VkCommand *command, GError **error)
{
  return configure (invocation, command, NULL, error);
}

gboolean
vk_settings_for_domain (const VkInvocation *from, const VkCommand *command, const char *domain, const VkPolicy *policy, VkInvocation *to, GError **error)
{
  return vk_options_again (from, command, domain, to, error) && configure (to, command, policy, error);
}

gboolean
vk_settings_name_store (const VkInvocation *invocation)
{
  return vk_options_have (invocation, "store") || g_getenv ("VIRT_KEEP_STORE") != NULL;
}

/* --- checking --------------------------------------------------------------- */

static const GOptionEntry *
find_entry (const GOptionEntry *table, const VkCommand *command, const char *key)
{
  for (const GOptionEntry *entry = table; entry != NULL && entry->long_name != NULL; entry++)
    if (strcmp (entry->long_name, key) == 0 && may_be_configured (entry, command))
      return entry;
  return NULL;
}

static gboolean
check_value (const VkConfig *config, const VkConfigSection *section, const GOptionEntry *entry, GError **error)
{
  gpointer field = NULL;
  GOptionEntry placed = *entry;
  gboolean good;

  placed.arg_data = NULL;
  good = take_value (config, section, &placed, &field, error);
  if (good && (entry->arg == G_OPTION_ARG_STRING_ARRAY || entry->arg == G_OPTION_ARG_FILENAME_ARRAY))
    g_strfreev (field);
  else if (good && entry->arg != G_OPTION_ARG_NONE && entry->arg != G_OPTION_ARG_INT)
    g_free (field);
  return good;
}

static gboolean
check_key (const VkConfig *config, const VkConfigSection *section, const char *key, const GOptionEntry *own, const GOptionEntry *global, GError **error)
{
  const VkCommand *command = vk_command_find (section->kind);
  const GOptionEntry *entry = find_entry (own, command, key);

  if (entry == NULL)
    entry = find_entry (global, command, key);
  if (entry != NULL)
    return check_value (config, section, entry, error);
  return vk_fail (error, VK_ERROR_USAGE, "'%s' in [%s] of '%s' is no option that can stand there", key, section->group, section->file);
}

/* The tables with what may stand in a section.  FALSE when there is no such section. */
static gboolean
find_tables (const VkConfigSection *section, const GOptionEntry **own, const GOptionEntry **global)
{
  const VkCommand *command = vk_command_find (section->kind);

  *own = NULL;
  *global = vk_global_options;
  if (strcmp (section->kind, "store") == 0 && section->name != NULL)
    {
      *own = store_keys;
      *global = NULL;
      return TRUE;
    }
  if (strcmp (section->kind, PACKAGE_NAME) == 0)
    return section->name == NULL;
  if (strcmp (section->kind, "domain") == 0)
    return section->name != NULL;
  if (command == NULL || command->hidden)
    return FALSE;
  *own = command->options;
  return TRUE;
}

/* Hands failure on, as a problem among others or as the one that ends it.  Returns
 * whether to go on. */
static gboolean
note_problem (GPtrArray *problems, GError *failure, GError **error)
{
  if (problems != NULL)
    g_ptr_array_add (problems, g_strdup (failure->message));
  if (error != NULL && *error == NULL)
    g_propagate_error (error, failure);
  else
    g_error_free (failure);
  return problems != NULL;
}

static gboolean
check_section (const VkConfig *config, const VkConfigSection *section, GPtrArray *problems, GError **error)
{
  g_auto (GStrv) keys = vk_config_keys (config, section);
  const GOptionEntry *own;
  const GOptionEntry *global;

  if (!find_tables (section, &own, &global))
    return note_problem (problems, g_error_new (VK_ERROR, VK_ERROR_USAGE, _("[%s] in '%s' is no section that there is: see virt-keep.conf(5)"), section->group, section->file), error);
  for (gsize i = 0; keys != NULL && keys[i] != NULL; i++)
    {
      GError *failure = NULL;

      if (!check_key (config, section, keys[i], own, global, &failure) && !note_problem (problems, failure, error))
        return FALSE;
    }
  if (own == store_keys && vk_config_find (config, "store", section->name, "url") == NULL)
    return note_problem (problems, g_error_new (VK_ERROR, VK_ERROR_USAGE, _("[%s] in '%s' has no url"), section->group, section->file), error);
  return TRUE;
}

gboolean
vk_settings_check (const VkConfig *config, GPtrArray *problems, GError **error)
{
  const GPtrArray *sections = vk_config_sections (config);
  GError *first = NULL;

  for (guint i = 0; i < sections->len; i++)
    if (!check_section (config, g_ptr_array_index (sections, i), problems, &first))
      break;
  if (first == NULL)
    return TRUE;
  g_propagate_error (error, first);
  return FALSE;
}
