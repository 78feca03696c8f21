/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "base/json.h"
#include "command/command.h"

static const GOptionEntry init_options[] = { { NULL } };

static gboolean
run_init (VkInvocation *invocation, GError **error)
{
  g_autoptr (VkStore) store = vk_create_store (invocation, error);

  if (store == NULL)
    return FALSE;
  vk_json_set_string (invocation->result, "store", store->url);
  vk_json_set_string (invocation->result, "id", store->id);
  g_string_append_printf (invocation->text, _("Made the store %s\n"), store->url);
  return TRUE;
}

const VkCommand vk_command_init = {
  .name = "init",
  .arguments = "",
  .summary = N_("Make a new, empty store"),
  .options = init_options,
  .option_bytes = 1,
  .run = run_init,
};
