/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "command/command.h"

static const GOptionEntry mount_options[] = { { NULL } };

static gboolean
run_mount (VkInvocation *invocation, GError **error)
{
  g_autoptr (VkStore) store = vk_open_store (invocation, FALSE, error);
  g_autoptr (VkInterrupt) interrupt = NULL;
  g_autoptr (GError) failure = NULL;

  if (store == NULL)
    return FALSE;
  interrupt = vk_interrupt_new ();
  if (vk_store_mount (store, invocation->arguments[0], vk_interrupt_cancellable (interrupt), &failure))
    return TRUE;
  /* To be interrupted is how it ends. */
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

const VkCommand vk_command_mount = {
  .name = "mount",
  .arguments = "DIR",
  .summary = N_("Show the points of a restic store as files below DIR"),
  .options = mount_options,
  .option_bytes = 1,
  .run = run_mount,
};
