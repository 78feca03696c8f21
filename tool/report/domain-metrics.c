/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "report/domain-metrics.h"

#include <string.h>

#include "store/summary.h"

/* A time of a manifest or a verdict, in seconds since 1970; 0 for one that cannot be read. */
static double
seconds_of (const char *time)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) date = time ? g_date_time_new_from_iso8601 (time, utc) : NULL;

  return date ? (double) g_date_time_to_unix (date) + g_date_time_get_microsecond (date) / 1e6 : 0;
}

static void
take_manifest (VkMetrics *metrics, const char *owner, const VkManifest *manifest)
{
  static const char *const levels[] = { "full", "copy", "incremental", "differential" };
  guint64 moved = 0, added = 0;

  for (guint i = 0; i < manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);

      moved += disk->bytes_moved;
      added += disk->chunk_size > 0 ? disk->bytes_added : disk->size;
    }
  vk_metrics_set (metrics, VK_METRIC_DURATION, owner, NULL, seconds_of (manifest->finished) - seconds_of (manifest->started));
  vk_metrics_set (metrics, VK_METRIC_MOVED, owner, NULL, (double) moved);
  vk_metrics_set (metrics, VK_METRIC_ADDED, owner, NULL, (double) added);
  for (gsize i = 0; i < G_N_ELEMENTS (levels); i++)
    vk_metrics_set (metrics, VK_METRIC_LEVEL, owner, levels[i], strcmp (levels[i], manifest->level) == 0);
}

void
vk_metrics_take_backup (VkMetrics *metrics, const char *owner, const VkManifest *stored, const char *failure)
{
  gint64 seconds = g_get_real_time () / G_USEC_PER_SEC;
  double now = (double) seconds;

  vk_metrics_set (metrics, VK_METRIC_LAST_ATTEMPT, owner, NULL, now);
  vk_metrics_set (metrics, VK_METRIC_LAST_ATTEMPT_SUCCESS, owner, NULL, failure == NULL);
  if (failure != NULL)
    vk_metrics_count (metrics, VK_METRIC_FAILURES, owner, failure);
  else
    vk_metrics_set (metrics, VK_METRIC_LAST_SUCCESS, owner, NULL, now);
  if (stored != NULL)
    take_manifest (metrics, owner, stored);
}

/* What there is not of a domain leaves no old value behind. */
static void
set_if (VkMetrics *metrics, gboolean there_is, VkMetric metric, const char *owner, double value)
{
  if (there_is)
    vk_metrics_set (metrics, metric, owner, NULL, value);
  else
    vk_metrics_unset (metrics, metric, owner);
}

static void
take_summary (VkMetrics *metrics, const char *owner, const VkDomainSummary *summary)
{
  const VkPoint *newest = summary->newest;

  vk_metrics_set (metrics, VK_METRIC_POINTS, owner, NULL, summary->points->len);
  vk_metrics_set (metrics, VK_METRIC_DAMAGED, owner, NULL, summary->damaged);
  vk_metrics_set (metrics, VK_METRIC_STORED, owner, NULL, (double) summary->bytes);
  set_if (metrics, newest != NULL, VK_METRIC_CHAIN, owner, summary->chain);
  set_if (metrics, newest != NULL, VK_METRIC_NEWEST, owner, newest ? seconds_of (newest->manifest->instant) : 0);
  set_if (metrics, summary->proven != NULL, VK_METRIC_PROVEN, owner, summary->proven ? seconds_of (summary->proven->verdict->time) : 0);
  set_if (metrics, summary->verdict != NULL, VK_METRIC_PROOF_SUCCESS, owner, summary->verdict != NULL && summary->verdict->proven);
}

void
vk_metrics_take_points (VkMetrics *metrics, const char *store, const GPtrArray *summaries, gboolean whole)
{
  g_autoptr (GPtrArray) owners = whole ? vk_metrics_owners (metrics, VK_METRIC_POINTS, store) : NULL;
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  const VkDomainSummary nothing = { .points = none };

  /* A domain all of whose points are gone has no summary. */
  for (guint i = 0; owners != NULL && i < owners->len; i++)
    take_summary (metrics, g_ptr_array_index (owners, i), &nothing);
  for (guint i = 0; i < summaries->len; i++)
    {
      const VkDomainSummary *summary = g_ptr_array_index (summaries, i);
      g_autofree char *owner = vk_metrics_owner (summary->name, store);

      take_summary (metrics, owner, summary);
    }
}
