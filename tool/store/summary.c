/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/summary.h"

#include <string.h>

void
vk_domain_summary_free (VkDomainSummary *summary)
{
  g_free (summary->name);
  g_free (summary->uuid);
  g_ptr_array_unref (summary->points);
  g_clear_pointer (&summary->instant, g_date_time_unref);
  g_clear_pointer (&summary->oldest, g_date_time_unref);
  g_ptr_array_unref (summary->problems);
  g_free (summary);
}

static VkDomainSummary *
summary_new (const char *name, const char *uuid)
{
  VkDomainSummary *summary = g_new0 (VkDomainSummary, 1);

  summary->name = g_strdup (name);
  summary->uuid = g_strdup (uuid);
  summary->points = g_ptr_array_new ();
  summary->problems = g_ptr_array_new_with_free_func (g_free);
  return summary;
}

GDateTime *
vk_point_instant (const VkPoint *point)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();

  return g_date_time_new_from_iso8601 (point->manifest ? point->manifest->instant : point->id, utc);
}

/* A damaged point may have no manifest, and is called by the name or the UUID of its domain then. */
static gboolean
is_of (const VkDomainSummary *summary, const VkPoint *point)
{
  if (point->manifest != NULL && summary->uuid != NULL)
    return strcmp (point->manifest->domain_uuid, summary->uuid) == 0;
  return g_strcmp0 (point->domain, summary->name) == 0 || g_strcmp0 (point->domain, summary->uuid) == 0;
}

static void
add_point (VkDomainSummary *summary, const VkPoint *point)
{
  g_autoptr (GDateTime) instant = vk_point_instant (point);

  g_ptr_array_add (summary->points, (gpointer) point);
  summary->damaged += point->damage != NULL;
  summary->unreadable += point->annotation_damage != NULL;
  if (point->manifest != NULL)
    {
      g_free (summary->name);
      summary->name = g_strdup (point->manifest->domain_name);
      summary->bytes += vk_manifest_image_bytes (point->manifest);
    }
  if (point->verdict != NULL && (summary->verdict == NULL || strcmp (point->verdict->time, summary->verdict->time) >= 0))
    summary->verdict = point->verdict;
  if (point->damage != NULL || instant == NULL)
    return;
  summary->newest = point;
  g_clear_pointer (&summary->instant, g_date_time_unref);
  summary->instant = g_steal_pointer (&instant);
  if (point->verdict != NULL && point->verdict->proven)
    summary->proven = point;
}

static VkDomainSummary *
find_or_add (GPtrArray *summaries, const VkPoint *point)
{
  VkDomainSummary *summary;

  for (guint i = 0; i < summaries->len; i++)
    if (is_of (g_ptr_array_index (summaries, i), point))
      return g_ptr_array_index (summaries, i);
  summary = summary_new (point->domain, point->manifest ? point->manifest->domain_uuid : NULL);
  g_ptr_array_add (summaries, summary);
  return summary;
}

/* The id is a time. */
static int
compare_ids (gconstpointer left, gconstpointer right)
{
  return strcmp ((*(const VkPoint *const *) left)->id, (*(const VkPoint *const *) right)->id);
}

GPtrArray *
vk_summarize (const GPtrArray *points, gboolean whole_points)
{
  GPtrArray *summaries = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_domain_summary_free);

  /* Those with a manifest first, so that the others find their domain. */
  for (guint pass = 0; pass < 2; pass++)
    for (guint i = 0; i < points->len; i++)
      {
        const VkPoint *point = g_ptr_array_index (points, i);

        if ((point->manifest == NULL) == (pass == 1))
          add_point (find_or_add (summaries, point), point);
      }
  for (guint i = 0; i < summaries->len; i++)
    {
      VkDomainSummary *summary = g_ptr_array_index (summaries, i);

      g_ptr_array_sort (summary->points, compare_ids);
      if (summary->newest != NULL)
        summary->chain = whole_points ? 1 : vk_point_chain_length (summary->points, summary->newest);
    }
  return summaries;
}

void
vk_summary_add_missing (GPtrArray *summaries, const char *name)
{
  for (guint i = 0; i < summaries->len; i++)
    if (strcmp (((VkDomainSummary *) g_ptr_array_index (summaries, i))->name, name) == 0)
      return;
  g_ptr_array_add (summaries, summary_new (name, NULL));
}

void
vk_summary_judge (VkDomainSummary *summary, GDateTime *oldest)
{
  summary->oldest = g_date_time_ref (oldest);
  if (summary->points->len == 0)
    g_ptr_array_add (summary->problems, g_strdup ("there is no restore point"));
  else if (summary->newest == NULL)
    g_ptr_array_add (summary->problems, g_strdup ("no restore point can be used"));
  else if (g_date_time_compare (summary->instant, oldest) < 0)
    g_ptr_array_add (summary->problems, g_strdup ("the newest restore point is too old"));
  if (summary->damaged > 0)
    g_ptr_array_add (summary->problems, g_strdup_printf ("%u restore point%s damaged", summary->damaged, summary->damaged == 1 ? " is" : "s are"));
  if (summary->unreadable > 0)
    g_ptr_array_add (summary->problems, g_strdup_printf ("whether %u restore point%s protected or proven cannot be read", summary->unreadable, summary->unreadable == 1 ? " is" : "s are"));
  if (summary->verdict != NULL && !summary->verdict->proven)
    g_ptr_array_add (summary->problems, g_strdup_printf ("the last proof failed: %s", summary->verdict->reason));
}

static int
compare (gconstpointer left, gconstpointer right)
{
  const VkDomainSummary *one = *(VkDomainSummary *const *) left;
  const VkDomainSummary *other = *(VkDomainSummary *const *) right;

  if ((one->problems->len > 0) != (other->problems->len > 0))
    return one->problems->len > 0 ? -1 : 1;
  return strcmp (one->name, other->name);
}

void
vk_summaries_sort (GPtrArray *summaries)
{
  g_ptr_array_sort (summaries, compare);
}
