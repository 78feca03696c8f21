/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/prune-options.h"

#include <glib/gi18n.h>

const GOptionEntry vk_prune_options[] = {
  { "all", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkPruneOptions, all), N_("Prune the points of every domain in the store"), NULL },
  { "keep-last", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkPruneOptions, last), N_("Keep the N newest points"), "N" },
  { "keep-hourly", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkPruneOptions, hourly), N_("Keep the newest point of each of the N newest hours that have one"), "N" },
  { "keep-daily", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkPruneOptions, daily), N_("... of the N newest days"), "N" },
  { "keep-weekly", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkPruneOptions, weekly), N_("... of the N newest weeks, which begin on Monday"), "N" },
  { "keep-monthly", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkPruneOptions, monthly), N_("... of the N newest months"), "N" },
  { "keep-yearly", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkPruneOptions, yearly), N_("... of the N newest years"), "N" },
  { "keep-within", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkPruneOptions, within), N_("Keep all points made within DURATION (2y5m7d3h) of the newest"), "DURATION" },
  { "metrics", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkPruneOptions, metrics), N_("Write what there is afterwards into FILE, for Prometheus"), "FILE" },
  { "no-policy", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkPruneOptions, no_policy), N_("Do not ask for the policies of domains"), NULL },
  { "dry-run", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkPruneOptions, dry_run), N_("Only say what would be removed"), NULL },
  { NULL }
};

const char *const vk_prune_rules[] = { "keep-last", "keep-hourly", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly", "keep-within", NULL };

gboolean
vk_prune_options_parse (const VkPruneOptions *options, VkRetention *retention, GError **error)
{
  return vk_retention_parse_count ("--keep-last", options->last, &retention->last, error)
      && vk_retention_parse_count ("--keep-hourly", options->hourly, &retention->hourly, error)
      && vk_retention_parse_count ("--keep-daily", options->daily, &retention->daily, error)
      && vk_retention_parse_count ("--keep-weekly", options->weekly, &retention->weekly, error)
      && vk_retention_parse_count ("--keep-monthly", options->monthly, &retention->monthly, error)
      && vk_retention_parse_count ("--keep-yearly", options->yearly, &retention->yearly, error)
      && (options->within == NULL || vk_span_parse ("--keep-within", options->within, &retention->within, error));
}
