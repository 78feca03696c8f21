/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers for people. */
#pragma once

#include <glib.h>

/* "1.5 GiB", "0 B": binary units, three digits.  Returns: (transfer full). */
char *vk_format_bytes (guint64 bytes);

/* "0:07", "1:02:03".  Returns: (transfer full). */
char *vk_format_seconds (guint64 seconds);

/* Text as a terminal may have it: what would move the cursor, change colours or the
 * direction of writing, or make an answer for us, is replaced by U+FFFD.  Names, reasons and
 * the like may come from anybody.  Tabs stay, and newlines where the text has lines of its
 * own.  Returns: (transfer full). */
char *vk_format_harmless (const char *text, gboolean has_lines);
