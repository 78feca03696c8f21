/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "base/error.h"
#include "base/json.h"
#include "command/command.h"
#include "store/store.h"

static const GOptionEntry note_options[] = { { NULL } };

/* Every command that annotates changes one of the two things and keeps the
 * other. */
gboolean
vk_annotate (VkInvocation *invocation, int protect, const char *note, GError **error)
{
  g_autoptr (VkStore) store = NULL;
  g_autoptr (VkPoint) point = NULL;
  g_autofree char *name = NULL;
  gboolean is_protected;

  store = vk_open_store (invocation, FALSE, error);
  point = store ? vk_store_find_point (store, invocation->arguments[0], error) : NULL;
  if (point == NULL)
    return FALSE;
  is_protected = protect >= 0 ? protect : point->is_protected;
  if (note == NULL)
    note = point->note;
  else if (*note == '\0')
    note = NULL;
  if (!vk_store_annotate (store, point, is_protected, note, error))
    return FALSE;
  name = vk_point_name (point);
  vk_json_set_string (invocation->result, "point", name);
  json_object_set_boolean_member (invocation->result, "protected", is_protected);
  vk_json_set_string (invocation->result, "note", note);
  g_string_append_printf (invocation->text, "%s: %s%s%s\n", name, is_protected ? "protected" : "not protected", note ? ", note: " : "", note ? note : "");
  return TRUE;
}

static gboolean
run_note (VkInvocation *invocation, GError **error)
{
  return vk_annotate (invocation, -1, invocation->arguments[1], error);
}

const VkCommand vk_command_note = {
  .name = "note",
  .arguments = "POINT TEXT",
  .summary = N_("Write a note to a restore point, or remove it with ''"),
  .options = note_options,
  .option_bytes = 1,
  .run = run_note,
};
