/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs of the user's, on this host, that are run at certain moments of a backup. */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* The programs in directory, in the order of their names: executable files, but for hidden ones
 * and what editors and package managers leave.  VK_ERROR_REFUSED when somebody else than root and us could
 * change the directory or one of them.  Returns: (transfer full) of char *. */
GPtrArray *vk_hooks_list (const char *directory, GError **error);

/* Runs them one after the other, with phase as argument and input as one line of JSON on
 * standard input.  None may take longer than limit (seconds), or go on after deadline
 * (monotonic microseconds; 0: none): it is killed then, with what it has started.  They get a
 * part of our environment that has no secrets in it.  Runs the main context.
 * VK_ERROR_HOOK for the first that fails, after which no other is run. */
gboolean vk_hooks_run (const char *directory, const char *phase, JsonObject *input, guint limit, gint64 deadline, GCancellable *cancellable, GError **error);
