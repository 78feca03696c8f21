/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/removal.h"

#include <glib/gi18n.h>

#include "base/json.h"

void
vk_removal_fill_result (JsonObject *result, const VkRemoval *removal)
{
  JsonArray *merged = json_array_new ();

  json_object_set_array_member (result, "removed", json_array_new ());
  for (guint i = 0; i < removal->removed->len; i++)
    vk_json_append_string (result, "removed", g_ptr_array_index (removal->removed, i));
  for (guint i = 0; i < removal->merged->len; i++)
    {
      const VkMerge *merge = g_ptr_array_index (removal->merged, i);
      JsonObject *object = json_object_new ();

      vk_json_set_string (object, "point", merge->point);
      vk_json_set_string (object, "disk", merge->disk);
      vk_json_set_string (object, "base", merge->base);
      vk_json_set_string (object, "method", merge->method);
      json_array_add_object_element (merged, object);
    }
  json_object_set_array_member (result, "merged", merged);
}

void
vk_removal_append_text (GString *text, const VkRemoval *removal)
{
  for (guint i = 0; i < removal->merged->len; i++)
    {
      const VkMerge *merge = g_ptr_array_index (removal->merged, i);

      if (merge->base != NULL)
        g_string_append_printf (text, _("%s: disk %s now builds on %s (%s)\n"), merge->point, merge->disk, merge->base, merge->method);
      else
        g_string_append_printf (text, _("%s: disk %s now is a full image (%s)\n"), merge->point, merge->disk, merge->method);
    }
  for (guint i = 0; i < removal->removed->len; i++)
    g_string_append_printf (text, _("%s: removed\n"), (const char *) g_ptr_array_index (removal->removed, i));
  g_string_append_printf (text, ngettext ("%u restore point removed.\n", "%u restore points removed.\n", removal->removed->len), removal->removed->len);
}
