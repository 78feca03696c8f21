/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "command/command.h"
#include "report/format.h"
#include "store/store.h"

static const GOptionEntry list_options[] = { { NULL } };

static void
add_json (JsonArray *array, const VkPoint *point)
{
  const VkManifest *manifest = point->manifest;
  g_autofree char *name = vk_point_name (point);
  JsonObject *object = json_object_new ();

  vk_json_set_string (object, "point", name);
  vk_json_set_string (object, "location", point->location);
  vk_json_set_string (object, "state", point->damage ? "damaged" : "ok");
  if (point->damage != NULL)
    vk_json_set_string (object, "damage", point->damage);
  json_object_set_boolean_member (object, "protected", point->is_protected);
  vk_json_set_string (object, "note", point->note);
  if (point->verdict != NULL)
    json_object_set_object_member (object, "verdict", vk_verdict_to_json (point->verdict));
  if (point->annotation_damage != NULL)
    vk_json_set_string (object, "annotation_damage", point->annotation_damage);
  if (manifest != NULL)
    {
      json_object_set_object_member (object, "domain", vk_domain_json (manifest->domain_name, manifest->domain_uuid));
      vk_json_set_string (object, "level", manifest->level);
      vk_json_set_string (object, "base", manifest->base);
      vk_json_set_string (object, "mode", manifest->mode);
      vk_json_set_string (object, "instant", manifest->instant);
      vk_json_set_string (object, "checkpoint", manifest->checkpoint);
      json_object_set_int_member (object, "bytes", (gint64) vk_manifest_image_bytes (manifest));
      json_object_set_array_member (object, "disks", json_array_new ());
      for (guint i = 0; i < manifest->disks->len; i++)
        vk_json_append_string (object, "disks", ((VkManifestDisk *) g_ptr_array_index (manifest->disks, i))->target);
    }
  json_array_add_object_element (array, object);
}

static char *
disk_names (const VkManifest *manifest)
{
  GString *names = g_string_new (NULL);

  for (guint i = 0; i < manifest->disks->len; i++)
    g_string_append_printf (names, "%s%s", i ? "," : "", ((VkManifestDisk *) g_ptr_array_index (manifest->disks, i))->target);
  return g_string_free (names, FALSE);
}

/* What stands in the column State.  Returns: (transfer full). */
static char *
state_of (const VkPoint *point)
{
  const char *verdict = point->verdict ? (point->verdict->proven ? ", proven" : ", not proven") : "";

  return g_strdup_printf ("%s%s%s", point->damage ? "damaged" : "ok", verdict, point->is_protected ? ", protected" : "");
}

/* A line below the row of a point. */
static void
add_line (GString *text, const char *about, const char *words)
{
  g_autofree char *line = g_strdup_printf ("%s%s%s", about ? about : "", about ? ": " : "", words);
  g_autofree char *harmless = vk_format_harmless (line, FALSE);

  g_string_append_printf (text, "   %s\n", harmless);
}

static void
add_row (GString *text, const VkPoint *point, int width)
{
  const VkManifest *manifest = point->manifest;
  g_autofree char *name = vk_point_name (point);
  g_autofree char *disks = manifest ? disk_names (manifest) : g_strdup ("-");
  g_autofree char *bytes = manifest ? vk_format_bytes (vk_manifest_image_bytes (manifest)) : g_strdup ("-");
  g_autofree char *state = state_of (point);
  g_autofree char *row = NULL;
  g_autofree char *harmless = NULL;

  row = g_strdup_printf (" %s%*s  %-12s %-16s  %-6s %10s  %-12s %s", name, width - (int) g_utf8_strlen (name, -1), "",
                         manifest ? manifest->level : "-", manifest && manifest->base ? manifest->base : "-", manifest ? manifest->mode : "-", bytes, disks, state);
  harmless = vk_format_harmless (row, FALSE);
  g_string_append_printf (text, "%s\n", harmless);
  if (point->damage != NULL)
    add_line (text, point->location, point->damage);
  if (point->annotation_damage != NULL)
    add_line (text, NULL, point->annotation_damage);
  if (point->note != NULL)
    add_line (text, _("note"), point->note);
}

static void
fill_text (GString *text, const GPtrArray *points)
{
  int width = (int) strlen ("Point");

  if (points->len == 0)
    return;
  for (guint i = 0; i < points->len; i++)
    {
      g_autofree char *name = vk_point_name (g_ptr_array_index (points, i));

      width = MAX (width, (int) g_utf8_strlen (name, -1));
    }
  g_string_append_printf (text, " %-*s  %-12s %-16s  %-6s %10s  %-12s %s\n", width, _("Point"), _("Level"), _("Base"), _("Mode"), _("Size"), _("Disks"), _("State"));
  for (int i = 0; i < width + 73; i++)
    g_string_append_c (text, '-');
  g_string_append_c (text, '\n');
  for (guint i = 0; i < points->len; i++)
    add_row (text, g_ptr_array_index (points, i), width);
}

static gboolean
run_list (VkInvocation *invocation, GError **error)
{
  const char *domain = invocation->arguments[0];
  g_autoptr (VkStore) store = NULL;
  g_autoptr (GPtrArray) points = NULL;
  JsonArray *array;

  store = vk_open_store (invocation, FALSE, error);
  points = store ? vk_store_list (store, domain, error) : NULL;
  if (points == NULL)
    return FALSE;
  array = json_array_new ();
  for (guint i = 0; i < points->len; i++)
    add_json (array, g_ptr_array_index (points, i));
  vk_json_set_string (invocation->result, "store", store->url);
  json_object_set_array_member (invocation->result, "points", array);
  if (domain != NULL && points->len == 0)
    return vk_fail (error, VK_ERROR_NOT_FOUND, "the store '%s' has no restore point of '%s'", store->url, domain);
  fill_text (invocation->text, points);
  return TRUE;
}

const VkCommand vk_command_list = {
  .name = "list",
  .arguments = "[DOMAIN]",
  .summary = N_("List the restore points in a store"),
  .options = list_options,
  .option_bytes = 1,
  .run = run_list,
};
