/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of prune, and the rules that they are. */
#pragma once

#include "command/command.h"
#include "store/retention.h"

/* As they were typed; NULL and 0 for what was not given. */
typedef struct
{
  gboolean all;
  gboolean dry_run;
  gboolean no_policy;
  char *last, *hourly, *daily, *weekly, *monthly, *yearly;
  char *within;
  char *metrics;
} VkPruneOptions;

/* The table, for a VkPruneOptions. */
extern const GOptionEntry vk_prune_options[];

/* Those of it that are rules, NULL-terminated. */
extern const char *const vk_prune_rules[];

/* VK_ERROR_USAGE about one that cannot be. */
gboolean vk_prune_options_parse (const VkPruneOptions *options, VkRetention *retention, GError **error);
