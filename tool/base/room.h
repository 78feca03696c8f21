/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much room a file system has. */
#pragma once

#include <glib.h>

typedef struct
{
  guint64 left;  /* bytes that may still be written, by others than root */
  guint64 whole; /* bytes of the whole file system */
} VkRoom;

/* Of the file system that directory lies on.  FALSE with VK_ERROR_STORE set. */
gboolean vk_room_get (const char *directory, VkRoom *room, GError **error);

/* The same from what "df -P -k" of one directory prints (POSIX), in the locale C.  FALSE when it
 * is something else. */
gboolean vk_room_parse (const char *text, VkRoom *room);
