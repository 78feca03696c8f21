/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "command/command.h"
#include "store/store.h"

typedef struct
{
  gboolean all;
  gboolean data;
  char *progress;
} VerifyOptions;

static const GOptionEntry verify_options[] = {
  { "all", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VerifyOptions, all), N_("Verify every point in the store"), NULL },
  { "data", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VerifyOptions, data), N_("Also read every disk to its end, as a restore does"), NULL },
  { "progress", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VerifyOptions, progress), N_("How to show progress on standard error"), "bar|lines|json|none" },
  { NULL }
};

static VkPoint *
take_by_id (GPtrArray *points, const char *id)
{
  for (guint i = 0; i < points->len; i++)
    if (strcmp (((VkPoint *) g_ptr_array_index (points, i))->id, id) == 0)
      return g_ptr_array_steal_index (points, i);
  return NULL;
}

/* Moves the points that point builds on from all to chosen. */
static void
add_bases (GPtrArray *chosen, GPtrArray *all, const VkPoint *point)
{
  for (guint i = 0; point->manifest != NULL && i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      VkPoint *base = disk->base ? take_by_id (all, disk->base) : NULL;

      if (base == NULL)
        continue;
      g_ptr_array_add (chosen, base);
      add_bases (chosen, all, base);
    }
}

/* DOMAIN means all its points; DOMAIN@TIME that one and what it builds on. */
static GPtrArray *
choose_points (VkStore *store, const char *word, GError **error)
{
  const char *time = word ? vk_point_name_time (word) : NULL;
  g_autofree char *domain = time ? g_strndup (word, (gsize) (time - 1 - word)) : g_strdup (word);
  g_autoptr (GPtrArray) all = vk_store_list (store, domain, error);
  g_autoptr (GPtrArray) chosen = NULL;
  VkPoint *point;

  if (all == NULL)
    return NULL;
  if (time == NULL && (all->len > 0 || word == NULL))
    return g_steal_pointer (&all);
  chosen = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_point_free);
  if (time != NULL && strcmp (time, "latest") == 0)
    point = all->len > 0 ? g_ptr_array_steal_index (all, all->len - 1) : NULL;
  else
    point = time ? take_by_id (all, time) : NULL;
  if (point == NULL)
    {
      vk_fail (error, VK_ERROR_NOT_FOUND, "the store '%s' has no restore point '%s': see virt-keep list", store->url, word);
      return NULL;
    }
  g_ptr_array_add (chosen, point);
  add_bases (chosen, all, point);
  return g_steal_pointer (&chosen);
}

static void
fill_result (VkInvocation *invocation, const GPtrArray *points, const GPtrArray *damages)
{
  JsonArray *array = json_array_new ();

  json_object_set_array_member (invocation->result, "points", json_array_new ());
  for (guint i = 0; i < points->len; i++)
    {
      g_autofree char *name = vk_point_name (g_ptr_array_index (points, i));

      vk_json_append_string (invocation->result, "points", name);
    }
  for (guint i = 0; i < damages->len; i++)
    {
      const VkDamage *damage = g_ptr_array_index (damages, i);
      JsonObject *object = json_object_new ();

      vk_json_set_string (object, "file", damage->file);
      vk_json_set_string (object, "message", damage->message);
      json_object_set_array_member (object, "affects", json_array_new ());
      for (guint k = 0; k < damage->affects->len; k++)
        vk_json_append_string (object, "affects", g_ptr_array_index (damage->affects, k));
      json_array_add_object_element (array, object);
    }
  json_object_set_array_member (invocation->result, "damages", array);
}

static gboolean
report_damage (const GPtrArray *points, const GPtrArray *damages, VkReporter *reporter, GError **error)
{
  for (guint i = 0; i < damages->len; i++)
    {
      const VkDamage *damage = g_ptr_array_index (damages, i);
      g_autoptr (GString) text = g_string_new (NULL);

      g_string_append_printf (text, "%s: %s%s", damage->file, damage->message, damage->affects->len > 0 ? _(": unusable:") : "");
      for (guint k = 0; k < damage->affects->len; k++)
        g_string_append_printf (text, " %s", (const char *) g_ptr_array_index (damage->affects, k));
      vk_reporter_warning (reporter, text->str);
    }
  if (damages->len == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_DAMAGED, "%u damage%s found in %u restore point%s", damages->len, damages->len == 1 ? "" : "s", points->len, points->len == 1 ? "" : "s");
}

static gboolean
verify_points (VkInvocation *invocation, VkStore *store, const GPtrArray *points, const char *socket_dir, VkReporter *reporter, GError **error)
{
  g_autoptr (VkInterrupt) interrupt = vk_interrupt_new ();
  g_autoptr (GPtrArray) damages = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_damage_free);

  vk_reporter_phase (reporter, "verify", "comparing the store with its manifests");
  if (!vk_store_verify (store, points, socket_dir, damages, vk_interrupt_cancellable (interrupt), error))
    {
      vk_interrupt_claim_error (interrupt, error);
      return FALSE;
    }
  fill_result (invocation, points, damages);
  if (!report_damage (points, damages, reporter, error))
    return FALSE;
  g_string_append_printf (invocation->text, ngettext ("%u restore point verified, no damage found.\n", "%u restore points verified, no damage found.\n", points->len), points->len);
  return TRUE;
}

static gboolean
run_verify (VkInvocation *invocation, GError **error)
{
  const VerifyOptions *options = invocation->options;
  const char *word = invocation->arguments[0];
  g_autoptr (VkStore) store = NULL;
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (VkReporter) reporter = NULL;
  g_autofree char *socket_dir = NULL;
  VkProgressStyle style;
  gboolean verified;

  if (!vk_require_store (invocation, error) || !vk_parse_progress (invocation, options->progress, &style, error))
    return FALSE;
  if (options->all == (word != NULL))
    return vk_fail (error, VK_ERROR_USAGE, "verify: name one domain or restore point, or give --all");
  store = vk_open_store (invocation, FALSE, error);
  points = store ? choose_points (store, word, error) : NULL;
  if (points == NULL)
    return FALSE;
  if (options->data)
    socket_dir = vk_directory_make_private ("/var/tmp", "virt-keep-verify-", NULL, error);
  if (options->data && socket_dir == NULL)
    return FALSE;
  reporter = vk_reporter_new (style, stderr, NULL);
  verified = verify_points (invocation, store, points, socket_dir, reporter, error);
  if (socket_dir != NULL)
    vk_tree_remove (socket_dir, NULL);
  return verified;
}

const VkCommand vk_command_verify = {
  .name = "verify",
  .arguments = "[POINT]",
  .summary = N_("Compare restore points with what was stored"),
  .options = verify_options,
  .option_bytes = sizeof (VerifyOptions),
  .run = run_verify,
};
