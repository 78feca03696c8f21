/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "command/command.h"

typedef struct
{
  char *to;
  char *to_password_file;
} CopyOptions;

static const GOptionEntry copy_options[] = {
  { "to", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (CopyOptions, to), N_("Copy into STORE"), "STORE" },
  { "to-password-file", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (CopyOptions, to_password_file), N_("Read the password of STORE from FILE"), "FILE" },
  { NULL }
};

/* The points that names mean; NULL without *error for none: all. */
static GPtrArray *
find_points (VkStore *store, char **names, GError **error)
{
  g_autoptr (GPtrArray) points = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_point_free);

  for (; *names != NULL; names++)
    {
      VkPoint *point = vk_store_find_point (store, *names, error);

      if (point == NULL)
        return NULL;
      g_ptr_array_add (points, point);
    }
  return points->len > 0 ? g_steal_pointer (&points) : NULL;
}

static void
fill_result (VkInvocation *invocation, const GPtrArray *points)
{
  const CopyOptions *options = invocation->options;

  vk_json_set_string (invocation->result, "to", options->to);
  json_object_set_array_member (invocation->result, "points", json_array_new ());
  for (guint i = 0; points != NULL && i < points->len; i++)
    {
      g_autofree char *name = vk_point_name (g_ptr_array_index (points, i));

      vk_json_append_string (invocation->result, "points", name);
    }
  g_string_append_printf (invocation->text, _("Copied to %s\n"), options->to);
}

static gboolean
run_copy (VkInvocation *invocation, GError **error)
{
  const CopyOptions *options = invocation->options;
  VkStoreSettings settings = { .password_file = options->to_password_file };
  g_autoptr (VkInterrupt) interrupt = NULL;
  g_autoptr (VkStore) store = NULL;
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GError) failure = NULL;

  if (options->to == NULL)
    return vk_fail (error, VK_ERROR_USAGE, "copy: say where to, with --to STORE");
  interrupt = vk_interrupt_new ();
  store = vk_open_store (invocation, FALSE, &failure);
  points = store ? find_points (store, invocation->arguments, &failure) : NULL;
  if (failure == NULL)
    vk_store_copy (store, points, options->to, &settings, vk_interrupt_cancellable (interrupt), &failure);
  if (failure == NULL)
    {
      fill_result (invocation, points);
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&failure));
  vk_interrupt_claim_error (interrupt, error);
  return FALSE;
}

const VkCommand vk_command_copy = {
  .name = "copy",
  .arguments = "[POINT...]",
  .summary = N_("Copy restore points into another restic store"),
  .options = copy_options,
  .option_bytes = sizeof (CopyOptions),
  .run = run_copy,
};
