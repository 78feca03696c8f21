/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/command.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "host/secret.h"
#include "view/disk-key.h"

enum { RESULT_SCHEMA = 1 };

const VkCommand *const vk_commands[] = {
  &vk_command_init,
  &vk_command_backup,
  &vk_command_list,
  &vk_command_show,
  &vk_command_report,
  &vk_command_restore,
  &vk_command_export,
  &vk_command_ls,
  &vk_command_get,
  &vk_command_boot,
  &vk_command_verify,
  &vk_command_prove,
  &vk_command_forget,
  &vk_command_prune,
  &vk_command_protect,
  &vk_command_unprotect,
  &vk_command_note,
  &vk_command_copy,
  &vk_command_mount,
  &vk_command_status,
  &vk_command_abort,
  &vk_command_doctor,
  &vk_command_config,
  &vk_command_policy,
  &vk_command_complete,
  &vk_command_guard,
  NULL
};

const GOptionEntry vk_global_options[] = {
  { "connect", 'c', 0, G_OPTION_ARG_STRING, VK_OPTION (VkInvocation, connect_uri), N_("Connect to libvirt at URI"), "URI" },
  { "store", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkInvocation, store), N_("Keep restore points in STORE, a directory or restic:REPOSITORY"), "STORE" },
  { "password-file", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkInvocation, store_settings.password_file), N_("Read the password of a restic repository from FILE"), "FILE" },
  { "retry-lock", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkInvocation, retry_lock), N_("Wait so long for a restic repository that is locked, e.g. 5m"), "TIME" },
  { "config", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkInvocation, config_file), N_("Read FILE instead of the usual configuration files"), "FILE" },
  { "json", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkInvocation, json), N_("Print the result as JSON"), NULL },
  { "quiet", 'q', 0, G_OPTION_ARG_NONE, VK_OPTION (VkInvocation, quiet), N_("Do not show progress"), NULL },
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
  return vk_fail (error, VK_ERROR_USAGE, "%s cannot be '%s': it is one of %s", option, value, all);
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
  return vk_fail (error, VK_ERROR_USAGE, "no store is named: give --store DIRECTORY, set VIRT_KEEP_STORE, or write it into the configuration file");
}

gboolean
vk_parse_seconds (const char *option, const char *text, guint *seconds, GError **error)
{
  static const struct
  {
    char unit;
    guint seconds;
  } units[] = { { '\0', 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };
  char *end = NULL;
  guint64 number = text ? g_ascii_strtoull (text, &end, 10) : 0;

  if (text == NULL)
    return TRUE;
  for (gsize i = 0; g_ascii_isdigit (*text) && i < G_N_ELEMENTS (units); i++)
    if (*end == units[i].unit && (*end == '\0' || end[1] == '\0') && number <= G_MAXINT / units[i].seconds)
      {
        *seconds = (guint) number * units[i].seconds;
        return TRUE;
      }
  return vk_fail (error, VK_ERROR_USAGE, "%s cannot be '%s': it is a time, such as 30s, 5m or 1h", option, text);
}

gboolean
vk_parse_size (const char *text, guint plain_shift, guint64 *bytes)
{
  static const char units[] = "KMGT";
  char *end;
  guint64 number = g_ascii_strtoull (text, &end, 10);
  const char *unit = *end ? strchr (units, g_ascii_toupper (*end)) : NULL;
  guint shift = unit ? 10 * (guint) (unit - units + 1) : plain_shift;

  if (!g_ascii_isdigit (*text) || (*end != '\0' && (unit == NULL || end[1] != '\0')) || number > (guint64) G_MAXINT64 >> shift)
    return FALSE;
  *bytes = number << shift;
  return TRUE;
}

static gboolean
prepare_settings (VkInvocation *invocation, GError **error)
{
  return vk_require_store (invocation, error)
      && vk_parse_seconds ("--retry-lock", invocation->retry_lock, &invocation->store_settings.retry_lock, error);
}

/* Images in a store may be encrypted with libvirt's secrets. */
static GBytes *
key_of_secret (const char *secret, gpointer user_data, GError **error)
{
  const VkInvocation *invocation = user_data;
  g_autoptr (VkHost) host = vk_host_open (invocation->connect_uri, error);

  return host != NULL ? vk_secret_value (host, secret, error) : NULL;
}

void
vk_use_secrets (VkInvocation *invocation)
{
  vk_disk_key_set_source (key_of_secret, invocation);
}

VkStore *
vk_create_store (VkInvocation *invocation, GError **error)
{
  if (!prepare_settings (invocation, error))
    return NULL;
  return vk_store_create (invocation->store, &invocation->store_settings, error);
}

VkStore *
vk_open_store (VkInvocation *invocation, gboolean create, GError **error)
{
  if (!prepare_settings (invocation, error))
    return NULL;
  vk_use_secrets (invocation);
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

JsonObject *
vk_result_document (JsonObject *result, const char *command, const GError *error)
{
  JsonObject *document = json_object_new ();
  g_autoptr (GList) members = result ? json_object_get_members (result) : NULL;

  json_object_set_int_member (document, "schema", RESULT_SCHEMA);
  vk_json_set_string (document, "command", command);
  json_object_set_boolean_member (document, "ok", error == NULL);
  json_object_set_int_member (document, "exit_code", vk_error_exit_code (error));
  for (GList *member = members; member != NULL; member = member->next)
    json_object_set_member (document, member->data, json_object_dup_member (result, member->data));
  if (error != NULL)
    {
      JsonObject *failure = json_object_new ();

      vk_json_set_string (failure, "class", vk_error_class_name (error));
      vk_json_set_string (failure, "message", error->message);
      if (error->domain == VK_LIBVIRT_ERROR)
        json_object_set_int_member (failure, "libvirt_code", error->code);
      json_object_set_object_member (document, "error", failure);
    }
  return document;
}

void
vk_print_json_result (const VkInvocation *invocation, const char *command, const GError *error)
{
  g_autoptr (JsonObject) document = vk_result_document (invocation->result, command, error);
  g_autofree char *text = vk_json_to_string (document, TRUE);

  printf ("%s\n", text);
}
