/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claim: the rules of prune mean what restic's mean. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "store/retention.h"

/* times: newest first, separated by spaces; kept: for each the reasons,
 * separated by commas, "-" for none. */
typedef struct
{
  const char *name;
  VkRetention retention;
  const char *times;
  const char *kept;
} PolicyCase;

#define THREE_DAYS "2026-03-03T12:00:00Z 2026-03-03T06:00:00Z 2026-03-02T12:00:00Z 2026-03-02T06:00:00Z 2026-03-01T12:00:00Z"

static const PolicyCase policies[] = {
  { "last", { .last = 2 }, THREE_DAYS, "last last - - -" },
  { "last-more-than-there-are", { .last = 9 }, THREE_DAYS, "last last last last last" },
  { "last-unlimited", { .last = VK_KEEP_ALL }, THREE_DAYS, "last last last last last" },
  { "daily-newest-of-each-day", { .daily = 2 }, THREE_DAYS, "daily - daily - -" },
  /* While a count is left, the oldest stays, though its day has one. */
  { "daily-oldest-stays", { .daily = 5 }, "2026-03-03T12:00:00Z 2026-03-02T12:00:00Z 2026-03-02T06:00:00Z", "daily daily daily" },
  { "daily-oldest-goes-without-count", { .daily = 2 }, "2026-03-03T12:00:00Z 2026-03-02T12:00:00Z 2026-03-02T06:00:00Z", "daily daily -" },
  { "daily-unlimited", { .daily = VK_KEEP_ALL }, THREE_DAYS, "daily - daily - daily" },
  { "days-without-points-do-not-count", { .daily = 3 }, "2026-03-30T00:00:00Z 2026-02-01T00:00:00Z 2025-01-01T00:00:00Z 2024-01-01T00:00:00Z", "daily daily daily -" },
  { "same-day-of-other-months", { .daily = 3 }, "2026-03-05T00:00:00Z 2026-02-05T00:00:00Z 2025-02-05T00:00:00Z", "daily daily daily" },
  { "hourly", { .hourly = 2 }, "2026-03-03T12:59:59Z 2026-03-03T12:00:00Z 2026-03-03T11:59:59Z 2026-03-03T11:00:00Z", "hourly - hourly -" },
  /* Monday 2 March 2026; the week of 1 January 2027 is one of 2026. */
  { "weekly", { .weekly = 2 }, "2026-03-09T00:00:00Z 2026-03-08T23:59:59Z 2026-03-02T00:00:00Z 2026-03-01T23:59:59Z", "weekly weekly - -" },
  { "weekly-over-new-year", { .weekly = 2 }, "2027-01-03T12:00:00Z 2026-12-28T12:00:00Z 2026-12-27T12:00:00Z 2026-12-20T12:00:00Z", "weekly - weekly -" },
  { "monthly", { .monthly = 2 }, "2026-03-31T00:00:00Z 2026-03-01T00:00:00Z 2026-02-28T23:59:59Z 2026-01-01T00:00:00Z", "monthly - monthly -" },
  { "yearly", { .yearly = 2 }, "2026-12-31T00:00:00Z 2026-01-01T00:00:00Z 2025-12-31T23:59:59Z 2024-12-31T23:59:59Z", "yearly - yearly -" },
  { "several-rules", { .last = 1, .daily = 2, .yearly = 1 }, THREE_DAYS, "last,daily,yearly - daily - -" },
  { "within-days", { .within = { .days = 1 } }, THREE_DAYS, "within within - - -" },
  { "within-is-exclusive", { .within = { .hours = 24 } }, "2026-03-03T12:00:00Z 2026-03-02T12:00:01Z 2026-03-02T12:00:00Z", "within within -" },
  { "within-counts-from-the-newest", { .within = { .hours = 7 } }, "2020-03-03T12:00:00Z 2020-03-03T06:00:00Z 2020-03-02T12:00:00Z", "within within -" },
  /* 31 March less a month is 31 February, which is 3 March. */
  { "within-a-month", { .within = { .months = 1 } }, "2026-03-31T00:00:00Z 2026-03-03T00:00:01Z 2026-03-03T00:00:00Z", "within within -" },
  { "within-over-leap-day", { .within = { .years = 1 } }, "2025-02-28T00:00:00Z 2024-02-29T00:00:00Z 2024-02-28T00:00:00Z", "within within -" },
  { "within-all-units", { .within = { 1, 1, 1, 1 } }, "2026-03-03T12:00:00Z 2025-02-02T11:00:01Z 2025-02-02T11:00:00Z", "within within -" },
  { "within-before-all-times", { .within = { .years = 100000 } }, THREE_DAYS, "within within within within within" },
  { "future-points-are-not-the-newest", { .within = { .hours = 1 } }, "2099-01-01T00:00:00Z 2026-03-03T12:00:00Z 2026-03-03T10:00:00Z", "within within -" },
  { "only-future-points", { .within = { .hours = 1 } }, "2099-01-01T00:00:00Z 2098-01-01T00:00:00Z", "within within" },
  { "microseconds", { .last = 1 }, "2026-03-03T12:00:00.500000Z 2026-03-03T12:00:00.499999Z", "last -" },
  { "one-point", { .yearly = 1 }, "2026-03-03T12:00:00Z", "yearly" },
};

static char *
apply (const VkRetention *retention, const char *times, GTimeZone *zone)
{
  g_autoptr (GPtrArray) retained = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_retained_free);
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) now = g_date_time_new_from_iso8601 ("2027-06-01T00:00:00Z", utc);
  g_auto (GStrv) words = g_strsplit (times, " ", -1);
  GString *result = g_string_new (NULL);

  for (char **word = words; *word != NULL; word++)
    g_ptr_array_add (retained, vk_retained_new (*word, zone));
  vk_retention_apply (retention, retained, now);
  for (guint i = 0; i < retained->len; i++)
    {
      const GPtrArray *reasons = ((VkRetained *) g_ptr_array_index (retained, i))->reasons;

      if (i > 0)
        g_string_append_c (result, ' ');
      if (reasons->len == 0)
        g_string_append_c (result, '-');
      for (guint k = 0; k < reasons->len; k++)
        g_string_append_printf (result, "%s%s", k ? "," : "", (const char *) g_ptr_array_index (reasons, k));
    }
  return g_string_free (result, FALSE);
}

static void
test_policy (gconstpointer data)
{
  const PolicyCase *policy = data;
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autofree char *kept = apply (&policy->retention, policy->times, utc);

  g_assert_cmpstr (kept, ==, policy->kept);
}

/* Days begin where the zone says: both are of 2 March in +02:00. */
static void
test_zone (void)
{
  g_autoptr (GTimeZone) zone = g_time_zone_new_offset (7200);
  VkRetention retention = { .daily = 1 };
  g_autofree char *kept = apply (&retention, "2026-03-02T21:59:00Z 2026-03-01T22:00:00Z 2026-03-01T21:59:00Z", zone);

  g_assert_cmpstr (kept, ==, "daily - -");
}

static void
test_no_points (void)
{
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  VkRetention retention = { .last = 1, .within = { .days = 1 } };

  vk_retention_apply (&retention, none, now);
  g_assert_cmpuint (none->len, ==, 0);
}

static void
test_not_a_time (void)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();

  g_assert_null (vk_retained_new ("yesterday", utc));
  g_assert_null (vk_retained_new ("", utc));
}

static void
test_empty (void)
{
  VkRetention retention = { 0 };

  g_assert_true (vk_retention_is_empty (&retention));
  retention.within.hours = 1;
  g_assert_false (vk_retention_is_empty (&retention));
  retention = (VkRetention) { .weekly = VK_KEEP_ALL };
  g_assert_false (vk_retention_is_empty (&retention));
}

static void
test_spans (void)
{
  static const struct
  {
    const char *text;
    VkSpan span;
  } spans[] = {
    { "2y5m7d3h", { 2, 5, 7, 3 } }, { "3h", { 0, 0, 0, 3 } }, { "7d2y", { 2, 0, 7, 0 } }, { "0d", { 0 } }, { "0012m", { 0, 12, 0, 0 } },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (spans); i++)
    {
      VkSpan span = { 9, 9, 9, 9 };

      g_assert_true (vk_span_parse ("--x", spans[i].text, &span, NULL));
      g_assert_cmpmem (&span, sizeof span, &spans[i].span, sizeof span);
    }
}

static void
test_bad_span (gconstpointer text)
{
  g_autoptr (GError) error = NULL;
  VkSpan span;

  g_assert_false (vk_span_parse ("--keep-within", text, &span, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
  g_assert_nonnull (strstr (error->message, "--keep-within"));
}

static void
test_counts (void)
{
  int count = 9;

  g_assert_true (vk_retention_parse_count ("--x", NULL, &count, NULL));
  g_assert_cmpint (count, ==, 0);
  g_assert_true (vk_retention_parse_count ("--x", "14", &count, NULL));
  g_assert_cmpint (count, ==, 14);
  g_assert_true (vk_retention_parse_count ("--x", "unlimited", &count, NULL));
  g_assert_cmpint (count, ==, VK_KEEP_ALL);
}

static void
test_bad_count (gconstpointer text)
{
  g_autoptr (GError) error = NULL;
  int count;

  g_assert_false (vk_retention_parse_count ("--keep-last", text, &count, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
}

int
main (int argc, char **argv)
{
  static const char *const bad_spans[] = { "", "3", "d", "3w", "3d4", "3d4d", "-3d", "3 d", "99999999999999999999d", "3dx" };
  static const char *const bad_counts[] = { "", "-1", "x", "3x", "99999999999", " 3" };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (policies); i++)
    {
      g_autofree char *path = g_strdup_printf ("/policy/%s", policies[i].name);

      g_test_add_data_func (path, &policies[i], test_policy);
    }
  g_test_add_func ("/policy/time-zone", test_zone);
  g_test_add_func ("/policy/no-points", test_no_points);
  g_test_add_func ("/policy/not-a-time", test_not_a_time);
  g_test_add_func ("/policy/empty", test_empty);
  g_test_add_func ("/options/spans", test_spans);
  for (gsize i = 0; i < G_N_ELEMENTS (bad_spans); i++)
    {
      g_autofree char *path = g_strdup_printf ("/options/bad-span/%zu", i);

      g_test_add_data_func (path, bad_spans[i], test_bad_span);
    }
  g_test_add_func ("/options/counts", test_counts);
  for (gsize i = 0; i < G_N_ELEMENTS (bad_counts); i++)
    {
      g_autofree char *path = g_strdup_printf ("/options/bad-count/%zu", i);

      g_test_add_data_func (path, bad_counts[i], test_bad_count);
    }
  return g_test_run ();
}
