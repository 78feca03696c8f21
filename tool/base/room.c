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
    {
      g_set_error (error, VK_ERROR, VK_ERROR_STORE, "cannot ask how much room '%s' has: %s", directory, g_strerror (errno));
      return FALSE;
    }
  room->left = (guint64) status.f_bavail * status.f_frsize;
  room->whole = (guint64) status.f_blocks * status.f_frsize;
  return TRUE;
}
