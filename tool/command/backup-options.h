/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of backup, and what they ask for. */
#pragma once

#include "backup/backup.h"
#include "command/command.h"

/* As they were typed; NULL and 0 for what was not given. */
typedef struct
{
  char *mode;
  char *level;
  char **disks;
  char *quiesce;
  char **freeze_mounts;
  char *freeze_limit;
  char *hook_dir;
  char *hook_timeout;
  gboolean together;
  gboolean all;
  char **excluded_domains;
  char *jobs;
  char *order;
  char **selectors;
  gboolean no_policy;
  char **excluded;
  char *transport;
  char *data_address;
  char *tls_directory;
  char *scratch_dir;
  char *scratch_reserve;
  char *templates_dir;
  char *monitor;
  gboolean start_paused;
  gboolean allow_full;
  gboolean paranoid;
  char *max_chain;
  gboolean synthetic_full;
  gboolean estimate;
  char *threshold;
  char **max_rates;
  int pack_size;
  char *compression;
  char *to;
  char *metrics;
  char *progress;
} VkBackupOptions;

/* The table, for a VkBackupOptions. */
extern const GOptionEntry vk_backup_options[];

/* Those that the policy of a domain may give, NULL-terminated: nothing that has the host run a
 * program, start a domain or read a file. */
extern const char *const vk_backup_policy_keys[];

/* Whether the options of invocation can be: see vk_backup_options_parse(). */
gboolean vk_backup_options_check (const VkInvocation *invocation, GError **error);

/* What the options of invocation, which are a VkBackupOptions, ask for: of each domain in
 * request, whose max_rates is given as an empty table; how a restic store is written in
 * settings.  A store that is NULL is not known yet.  Their strings stay those of the options.  VK_ERROR_USAGE about one that cannot be. */
gboolean vk_backup_options_parse (const VkInvocation *invocation, VkBackupRequest *request, VkStoreSettings *settings, GError **error);

/* What the host of the domain decides where the options leave it open: on another host than this one,
 * QEMU does not write into our store.  VK_ERROR_USAGE about what cannot be there. */
gboolean vk_backup_options_settle (const VkBackupOptions *options, VkHost *host, VkBackupRequest *request, GError **error);

/* How many processes at a time --jobs allows: 1 without it.  VK_ERROR_USAGE when it is no number. */
gboolean vk_backup_options_parse_jobs (const VkBackupOptions *options, guint64 *jobs, GError **error);
