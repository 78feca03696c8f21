/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/retention.h"

#include <string.h>

#include "base/error.h"

/* Numbers beyond this mean nothing to a calendar. */
enum { MAXIMUM_NUMBER = 1000000 };

static gboolean
parse_number (const char **text, int *number)
{
  guint64 value;
  char *end;

  if (!g_ascii_isdigit (**text))
    return FALSE;
  value = g_ascii_strtoull (*text, &end, 10);
  if (value > MAXIMUM_NUMBER)
    return FALSE;
  *number = (int) value;
  *text = end;
  return TRUE;
}

gboolean
vk_span_parse (const char *option, const char *text, VkSpan *span, GError **error)
{
  const char *rest = text;
  const char *taken = text; /* how far it makes sense */
  VkSpan result = { 0 };
  gboolean given[4] = { FALSE };
  int *const fields[] = { &result.years, &result.months, &result.days, &result.hours };
  static const char units[] = "ymdh";
  int number;

  while (parse_number (&rest, &number))
    {
      const char *unit = *rest ? strchr (units, *rest) : NULL;

      if (unit == NULL || given[unit - units])
        break;
      given[unit - units] = TRUE;
      *fields[unit - units] = number;
      taken = ++rest;
    }
  if (*taken == '\0' && *text != '\0')
    {
      *span = result;
      return TRUE;
    }
  return vk_fail (error, VK_ERROR_USAGE, "%s cannot be '%s': it is a duration in years, months, days and hours such as 2y5m7d3h", option, text);
}

gboolean
vk_retention_parse_count (const char *option, const char *text, int *count, GError **error)
{
  const char *rest = text;

  *count = 0;
  if (text == NULL)
    return TRUE;
  if (strcmp (text, "unlimited") == 0)
    {
      *count = VK_KEEP_ALL;
      return TRUE;
    }
  if (parse_number (&rest, count) && *rest == '\0')
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "%s cannot be '%s': it is a number of restore points, or 'unlimited'", option, text);
}

static gboolean
span_is_zero (const VkSpan *span)
{
  return span->years == 0 && span->months == 0 && span->days == 0 && span->hours == 0;
}

gboolean
vk_retention_is_empty (const VkRetention *retention)
{
  return retention->last == 0 && retention->hourly == 0 && retention->daily == 0 && retention->weekly == 0
      && retention->monthly == 0 && retention->yearly == 0 && span_is_zero (&retention->within);
}

/* What all points of one hour, day, ... have in common. */

static int
number_of_point (GDateTime *time, int place)
{
  return place;
}

static int
number_of_hour (GDateTime *time, int place)
{
  return ((g_date_time_get_year (time) * 13 + g_date_time_get_month (time)) * 32 + g_date_time_get_day_of_month (time)) * 24 + g_date_time_get_hour (time);
}

static int
number_of_day (GDateTime *time, int place)
{
  return (g_date_time_get_year (time) * 13 + g_date_time_get_month (time)) * 32 + g_date_time_get_day_of_month (time);
}

static int
number_of_week (GDateTime *time, int place)
{
  return g_date_time_get_week_numbering_year (time) * 54 + g_date_time_get_week_of_year (time);
}

static int
number_of_month (GDateTime *time, int place)
{
  return g_date_time_get_year (time) * 13 + g_date_time_get_month (time);
}

static int
number_of_year (GDateTime *time, int place)
{
  return g_date_time_get_year (time);
}

/* The moment that lies span before time, by the calendar: a day of a month that
 * does not have it is one of the next.  NULL: before all times. */
static GDateTime *
go_back (GDateTime *time, const VkSpan *span)
{
  int months = g_date_time_get_year (time) * 12 + g_date_time_get_month (time) - 1 - span->years * 12 - span->months;
  g_autoptr (GTimeZone) zone = months >= 12 ? g_time_zone_ref (g_date_time_get_timezone (time)) : NULL;
  g_autoptr (GDateTime) first = NULL;
  g_autoptr (GDateTime) day = NULL;

  if (zone == NULL)
    return NULL;
  first = g_date_time_new (zone, months / 12, months % 12 + 1, 1, g_date_time_get_hour (time), g_date_time_get_minute (time), g_date_time_get_seconds (time));
  day = first ? g_date_time_add_days (first, g_date_time_get_day_of_month (time) - 1 - span->days) : NULL;
  return day ? g_date_time_add_hours (day, -span->hours) : NULL;
}

static void
keep_within (const VkSpan *span, GPtrArray *retained, GDateTime *now)
{
  g_autoptr (GDateTime) limit = NULL;
  GDateTime *newest = NULL;

  for (guint i = 0; newest == NULL && i < retained->len; i++)
    {
      GDateTime *time = ((VkRetained *) g_ptr_array_index (retained, i))->time;

      if (g_date_time_compare (time, now) < 0)
        newest = time;
    }
  limit = newest ? go_back (newest, span) : NULL;
  for (guint i = 0; i < retained->len; i++)
    {
      VkRetained *point = g_ptr_array_index (retained, i);

      if (limit == NULL || g_date_time_compare (point->time, limit) > 0)
        g_ptr_array_add (point->reasons, (gpointer) "within");
    }
}

/* Keeps the newest point of each of the count newest hours, days, ... that have
 * one; the oldest of all, too, while the count is not used up. */
static void
keep_some (int count, const char *reason, int (*number_of) (GDateTime *time, int place), GPtrArray *retained)
{
  int last = -1;

  for (guint i = 0; i < retained->len && count != 0; i++)
    {
      VkRetained *point = g_ptr_array_index (retained, i);
      int number = number_of (point->time, (int) i);

      if (number == last && i + 1 < retained->len)
        continue;
      last = number;
      if (count > 0)
        count--;
      g_ptr_array_add (point->reasons, (gpointer) reason);
    }
}

void
vk_retention_apply (const VkRetention *retention, GPtrArray *retained, GDateTime *now)
{
  if (!span_is_zero (&retention->within))
    keep_within (&retention->within, retained, now);
  keep_some (retention->last, "last", number_of_point, retained);
  keep_some (retention->hourly, "hourly", number_of_hour, retained);
  keep_some (retention->daily, "daily", number_of_day, retained);
  keep_some (retention->weekly, "weekly", number_of_week, retained);
  keep_some (retention->monthly, "monthly", number_of_month, retained);
  keep_some (retention->yearly, "yearly", number_of_year, retained);
}

VkRetained *
vk_retained_new (const char *instant, GTimeZone *zone)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) time = g_date_time_new_from_iso8601 (instant, utc);
  VkRetained *retained;

  if (time == NULL)
    return NULL;
  retained = g_new0 (VkRetained, 1);
  retained->time = g_date_time_to_timezone (time, zone);
  retained->reasons = g_ptr_array_new ();
  return retained;
}

void
vk_retained_free (VkRetained *retained)
{
  g_date_time_unref (retained->time);
  g_ptr_array_unref (retained->reasons);
  g_free (retained);
}
