/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest writes to its serial console, read from a file while it grows: as
 * lines that can be shown to people.  Guests are not trusted. */
#pragma once

#include <glib.h>

typedef struct VkConsole VkConsole;

/* So much of what has been written is remembered for vk_console_tail(), and more than
 * that in all is not read. */
enum { VK_CONSOLE_TAIL_LINES = 20, VK_CONSOLE_LIMIT = 64 << 20 };

/* path need not exist yet; when it is replaced by another file, what is new in either
 * is read. */
VkConsole *vk_console_new (const char *path);
void vk_console_free (VkConsole *console);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkConsole, vk_console_free)

/* A line without its end: UTF-8, no control characters, no colours. */
typedef void (*VkConsoleFunc) (const char *line, gpointer user_data);

/* Reads what has been added and calls func for each line of it; also for the last one
 * that has no end yet, since a prompt never gets one, and again when it has grown.
 * FALSE once VK_CONSOLE_LIMIT bytes have been read. */
gboolean vk_console_read (VkConsole *console, VkConsoleFunc func, gpointer user_data);

/* The last lines, oldest first.  Returns: (transfer full) NULL-terminated. */
char **vk_console_tail (VkConsole *console);
