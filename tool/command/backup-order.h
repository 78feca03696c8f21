/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is asked for one domain by backup: its policy and the configuration have a say in it. */
#pragma once

#include "backup/backup.h"
#include "base/interrupt.h"
#include "command/command.h"

typedef struct
{
  VkInvocation own;  /* with a store and options for this domain, once it is placed */
  GHashTable *rates; /* of the request */
} VkBackupOrder;

VkBackupOrder *vk_backup_order_new (void);
void vk_backup_order_free (VkBackupOrder *order);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkBackupOrder, vk_backup_order_free)

/* Finds out what the options of invocation, the policy of domain and the configuration ask for: in order, and in request,
 * which has been zeroed, but for the domain, and borrows from order.  store: the URL of the store, whatever they say, or NULL. */
gboolean vk_backup_order_place (const VkInvocation *invocation, VkHost *host, const char *domain, const char *store, VkBackupOrder *order, VkBackupRequest *request, GError **error);

/* Frees what is in task. */
void vk_backup_task_clear (VkBackupTask *task);

/* See vk_interrupt_claim_error(), for the end of a backup. */
void vk_backup_claim_error (VkInterrupt *interrupt, GError **error);
