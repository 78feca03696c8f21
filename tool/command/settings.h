/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the configuration files say, in the place of options that were not given.  The
 * tables of options say what may stand there.
 *
 *   [virt-keep]          options of every command
 *   [store NAME]         url, password-file, retry-lock: what --store NAME stands for
 *   [COMMAND]            options of a command
 *   [domain PATTERN]     options of every command, for domains of that name
 *   [COMMAND PATTERN]    options of a command, for domains of that name
 */
#pragma once

#include "command/command.h"
#include "command/policy-options.h"
#include "config/config-file.h"

/* Fills in what the command line has left open in invocation, whose options and arguments
 * are set: from the environment, and then from the files, from the more special section to
 * the more general one; and puts in what a store's name stands for.  VK_ERROR_USAGE, naming
 * the place. */
gboolean vk_settings_configure (VkInvocation *invocation, const VkCommand *command, GError **error);

/* Makes *to (all zero) what it would be if the command line of from had just domain behind its
 * options.  policy is that of the domain, and counts before the files; NULL: it does not count.
 * Free *to as any other, and its arguments with g_strfreev(). */
gboolean vk_settings_for_domain (const VkInvocation *from, const VkCommand *command, const char *domain, const VkPolicy *policy, VkInvocation *to, GError **error);

/* Whether the command line or the environment names the store, so that neither a policy nor the
 * files do. */
gboolean vk_settings_name_store (const VkInvocation *invocation);

/* Whether all of a policy can be meant, with the stores that the files name.  VK_ERROR_USAGE,
 * without the domain's name. */
gboolean vk_settings_check_policy (const VkInvocation *invocation, const VkPolicy *policy, GError **error);

/* The URL of the store that a policy names, by the files where they know it.
 * Returns: (transfer full), or NULL. */
char *vk_settings_store_of_policy (const VkInvocation *invocation, const VkPolicy *policy);

/* Whether everything in the files can be meant: sections, keys and kinds of values.
 * Otherwise VK_ERROR_USAGE about the first thing that cannot; with problems not NULL a
 * sentence about each is added to it (of char *). */
gboolean vk_settings_check (const VkConfig *config, GPtrArray *problems, GError **error);
