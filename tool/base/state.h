/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What virt-keep writes down about this host: machines that run from restore points,
 * guests whose file systems are frozen, where stores lie. */
#pragma once

#include <json-glib/json-glib.h>

/* STATE: $VIRT_KEEP_STATE_DIR, root's /var/lib/virt-keep, or a user's own.
 * Returns: (transfer full). */
char *vk_state_directory (void);

/* STATE/NAME, which need not exist.  Returns: (transfer full). */
char *vk_state_path (const char *name);

/* Makes STATE/NAME with this mode, unless it is there.  QEMU's user can pass through STATE
 * itself: what boots from a point is below it.
 * Returns: (transfer full) its path, or NULL with VK_ERROR_STORE. */
char *vk_state_make_directory (const char *name, int mode, GError **error);

/* Writes object to DIRECTORY/NAME, whole or not at all, and durably; a file of that
 * name is replaced.  VK_ERROR_STORE. */
gboolean vk_state_save (const char *directory, const char *name, JsonObject *object, GError **error);

/* Which process this is, in a way that no later one can be taken for it: process
 * ids come again, also after the host was booted anew.
 * Returns: (transfer full), one word. */
char *vk_process_identity (void);

/* Whether the process with that identity still runs; one that has ended and was not
 * waited for does not. */
gboolean vk_process_lives (const char *identity);
