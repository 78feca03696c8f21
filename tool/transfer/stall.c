/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/stall.h"

#include "base/environment.h"

gboolean
vk_stall_init (VkStall *stall, GError **error)
{
  stall->last_sign = g_get_monotonic_time ();
  return vk_copy_patience (&stall->patience, error);
}

gint64
vk_stall_left (const VkStall *stall)
{
  return stall->last_sign + (gint64) stall->patience * G_USEC_PER_SEC - g_get_monotonic_time ();
}

gboolean
vk_stall_has_come (VkStall *stall, gboolean sign)
{
  if (sign)
    stall->last_sign = g_get_monotonic_time ();
  return vk_stall_left (stall) <= 0;
}
