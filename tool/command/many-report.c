/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How it went with several domains. */
#include "config.h"

#include "base/error.h"

#include <glib/gi18n.h>
#include "base/json.h"
#include "command/many-private.h"
#include "report/format.h"

static int
exit_code_of (const VkMember *member)
{
  return member->result ? (int) json_object_get_int_member_with_default (member->result, "exit_code", 1) : 1;
}

/* There was too little to do (--threshold): that is no failure. */
static gboolean
is_unchanged (int exit_code)
{
  g_autoptr (GError) unchanged = g_error_new_literal (VK_ERROR, VK_ERROR_UNCHANGED, "");

  return exit_code == vk_error_exit_code (unchanged);
}

static gboolean
has_succeeded (const VkMember *member)
{
  return exit_code_of (member) == 0 || is_unchanged (exit_code_of (member));
}

static JsonObject *
member_json (const VkMany *many, const VkMember *member)
{
  g_autoptr (GError) not_begun = g_error_new_literal (VK_ERROR, VK_ERROR_INTERRUPTED, _("it was not begun any more"));
  JsonObject *object = member->result ? json_object_ref (member->result) : vk_result_document (NULL, many->request->command->name, not_begun);

  vk_json_set_string (object, "name", member->domain->name);
  vk_json_set_string (object, "uuid", member->domain->uuid);
  if (member->store != NULL && member->store->url != NULL)
    {
      g_autofree char *url = vk_store_shown_url (member->store->url);

      vk_json_set_string (object, "store", url);
    }
  return object;
}

static void
add_text (GString *text, JsonObject *object)
{
  g_autofree char *name = vk_format_harmless (json_object_get_string_member (object, "name"), FALSE);

  int exit_code = (int) json_object_get_int_member (object, "exit_code");

  if (is_unchanged (exit_code))
    g_string_append_printf (text, _("  %s: there was too little to do\n"), name);
  else if (exit_code == 0)
    g_string_append_printf (text, "  %s: %s (%s, %s)\n", name, json_object_get_string_member_with_default (object, "point", ""),
                            json_object_get_string_member_with_default (object, "mode", ""), json_object_get_string_member_with_default (object, "level", ""));
  else
    {
      JsonObject *failure = json_object_get_object_member (object, "error");
      g_autofree char *message = vk_format_harmless (json_object_get_string_member_with_default (failure, "message", ""), FALSE);

      g_string_append_printf (text, _("  %s: not backed up (status %d): %s\n"), name, exit_code, message);
    }
}

static void
add_left_out (const VkMany *many, JsonObject *result, GString *text)
{
  const GPtrArray *domains = many->request->selection->left_out;
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < domains->len; i++)
    {
      const VkLeftOutDomain *left_out = g_ptr_array_index (domains, i);
      JsonObject *object = vk_domain_json (left_out->name, left_out->uuid);
      g_autofree char *name = vk_format_harmless (left_out->name, FALSE);

      vk_json_set_string (object, "reason", left_out->reason);
      vk_json_set_string (object, "message", left_out->message);
      json_array_add_object_element (array, object);
      g_string_append_printf (text, _("  %s: left out: %s\n"), name, left_out->message);
    }
  json_object_set_array_member (result, "left_out", array);
}

/* Returns the names of those that failed, for a message; NULL when none did. */
static char *
report (const VkMany *many, guint *failed)
{
  VkInvocation *invocation = many->invocation;
  JsonArray *array = json_array_new ();
  g_autoptr (GString) names = g_string_new (NULL);
  g_autoptr (GString) lines = g_string_new (NULL);

  *failed = 0;
  for (guint i = 0; i < many->members->len; i++)
    {
      const VkMember *member = vk_many_member (many, i);
      JsonObject *object = member_json (many, member);

      add_text (lines, object);
      json_array_add_object_element (array, object);
      if (has_succeeded (member))
        continue;
      *failed += 1;
      g_string_append_printf (names, "%s'%s'", names->len > 0 ? ", " : "", member->domain->name);
    }
  json_object_set_array_member (invocation->result, "results", array);
  json_object_set_int_member (invocation->result, "succeeded", many->members->len - *failed);
  json_object_set_int_member (invocation->result, "failed", *failed);
  g_string_append_printf (invocation->text, _("Backed up %u of %u domains:\n%s"), many->members->len - *failed, many->members->len, lines->str);
  add_left_out (many, invocation->result, invocation->text);
  invocation->partial = TRUE;
  return names->len > 0 ? g_strdup (names->str) : NULL;
}

/* A guest that stands still must be heard of before all else.  NULL when there is none. */
static const VkMember *
find_frozen (const VkMany *many)
{
  g_autoptr (GError) frozen = g_error_new_literal (VK_ERROR, VK_ERROR_FROZEN, "");

  for (guint i = 0; i < many->members->len; i++)
    if (exit_code_of (vk_many_member (many, i)) == vk_error_exit_code (frozen))
      return vk_many_member (many, i);
  return NULL;
}

gboolean
vk_many_report (const VkMany *many, GError **error)
{
  const VkMember *frozen = find_frozen (many);
  guint failed;
  g_autofree char *names = report (many, &failed);

  if (failed == 0)
    return TRUE;
  if (frozen != NULL)
    vk_fail (error, VK_ERROR_FROZEN, "the file systems of '%s' may still be frozen: thaw them with virsh domfsthaw; not backed up: %s", frozen->domain->name, names);
  else if (failed == many->members->len)
    vk_fail (error, VK_ERROR_ALL_FAILED, "no domain was backed up: %s failed", names);
  else
    vk_fail (error, VK_ERROR_SOME_FAILED, "%u of %u domains were not backed up: %s", failed, many->members->len, names);
  return FALSE;
}
