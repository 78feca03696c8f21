/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers for people. */
#pragma once

#include <glib.h>

/* "1.5 GiB", "0 B": binary units, three digits.  Returns: (transfer full). */
char *vk_format_bytes (guint64 bytes);

/* "0:07", "1:02:03".  Returns: (transfer full). */
char *vk_format_seconds (guint64 seconds);
