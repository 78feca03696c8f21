/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/verdict.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "store/store.h"

/* reason as one line that is no longer than a note.  Returns: (transfer full). */
static char *
one_line (const char *reason)
{
  g_autofree char *valid = g_utf8_make_valid (reason, -1);
  g_autoptr (GString) line = g_string_new (NULL);

  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar character = g_utf8_get_char (at);

      if (line->len + (gsize) g_unichar_to_utf8 (character, NULL) > VK_NOTE_LIMIT)
        break;
      g_string_append_unichar (line, g_unichar_iscntrl (character) ? ' ' : character);
    }
  return g_strdup (g_strstrip (line->str));
}

VkVerdict *
vk_verdict_new (guint64 milliseconds, const char *reason)
{
  VkVerdict *verdict = g_new0 (VkVerdict, 1);

  verdict->proven = reason == NULL;
  verdict->time = vk_time_now ();
  verdict->virt_keep_version = g_strdup (PACKAGE_VERSION);
  verdict->milliseconds = milliseconds;
  verdict->reason = reason ? one_line (reason) : NULL;
  return verdict;
}

void
vk_verdict_free (VkVerdict *verdict)
{
  if (verdict == NULL)
    return;
  g_free (verdict->time);
  g_free (verdict->virt_keep_version);
  g_free (verdict->reason);
  g_free (verdict);
}

VkVerdict *
vk_verdict_copy (const VkVerdict *verdict)
{
  VkVerdict *copy = verdict ? g_new0 (VkVerdict, 1) : NULL;

  if (copy == NULL)
    return NULL;
  copy->proven = verdict->proven;
  copy->time = g_strdup (verdict->time);
  copy->virt_keep_version = g_strdup (verdict->virt_keep_version);
  copy->milliseconds = verdict->milliseconds;
  copy->reason = g_strdup (verdict->reason);
  return copy;
}

/* --- JSON ------------------------------------------------------------------- */

JsonObject *
vk_verdict_to_json (const VkVerdict *verdict)
{
  JsonObject *object = json_object_new ();

  json_object_set_boolean_member (object, "proven", verdict->proven);
  vk_json_set_string (object, "time", verdict->time);
  vk_json_set_string (object, "virt_keep_version", verdict->virt_keep_version);
  json_object_set_int_member (object, "milliseconds", (gint64) verdict->milliseconds);
  vk_json_set_string (object, "reason", verdict->reason);
  return object;
}

/* Whether it is a verdict at all, and each part fits on a line. */
static gboolean
is_sound (const VkVerdict *verdict)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_iso8601 (verdict->time, NULL);
  const char *version = verdict->virt_keep_version;

  return time != NULL && *version != '\0' && strchr (version, ' ') == NULL && vk_note_check (version, NULL)
      && verdict->proven == (verdict->reason == NULL)
      && (verdict->reason == NULL || vk_note_check (verdict->reason, NULL));
}

VkVerdict *
vk_verdict_from_json (JsonObject *object, GError **error)
{
  g_autoptr (VkVerdict) verdict = g_new0 (VkVerdict, 1);

  if (!vk_json_get_boolean (object, "proven", FALSE, &verdict->proven, error)
      || !vk_json_get_string (object, "time", "", &verdict->time, error)
      || !vk_json_get_string (object, "virt_keep_version", "", &verdict->virt_keep_version, error)
      || !vk_json_get_uint64 (object, "milliseconds", 0, &verdict->milliseconds, error)
      || !vk_json_get_string (object, "reason", NULL, &verdict->reason, error))
    return NULL;
  if (is_sound (verdict))
    return g_steal_pointer (&verdict);
  vk_fail (error, VK_ERROR_STORE, "the verdict in it is none");
  return NULL;
}

/* --- a line ----------------------------------------------------------------- */

char *
vk_verdict_to_line (const VkVerdict *verdict)
{
  return g_strdup_printf ("%s %" PRIu64 " %s%s%s", verdict->time, verdict->milliseconds, verdict->virt_keep_version,
                          verdict->reason ? " " : "", verdict->reason ? verdict->reason : "");
}

VkVerdict *
vk_verdict_from_line (const char *line, gboolean proven)
{
  g_autoptr (VkVerdict) verdict = g_new0 (VkVerdict, 1);
  g_auto (GStrv) words = g_strsplit (line, " ", 4);

  if (g_strv_length (words) != (proven ? 3 : 4) || !g_ascii_string_to_unsigned (words[1], 10, 0, G_MAXINT64, &verdict->milliseconds, NULL))
    return NULL;
  verdict->proven = proven;
  verdict->time = g_strdup (words[0]);
  verdict->virt_keep_version = g_strdup (words[2]);
  verdict->reason = g_strdup (words[3]);
  return is_sound (verdict) ? g_steal_pointer (&verdict) : NULL;
}

/* --- people ----------------------------------------------------------------- */

char *
vk_verdict_to_text (const VkVerdict *verdict)
{
  return g_strdup_printf ("%s, at %s, by virt-keep %s, in %.1f s%s%s", verdict->proven ? "yes" : "no", verdict->time, verdict->virt_keep_version,
                          (double) verdict->milliseconds / 1000, verdict->reason ? ": " : "", verdict->reason ? verdict->reason : "");
}
