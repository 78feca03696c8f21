/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What backup says about what it has done. */
#pragma once

#include "backup/backup.h"
#include "command/command.h"

/* Adds to invocation's result and text what became of tasks (of VkBackupTask): one result
 * for one domain (spread is NULL), and with --together a list of what would be the result
 * of each.  done: all of it succeeded. */
void vk_backup_report (VkInvocation *invocation, const GArray *tasks, const VkBackupSpread *spread, gboolean done);

/* The same for --estimate.  estimates (of VkEstimate) is NULL when there are none, since it
 * failed. */
void vk_backup_report_estimates (VkInvocation *invocation, const GPtrArray *estimates);
