/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "command/command.h"

static const GOptionEntry unprotect_options[] = { { NULL } };

static gboolean
run_unprotect (VkInvocation *invocation, GError **error)
{
  return vk_annotate (invocation, FALSE, NULL, error);
}

const VkCommand vk_command_unprotect = {
  .name = "unprotect",
  .arguments = "POINT",
  .summary = N_("Take that guard away"),
  .options = unprotect_options,
  .option_bytes = 1,
  .run = run_unprotect,
};
