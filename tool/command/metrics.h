/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --metrics: what commands write down for Prometheus. */
#pragma once

#include "backup/backup.h"
#include "command/command.h"

/* Whether the file can be written, before anything is begun; path NULL: there is none to write.
 * Errors are those of vk_metrics_file_update(). */
gboolean vk_metrics_check (const char *path, GError **error);

/* How the backups of tasks (of VkBackupTask) have ended: error as it stands, or NULL.  Returns FALSE when the backups
 * failed, and when they succeeded but this did not, then with VK_ERROR_STORE or VK_ERROR_REFUSED in *error. */
gboolean vk_metrics_write_backups (VkInvocation *invocation, const char *path, const GArray *tasks, gboolean done, GError **error);

/* The same for those of several domains, each of which was left to a process, that did not get so far as to write it
 * themselves: of the array "results" of the result. */
gboolean vk_metrics_write_unwritten (VkInvocation *invocation, const char *path, gboolean done, GError **error);

/* What a command that is done, or not, has left in store: of all domains, or of this one (name or UUID). */
gboolean vk_metrics_write_points (VkInvocation *invocation, const char *path, VkStore *store, const char *domain, gboolean done, GError **error);
