/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/error.h"
#include "base/json.h"
#include "boot/boot.h"
#include "command/command.h"

typedef struct
{
  gboolean fix;
} DoctorOptions;

static const GOptionEntry doctor_options[] = {
  { "fix", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (DoctorOptions, fix), "Remove what is found, with all that the guests wrote", NULL },
  { NULL }
};

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
describe (GString *text, const VkBootStray *stray, gboolean fixed)
{
  if (stray->name != NULL)
    g_string_append_printf (text, "What the domain %s, booted from %s, has left", stray->name, stray->point);
  else
    g_string_append (text, "What a boot that did not come to life has left");
  g_string_append_printf (text, " in %s", stray->directory);
  if (stray->doors->len > 0)
    g_string_append_printf (text, ", and %u of its doors", stray->doors->len);
  g_string_append (text, fixed ? ": removed\n" : "\n");
}

/* Goes on after a failure, of which the first is handed on. */
static gboolean
fix_all (VkInvocation *invocation, const GPtrArray *strays, gboolean fix, GError **error)
{
  g_autoptr (GError) kept = NULL;
  JsonArray *found = json_array_new ();
  JsonArray *removed = json_array_new ();

  json_object_set_array_member (invocation->result, "stray", found);
  json_object_set_array_member (invocation->result, "removed", removed);
  for (guint i = 0; i < strays->len; i++)
    {
      const VkBootStray *stray = g_ptr_array_index (strays, i);
      gboolean fixed = fix && vk_boot_remove_stray (stray, kept ? NULL : &kept);

      json_array_add_object_element (found, stray_to_json (stray));
      if (fixed)
        json_array_add_string_element (removed, stray->directory);
      describe (invocation->text, stray, fixed);
    }
  if (kept != NULL)
    g_propagate_error (error, g_steal_pointer (&kept));
  return *error == NULL;
}

static gboolean
run_doctor (VkInvocation *invocation, GError **error)
{
  const DoctorOptions *options = invocation->options;
  g_autoptr (VkHost) host = vk_host_open (invocation->connect_uri, error);
  g_autoptr (GPtrArray) strays = host ? vk_boot_find_stray (host, error) : NULL;

  if (strays == NULL || !fix_all (invocation, strays, options->fix, error))
    return FALSE;
  if (strays->len == 0)
    g_string_append (invocation->text, "Nothing is left of booted domains that are gone.\n");
  if (strays->len == 0 || options->fix)
    return TRUE;
  if (!invocation->json)
    fputs (invocation->text->str, stdout);
  g_set_error (error, VK_ERROR, VK_ERROR_DAMAGED, "booted domains that are gone have left something behind (%u): virt-keep boot --discard removes what one has left, virt-keep doctor --fix all of it", strays->len);
  return FALSE;
}

const VkCommand vk_command_doctor = {
  .name = "doctor",
  .arguments = "",
  .summary = "Find what booted domains have left behind",
  .options = doctor_options,
  .option_bytes = sizeof (DoctorOptions),
  .run = run_doctor,
};
