/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/room.h"

#include <errno.h>
#include <sys/statvfs.h>

#include "base/error.h"

gboolean
vk_room_get (const char *directory, VkRoom *room, GError **error)
{
  struct statvfs status;

  if (statvfs (directory, &status) < 0)
    return vk_fail (error, VK_ERROR_STORE, "cannot ask how much room '%s' has: %s", directory, g_strerror (errno));
  room->left = (guint64) status.f_bavail * status.f_frsize;
  room->whole = (guint64) status.f_blocks * status.f_frsize;
  return TRUE;
}

gboolean
vk_room_parse (const char *text, VkRoom *room)
{
  /* Size, used and available, then the part that is used; the name before them may hold blanks. */
  g_autoptr (GRegex) line = g_regex_new ("^.*\\s(\\d+)\\s+\\d+\\s+(-?\\d+)\\s+(?:\\d+%|-)\\s.*$", G_REGEX_MULTILINE, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  g_autofree char *whole = NULL;
  g_autofree char *left = NULL;

  if (!g_regex_match (line, text, 0, &match))
    return FALSE;
  whole = g_match_info_fetch (match, 1);
  left = g_match_info_fetch (match, 2);
  room->whole = g_ascii_strtoull (whole, NULL, 10) * 1024;
  room->left = (guint64) MAX (g_ascii_strtoll (left, NULL, 10), 0) * 1024;
  return TRUE;
}
