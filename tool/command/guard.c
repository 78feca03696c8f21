/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What backup starts to watch over its job.  Hidden from the help. */
#include "config.h"

#include <glib/gi18n.h>

#include "backup/guard.h"
#include "command/command.h"

static const GOptionEntry guard_options[] = { { NULL } };

static gboolean
run_guard (VkInvocation *invocation, GError **error)
{
  return vk_guard_run (error);
}

const VkCommand vk_command_guard = {
  .name = "guard",
  .arguments = "",
  .summary = N_("Watch over the job of a backup"),
  .options = guard_options,
  .option_bytes = 1,
  .hidden = TRUE,
  .unconfigured = TRUE,
  .run = run_guard,
};
