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
#include "config/config-file.h"

/* Fills in what the command line has left open in invocation, whose options and arguments
 * are set: from the environment, and then from the files, from the more special section to
 * the more general one; and puts in what a store's name stands for.  VK_ERROR_USAGE, naming
 * the place. */
gboolean vk_settings_configure (VkInvocation *invocation, const VkCommand *command, GError **error);

/* Whether everything in the files can be meant: sections, keys and kinds of values.
 * Otherwise VK_ERROR_USAGE about the first thing that cannot; with problems not NULL a
 * sentence about each is added to it (of char *). */
gboolean vk_settings_check (const VkConfig *config, GPtrArray *problems, GError **error);
