/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of a command line, by the tables of its command. */
#pragma once

#include "command/command.h"

/* The entries of table with the offsets in arg_data turned into addresses in base.
 * Returns: (transfer full), for g_free(). */
GOptionEntry *vk_options_place (const GOptionEntry *table, gpointer base);

/* Whether base, for which the table of entry is, has a value for it. */
gboolean vk_option_is_given (const GOptionEntry *entry, gconstpointer base);

/* Whether the command line has the option. */
gboolean vk_options_have (const VkInvocation *invocation, const char *name);

/* Takes the options of command, and those of every command, away from arguments (the
 * program's name, and what stands behind the command) into invocation, whose options are
 * allocated, and writes down in its given what there was.  A G_OPTION_ERROR otherwise. */
gboolean vk_options_parse (VkInvocation *invocation, const VkCommand *command, char ***arguments, GError **error);

/* Frees what vk_options_parse() and the configuration have put there; command may be NULL.
 * The arguments stay the caller's. */
void vk_options_free (VkInvocation *invocation, const VkCommand *command);

/* Makes *to (all zero) what it would be if the command line of from had just argument behind
 * its options.  Free it as any other, and its arguments with g_strfreev(). */
gboolean vk_options_again (const VkInvocation *from, const VkCommand *command, const char *argument, VkInvocation *to, GError **error);
