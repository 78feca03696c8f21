/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What servers say about themselves, for our messages. */
#include "config.h"

#include <string.h>

#include "view/nbd-server-private.h"

/* Returns: (transfer full). */
static char *
last_line (const char *text)
{
  g_autofree char *chomped = g_strchomp (g_strdup (text));
  const char *newline = strrchr (chomped, '\n');

  return g_utf8_make_valid (newline ? newline + 1 : chomped, -1);
}

/* Its own name is "qemu-nbd: " or "nbdkit: PLUGIN: error: ". */
char *
vk_nbd_server_words (const char *program, const char *description, const char *text)
{
  g_autofree char *name = g_strconcat (program, ": ", NULL);
  g_autofree char *opening = g_strdup_printf ("Failed to blk_new_open '%s': ", description ? description : "");
  g_autofree char *line = last_line (text);
  const char *words = line;
  const char *label = strstr (words, "error: ");

  if (g_str_has_prefix (words, name))
    words = label && strcmp (program, "nbdkit") == 0 ? label + strlen ("error: ") : words + strlen (name);
  if (g_str_has_prefix (words, opening))
    words += strlen (opening);
  return g_strdup (words);
}
