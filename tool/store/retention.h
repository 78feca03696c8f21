/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which restore points to keep: restic's rules and words.  No files, no clock. */
#pragma once

#include <glib.h>

/* A number of points to keep without end. */
enum { VK_KEEP_ALL = -1 };

typedef struct
{
  int years, months, days, hours;
} VkSpan;

/* The rules; zero is for a rule that was not given. */
typedef struct
{
  int last, hourly, daily, weekly, monthly, yearly; /* or VK_KEEP_ALL */
  VkSpan within;
} VkRetention;

/* One point and, after vk_retention_apply(), why it is kept. */
typedef struct
{
  GDateTime *time;   /* in the time zone in which days begin */
  GPtrArray *reasons; /* of const char *, the rules' names: "last", "daily", "within", ...; empty: not kept */
} VkRetained;

/* "2y5m7d3h": years, months, days and hours, each at most once.
 * VK_ERROR_USAGE naming option otherwise. */
gboolean vk_span_parse (const char *option, const char *text, VkSpan *span, GError **error);

/* A number of points: 0 or more, or "unlimited".  NULL is 0.
 * VK_ERROR_USAGE naming option otherwise. */
gboolean vk_retention_parse_count (const char *option, const char *text, int *count, GError **error);

/* Whether no rule is given. */
gboolean vk_retention_is_empty (const VkRetention *retention);

/* retained: of VkRetained, newest first.  now: points later than that do not
 * count as the newest one that "within" counts back from. */
void vk_retention_apply (const VkRetention *retention, GPtrArray *retained, GDateTime *now);

/* Returns: (transfer full) a new entry without reasons for a point at the RFC
 * 3339 time instant, NULL when that is none. */
VkRetained *vk_retained_new (const char *instant, GTimeZone *zone);
void vk_retained_free (VkRetained *retained);
