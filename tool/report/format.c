/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "report/format.h"

#include <inttypes.h>

char *
vk_format_bytes (guint64 bytes)
{
  static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
  double value = (double) bytes;
  gsize unit = 0;

  /* 1023.5 would be printed as "1024". */
  while (value >= 1023.5 && unit + 1 < G_N_ELEMENTS (units))
    {
      value /= 1024;
      unit++;
    }
  return g_strdup_printf ("%.*f %s", unit == 0 || value >= 99.95 ? 0 : 1, value, units[unit]);
}

char *
vk_format_seconds (guint64 seconds)
{
  if (seconds >= 3600)
    return g_strdup_printf ("%" PRIu64 ":%02u:%02u", seconds / 3600, (guint) (seconds / 60 % 60), (guint) (seconds % 60));
  return g_strdup_printf ("%u:%02u", (guint) (seconds / 60), (guint) (seconds % 60));
}

/* Control characters of ASCII and Latin-1, and what writes from right to left
 * (Unicode Standard Annex #9, "Explicit Directional Formatting Characters"). */
static gboolean
is_harmful (gunichar character, gboolean has_lines)
{
  if (character == '\t' || (character == '\n' && has_lines))
    return FALSE;
  return g_unichar_iscntrl (character) || character == 0x2028 || character == 0x2029
      || (character >= 0x202a && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069);
}

char *
vk_format_harmless (const char *text, gboolean has_lines)
{
  GString *harmless = g_string_new (NULL);

  /* Bytes that are no UTF-8 are left alone, names of files have them; but for those that a
   * terminal without UTF-8 takes for control characters. */
  while (*text != '\0')
    {
      gunichar character = g_utf8_get_char_validated (text, -1);
      gboolean is_valid = character != (gunichar) -1 && character != (gunichar) -2;
      const char *end = is_valid ? g_utf8_next_char (text) : text + 1;

      if (is_harmful (is_valid ? character : (guchar) *text, has_lines))
        g_string_append (harmless, "\xef\xbf\xbd");
      else
        g_string_append_len (harmless, text, end - text);
      text = end;
    }
  return g_string_free (harmless, FALSE);
}
