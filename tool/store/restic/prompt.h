/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A question on the terminal whose answer is not shown. */
#pragma once

#include <gio/gio.h>

/* Writes question to the terminal of this process and reads a line from it,
 * whatever standard input and output are.
 * The terminal shows again what is typed when this returns, and when a signal
 * ends the process meanwhile.  One question at a time in a process.
 * Returns: (transfer full) the line without its end, free it with
 * vk_restic_password_free(); NULL with VK_ERROR_USAGE when there is no terminal,
 * and for Ctrl-D. */
char *vk_prompt_secret (const char *question, GCancellable *cancellable, GError **error);
