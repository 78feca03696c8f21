/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "prove/proof-report.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "prove/console.h"
#include "prove/expect.h"

static JsonArray *
expectations_to_json (const GPtrArray *expectations)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < expectations->len; i++)
    {
      const VkExpectation *expectation = g_ptr_array_index (expectations, i);
      JsonObject *object = json_object_new ();

      vk_json_set_string (object, "expect", expectation->word);
      json_object_set_boolean_member (object, "met", expectation->met);
      if (expectation->met)
        json_object_set_int_member (object, "milliseconds", (gint64) expectation->milliseconds);
      json_array_add_object_element (array, object);
    }
  return array;
}

static JsonObject *
script_to_json (const VkAgentExit *script)
{
  JsonObject *object = json_object_new ();

  if (script->exit_code < 0)
    json_object_set_null_member (object, "exit_code");
  else
    json_object_set_int_member (object, "exit_code", script->exit_code);
  vk_json_set_string (object, "output", script->output);
  json_object_set_boolean_member (object, "truncated", script->truncated);
  return object;
}

void
vk_proof_fill_json (JsonObject *object, const VkProof *proof, const GPtrArray *expectations)
{
  json_object_set_object_member (object, "verdict", vk_verdict_to_json (proof->verdict));
  json_object_set_array_member (object, "expectations", expectations_to_json (expectations));
  if (proof->script_ended)
    json_object_set_object_member (object, "script", script_to_json (&proof->script));
  json_object_set_array_member (object, "console", json_array_new ());
  for (char **line = proof->console; *line != NULL; line++)
    vk_json_append_string (object, "console", *line);
  json_object_set_array_member (object, "warnings", json_array_new ());
  for (guint i = 0; i < proof->warnings->len; i++)
    vk_json_append_string (object, "warnings", g_ptr_array_index (proof->warnings, i));
}

/* Lines behind an indentation; what they hold is the guest's, and must not be more to
 * a terminal than text. */
static void
append_indented (GString *text, const char *lines)
{
  g_auto (GStrv) split = g_strsplit (lines, "\n", -1);

  for (char **line = split; *line != NULL; line++)
    {
      if (**line == '\0' && line[1] == NULL)
        break;
      g_string_append (text, "    ");
      for (const char *at = *line; *at != '\0'; at = g_utf8_next_char (at))
        g_string_append_unichar (text, g_unichar_iscntrl (g_utf8_get_char (at)) ? ' ' : g_utf8_get_char (at));
      g_string_append_c (text, '\n');
    }
}

void
vk_proof_append_text (GString *text, const VkProof *proof, const GPtrArray *expectations)
{
  for (guint i = 0; i < expectations->len; i++)
    {
      const VkExpectation *expectation = g_ptr_array_index (expectations, i);

      if (expectation->met)
        g_string_append_printf (text, _("  %s: after %.1f s\n"), expectation->word, (double) expectation->milliseconds / 1000);
      else
        g_string_append_printf (text, _("  %s: not seen\n"), expectation->word);
    }
  if (proof->script_ended)
    {
      if (proof->script.exit_code < 0)
        g_string_append (text, _("  script: ended by a signal\n"));
      else
        g_string_append_printf (text, _("  script: exit code %" PRId64 "\n"), proof->script.exit_code);
      append_indented (text, proof->script.output);
    }
  if (proof->verdict->proven)
    return;
  g_string_append (text, *proof->console ? "  the last lines of the serial console:\n" : "  the serial console has said nothing\n");
  for (char **line = proof->console; *line != NULL; line++)
    {
      append_indented (text, **line ? *line : " ");
    }
}

/* --- files ------------------------------------------------------------------------ */

static gboolean
save_file (const char *base, const char *suffix, const void *data, gsize length, GError **error)
{
  g_autofree char *path = g_strconcat (base, suffix, NULL);
  g_autofree char *temporary = g_strdup_printf ("%s.new-%08x", path, g_random_int ());

  if (!vk_file_write (temporary, data, length, error))
    return FALSE;
  if (vk_file_replace (temporary, path, error))
    return TRUE;
  g_unlink (temporary);
  return FALSE;
}

static gboolean
save_log (const char *base, const char *console_log, GError **error)
{
  g_autoptr (GError) failure = NULL;
  gsize length = 0;
  g_autofree char *log = vk_file_read (console_log, VK_CONSOLE_LIMIT, &length, &failure);

  if (log == NULL && !g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  return save_file (base, ".log", log ? log : "", length, error);
}

gboolean
vk_proof_save (const char *directory, const char *name, const VkProof *proof, const char *console_log, JsonObject *object, GError **error)
{
  /* The name of a domain comes from the store and may be anything. */
  g_autofree char *file = g_uri_escape_string (name, "@ ", TRUE);
  g_autofree char *base = g_build_filename (directory, file, NULL);
  g_autofree char *picture = g_strconcat (base, ".png", NULL);
  g_autofree char *text = vk_json_to_string (object, TRUE);

  if (!vk_directory_make (directory, 0700, error) || !save_log (base, console_log, error))
    return FALSE;
  g_unlink (picture);
  return (proof->screenshot == NULL
          || save_file (base, ".png", g_bytes_get_data (proof->screenshot, NULL), g_bytes_get_size (proof->screenshot), error))
      && save_file (base, ".json", text, strlen (text), error);
}
