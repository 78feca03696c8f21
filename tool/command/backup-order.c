/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/backup-order.h"

#include <glib/gi18n.h>

#include "base/error.h"
#include "command/backup-options.h"
#include "command/options.h"
#include "command/settings.h"

VkBackupOrder *
vk_backup_order_new (void)
{
  VkBackupOrder *order = g_new0 (VkBackupOrder, 1);

  order->rates = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return order;
}

void
vk_backup_order_free (VkBackupOrder *order)
{
  vk_options_free (&order->own, &vk_command_backup);
  g_strfreev (order->own.arguments);
  g_hash_table_unref (order->rates);
  g_free (order);
}

static gboolean
settle (const VkInvocation *invocation, const char *domain, const VkPolicy *policy, const char *store, VkBackupOrder *order, GError **error)
{
  if (!vk_settings_for_domain (invocation, &vk_command_backup, domain, policy, &order->own, error))
    return FALSE;
  if (store != NULL)
    {
      g_free (order->own.store);
      order->own.store = g_strdup (store);
    }
  return vk_require_store (&order->own, error);
}

gboolean
vk_backup_order_place (const VkInvocation *invocation, VkHost *host, const char *domain, const char *store, VkBackupOrder *order, VkBackupRequest *request, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  g_autoptr (VkPolicy) policy = NULL;

  if (!options->no_policy)
    {
      policy = vk_policy_of (host, domain, error);
      if (policy == NULL)
        {
          g_prefix_error (error, _("the policy of the domain '%s': "), domain);
          return FALSE;
        }
    }
  request->max_rates = order->rates;
  return settle (invocation, domain, policy, store, order, error)
      && vk_backup_options_parse (&order->own, request, &order->own.store_settings, error)
      && vk_backup_options_settle (order->own.options, host, request, error);
}

void
vk_backup_task_clear (VkBackupTask *task)
{
  g_clear_pointer (&task->reporter, vk_reporter_free);
  g_clear_pointer (&task->manifest, vk_manifest_free);
  g_clear_pointer (&task->store, vk_store_free);
  g_clear_pointer (&task->host, vk_host_free);
}

/* A guest that stands still must be heard of, whoever stopped us. */
void
vk_backup_claim_error (VkInterrupt *interrupt, GError **error)
{
  if (!g_error_matches (*error, VK_ERROR, VK_ERROR_FROZEN))
    vk_interrupt_claim_error (interrupt, error);
}
