/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the environment says about how long to wait; see ENVIRONMENT in virt-keep(1). */
#pragma once

#include <glib.h>

/* The number of seconds in the environment variable name, or fallback where it is not set.
 * VK_ERROR_USAGE, and fallback, when it is no number from 1 to those of a day. */
gboolean vk_environment_seconds (const char *name, guint64 fallback, guint64 *seconds, GError **error);

/* For how many seconds nothing at all may move in a copy, VIRT_KEEP_COPY_STALL_SECONDS.
 * Errors as above. */
gboolean vk_copy_patience (guint64 *seconds, GError **error);

/* The same where a file is brought to its disk, of which nobody hears anything until it is
 * done. */
gboolean vk_flush_patience (guint64 *seconds, GError **error);
