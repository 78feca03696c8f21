/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "command/command.h"

static const GOptionEntry protect_options[] = { { NULL } };

static gboolean
run_protect (VkInvocation *invocation, GError **error)
{
  return vk_annotate (invocation, TRUE, NULL, error);
}

const VkCommand vk_command_protect = {
  .name = "protect",
  .arguments = "POINT",
  .summary = N_("Guard a restore point from prune and forget"),
  .options = protect_options,
  .option_bytes = 1,
  .run = run_protect,
};
