/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "command/command.h"

/* Appends the completion file for a shell, "fish" or "zsh".  VK_ERROR_USAGE for any other. */
gboolean vk_completion_script (const char *shell, GString *script, GError **error);
