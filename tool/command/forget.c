/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "command/command.h"
#include "command/removal.h"

static const GOptionEntry forget_options[] = { { NULL } };

/* The newest point is not what a name without a time shall mean here. */
static gboolean
check_names (char **names, GError **error)
{
  for (; *names != NULL; names++)
    {
      const char *time = vk_point_name_time (*names);

      if (time == NULL || time - 1 == *names)
        return vk_fail (error, VK_ERROR_USAGE, "forget: '%s' is not one restore point: name it with its time, DOMAIN@TIME as virt-keep list shows it, or DOMAIN@latest", *names);
    }
  return TRUE;
}

static char *
domain_of (const char *name)
{
  return g_strndup (name, (gsize) (vk_point_name_time (name) - 1 - name));
}

/* The place of the named point in points, or -1. */
static int
find (const GPtrArray *points, const char *time)
{
  if (strcmp (time, "latest") == 0)
    return (int) points->len - 1;
  for (guint i = 0; i < points->len; i++)
    if (strcmp (((VkPoint *) g_ptr_array_index (points, i))->id, time) == 0)
      return (int) i;
  return -1;
}

/* A name that two domains share, or that finishing an earlier removal has just
 * made true. */
static gboolean
add_point (VkStore *store, const char *name, const VkRemoval *finished, GPtrArray *chosen, GError **error)
{
  g_autofree char *domain = domain_of (name);
  const char *time = vk_point_name_time (name);
  g_autoptr (GPtrArray) points = vk_store_list (store, domain, error);
  g_autoptr (VkPoint) point = NULL;
  int place;

  if (points == NULL || !vk_store_refuse_ambiguous (points, domain, error))
    return FALSE;
  place = find (points, time);
  if (place < 0)
    {
      for (guint i = 0; i < finished->removed->len; i++)
        if (g_str_has_suffix (g_ptr_array_index (finished->removed, i), time))
          return TRUE;
      return vk_fail (error, VK_ERROR_NOT_FOUND, "the store '%s' has no restore point '%s': see virt-keep list", store->url, name);
    }
  point = g_ptr_array_steal_index (points, (guint) place);
  for (guint i = 0; i < chosen->len; i++)
    if (strcmp (((VkPoint *) g_ptr_array_index (chosen, i))->location, point->location) == 0)
      return TRUE;
  if (point->is_protected)
    {
      vk_fail (error, VK_ERROR_REFUSED, "the restore point '%s' is protected%s%s: see virt-keep unprotect", name,
                   point->annotation_damage ? ", as far as can be told: " : "", point->annotation_damage ? point->annotation_damage : "");
      return FALSE;
    }
  g_ptr_array_add (chosen, g_steal_pointer (&point));
  return TRUE;
}

static gboolean
forget_points (VkStore *store, char **names, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) chosen = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_point_free);

  for (char **name = names; *name != NULL; name++)
    {
      g_autofree char *domain = domain_of (*name);

      if (!vk_store_finish (store, domain, removal, cancellable, error))
        return FALSE;
    }
  for (char **name = names; *name != NULL; name++)
    if (!add_point (store, *name, removal, chosen, error))
      return FALSE;
  return vk_store_remove (store, chosen, removal, cancellable, error);
}

static gboolean
run_forget (VkInvocation *invocation, GError **error)
{
  g_autoptr (VkStore) store = NULL;
  g_autoptr (VkRemoval) removal = vk_removal_new ();
  g_autoptr (VkInterrupt) interrupt = NULL;
  gboolean done;

  if (!vk_require_store (invocation, error) || !check_names (invocation->arguments, error))
    return FALSE;
  store = vk_open_store (invocation, FALSE, error);
  if (store == NULL)
    return FALSE;
  interrupt = vk_interrupt_new ();
  done = forget_points (store, invocation->arguments, removal, vk_interrupt_cancellable (interrupt), error);
  if (!done)
    vk_interrupt_claim_error (interrupt, error);
  vk_removal_fill_result (invocation->result, removal);
  vk_removal_append_text (invocation->text, removal);
  return done;
}

const VkCommand vk_command_forget = {
  .name = "forget",
  .arguments = "POINT...",
  .summary = N_("Remove restore points, keeping what builds on them"),
  .options = forget_options,
  .option_bytes = 1,
  .run = run_forget,
};
