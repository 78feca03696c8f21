/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "command/settings.h"

static const GOptionEntry config_options[] = { { NULL } };

/* Whoever may change the file says where backups go. */
static void
check_owner (const char *path, GPtrArray *problems)
{
  struct stat status;

  if (stat (path, &status) < 0)
    return;
  if (status.st_uid != 0 && status.st_uid != geteuid ())
    g_ptr_array_add (problems, g_strdup_printf ("'%s' belongs to another user, who can change where backups go: chown it", path));
  else if (S_ISREG (status.st_mode) && (status.st_mode & S_IWOTH) != 0)
    g_ptr_array_add (problems, g_strdup_printf ("everybody can write to '%s', and change where backups go: chmod o-w it", path));
}

static void
check_password_file (const VkConfigSection *section, const char *path, GPtrArray *problems)
{
  struct stat status;

  if (stat (path, &status) < 0)
    g_ptr_array_add (problems, g_strdup_printf ("the password file '%s' of [%s] in '%s' cannot be found: %s", path, section->group, section->file, g_strerror (errno)));
  else if (g_access (path, R_OK) < 0)
    g_ptr_array_add (problems, g_strdup_printf ("the password file '%s' of [%s] in '%s' cannot be read: %s", path, section->group, section->file, g_strerror (errno)));
  else if (S_ISREG (status.st_mode) && (status.st_mode & S_IROTH) != 0)
    g_ptr_array_add (problems, g_strdup_printf ("everybody can read the password file '%s' of [%s] in '%s': chmod o-r it", path, section->group, section->file));
}

static void
check_files (const VkConfig *config, GPtrArray *problems)
{
  const GPtrArray *files = vk_config_files (config);
  const GPtrArray *sections = vk_config_sections (config);

  for (guint i = 0; i < files->len; i++)
    check_owner (g_ptr_array_index (files, i), problems);
  for (guint i = 0; i < sections->len; i++)
    {
      const VkConfigSection *section = g_ptr_array_index (sections, i);
      g_auto (GStrv) keys = vk_config_keys (config, section);
      g_autofree char *path = keys && g_strv_contains ((const char *const *) keys, "password-file") ? vk_config_string (config, section, "password-file", NULL) : NULL;

      if (path != NULL)
        check_password_file (section, path, problems);
    }
}

static void
add_strings (JsonObject *object, const char *name, const GPtrArray *strings)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < strings->len; i++)
    json_array_add_string_element (array, g_ptr_array_index (strings, i));
  json_object_set_array_member (object, name, array);
}

static void
describe (GString *text, const VkConfig *config, const GPtrArray *problems)
{
  const GPtrArray *files = vk_config_files (config);

  for (guint i = 0; i < problems->len; i++)
    g_string_append_printf (text, "%s\n", (const char *) g_ptr_array_index (problems, i));
  if (files->len == 0)
    g_string_append (text, _("There is no configuration file.\n"));
  for (guint i = 0; i < files->len && problems->len == 0; i++)
    g_string_append_printf (text, _("%s: nothing is wrong\n"), (const char *) g_ptr_array_index (files, i));
}

static gboolean
run_config (VkInvocation *invocation, GError **error)
{
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (VkConfig) config = NULL;

  if (strcmp (invocation->arguments[0], "check") != 0)
    return vk_fail (error, VK_ERROR_USAGE, "config: '%s' is nothing it can do: virt-keep config check", invocation->arguments[0]);
  config = vk_config_load (invocation->config_file, error);
  if (config == NULL)
    return FALSE;
  vk_settings_check (config, problems, NULL);
  check_files (config, problems);
  add_strings (invocation->result, "files", vk_config_files (config));
  add_strings (invocation->result, "problems", problems);
  describe (invocation->text, config, problems);
  if (problems->len == 0)
    return TRUE;
  if (!invocation->json)
    fputs (invocation->text->str, stdout);
  return vk_fail (error, VK_ERROR_USAGE, "something is wrong with the configuration (%u)", problems->len);
}

const VkCommand vk_command_config = {
  .name = "config",
  .arguments = "check",
  .summary = N_("Check the configuration files"),
  .options = config_options,
  .option_bytes = 1,
  .unconfigured = TRUE,
  .run = run_config,
};
