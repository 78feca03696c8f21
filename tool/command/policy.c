/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policy that lives with a domain: see host/policy.h. */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "command/policy-options.h"
#include "command/settings.h"
#include "report/format.h"

static const GOptionEntry policy_options[] = { { NULL } };

/* --- what is asked for -------------------------------------------------------------- */

/* Puts the words KEY=VALUE (NULL-terminated) into policy, of each key all at once. */
static gboolean
take_words (VkPolicy *policy, char **words, GError **error)
{
  g_autoptr (GHashTable) done = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (gsize i = 0; words[i] != NULL; i++)
    {
      const char *equals = strchr (words[i], '=');
      gsize length = equals ? (gsize) (equals - words[i]) : 0;
      g_autofree char *key = g_strndup (words[i], length);
      g_autoptr (GPtrArray) values = g_ptr_array_new ();

      if (length == 0)
        return vk_fail (error, VK_ERROR_USAGE, "policy set: '%s' is not KEY=VALUE", words[i]);
      for (gsize j = i; words[j] != NULL; j++)
        if (strncmp (words[j], words[i], length + 1) == 0)
          g_ptr_array_add (values, words[j] + length + 1);
      g_ptr_array_add (values, NULL);
      if (!vk_policy_check_key (key, error))
        return FALSE;
      if (g_hash_table_add (done, g_strdup (key)) && !vk_policy_set (policy, key, (const char *const *) values->pdata, error))
        return FALSE;
    }
  return TRUE;
}

/* A key that is there can be removed even if nobody knows what it was to be. */
static gboolean
remove_keys (VkPolicy *policy, char **keys, GError **error)
{
  for (; *keys != NULL; keys++)
    if (!vk_policy_remove (policy, *keys) && !vk_policy_check_key (*keys, error))
      return FALSE;
  return TRUE;
}

/* --- the result ---------------------------------------------------------------------- */

static void
append_values (GString *text, const VkPolicy *policy, const char *key, gboolean with_key)
{
  g_auto (GStrv) values = vk_policy_values (policy, key);

  for (gsize i = 0; values[i] != NULL; i++)
    {
      g_autofree char *value = vk_format_harmless (values[i], FALSE);

      g_string_append_printf (text, "%s%s%s\n", with_key ? key : "", with_key ? "=" : "", value);
    }
}

static void
report (VkInvocation *invocation, virDomainPtr domain, const VkPolicy *policy)
{
  char uuid[VIR_UUID_STRING_BUFLEN] = "";

  virDomainGetUUIDString (domain, uuid);
  json_object_set_object_member (invocation->result, "domain", vk_domain_json (virDomainGetName (domain), uuid));
  json_object_set_object_member (invocation->result, "policy", vk_policy_to_json (policy));
}

static gboolean
say_whose (GError **error, virDomainPtr domain)
{
  g_prefix_error (error, _("the policy of the domain '%s': "), virDomainGetName (domain));
  return FALSE;
}

/* --- set, get and unset ---------------------------------------------------------------- */

static gboolean
write_policy (VkInvocation *invocation, virDomainPtr domain, const VkPolicy *policy, GError **error)
{
  gboolean changed;

  if (!vk_policy_write (domain, policy, &changed, error))
    return say_whose (error, domain);
  report (invocation, domain, policy);
  json_object_set_boolean_member (invocation->result, "changed", changed);
  g_string_append_printf (invocation->text, changed ? _("The policy of %s was changed.\n") : _("The policy of %s is as it was.\n"), virDomainGetName (domain));
  return TRUE;
}

static gboolean
run_set (VkInvocation *invocation, virDomainPtr domain, char **words, GError **error)
{
  g_autoptr (VkPolicy) policy = vk_policy_read (domain, error);

  if (policy == NULL || !take_words (policy, words, error) || !vk_settings_check_policy (invocation, policy, error))
    return say_whose (error, domain);
  return write_policy (invocation, domain, policy, error);
}

/* Without keys all of it goes, whatever it is. */
static gboolean
run_unset (VkInvocation *invocation, virDomainPtr domain, char **keys, GError **error)
{
  g_autoptr (VkPolicy) policy = *keys ? vk_policy_read (domain, error) : vk_policy_new ();

  if (policy == NULL || !remove_keys (policy, keys, error))
    return say_whose (error, domain);
  return write_policy (invocation, domain, policy, error);
}

/* What cannot be meant is shown, too, and then said. */
static gboolean
run_get (VkInvocation *invocation, virDomainPtr domain, const char *key, GError **error)
{
  g_autoptr (VkPolicy) policy = vk_policy_read (domain, error);
  g_autoptr (GPtrArray) keys = policy ? vk_policy_keys (policy) : NULL;

  if (policy == NULL)
    return say_whose (error, domain);
  report (invocation, domain, policy);
  if (key != NULL && !vk_policy_has (policy, key))
    {
      if (vk_policy_check_key (key, error))
        vk_fail (error, VK_ERROR_NOT_FOUND, "the policy of the domain '%s' has no '%s'", virDomainGetName (domain), key);
      return FALSE;
    }
  for (guint i = 0; key == NULL && i < keys->len; i++)
    append_values (invocation->text, policy, g_ptr_array_index (keys, i), TRUE);
  if (key != NULL)
    append_values (invocation->text, policy, key, FALSE);
  else if (keys->len == 0)
    g_string_append_printf (invocation->text, _("The domain %s has no policy.\n"), virDomainGetName (domain));
  invocation->partial = TRUE;
  return vk_settings_check_policy (invocation, policy, error) || say_whose (error, domain);
}

/* What was typed is judged before libvirt is asked. */
static gboolean
check_words (const VkInvocation *invocation, char **words, GError **error)
{
  g_autoptr (VkPolicy) alone = vk_policy_new ();

  return take_words (alone, words, error) && vk_settings_check_policy (invocation, alone, error);
}

static gboolean
run_policy (VkInvocation *invocation, GError **error)
{
  const char *action = invocation->arguments[0];
  char **words = invocation->arguments + 2;
  g_autoptr (VkHost) host = NULL;
  g_autoptr (virDomain) domain = NULL;
  gboolean is_get = strcmp (action, "get") == 0;
  gboolean is_set = strcmp (action, "set") == 0;

  if (!is_get && !is_set && strcmp (action, "unset") != 0)
    vk_fail (error, VK_ERROR_USAGE, "policy: '%s' is nothing it can do: set, get or unset", action);
  else if (is_set && words[0] == NULL)
    vk_fail (error, VK_ERROR_USAGE, "policy set: what is to be set is missing: virt-keep policy set DOMAIN KEY=VALUE...");
  else if (is_get && words[0] != NULL && words[1] != NULL)
    vk_fail (error, VK_ERROR_USAGE, "policy get: '%s' is one argument too many: virt-keep policy get DOMAIN [KEY]", words[1]);
  else if (!is_set || check_words (invocation, words, error))
    host = vk_host_open (invocation->connect_uri, error);
  domain = host ? vk_host_find_domain (host, invocation->arguments[1], error) : NULL;
  if (domain == NULL)
    return FALSE;
  if (is_get)
    return run_get (invocation, domain, words[0], error);
  return is_set ? run_set (invocation, domain, words, error) : run_unset (invocation, domain, words, error);
}

const VkCommand vk_command_policy = {
  .name = "policy",
  .arguments = "set|get|unset DOMAIN [KEY[=VALUE]...]",
  .summary = N_("Say with a domain itself how it is backed up"),
  .options = policy_options,
  .option_bytes = 1,
  .run = run_policy,
};
