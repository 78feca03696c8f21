/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For how long a copy has shown no sign of life. */
#pragma once

#include <glib.h>

typedef struct
{
  guint64 patience; /* seconds */
  gint64 last_sign; /* monotonic microseconds */
} VkStall;

/* Begins now, with vk_copy_patience().  Errors: those of that. */
gboolean vk_stall_init (VkStall *stall, GError **error);

/* sign: whether there has just been one.  Returns whether there was none for as long
 * as the patience lasts. */
gboolean vk_stall_has_come (VkStall *stall, gboolean sign);

/* Microseconds that the patience lasts still, less than 0 when it is at its end. */
gint64 vk_stall_left (const VkStall *stall);
