/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metrics are what Prometheus reads; what others have written into the file stays, or is
 * refused; and no process loses what another one counts. */
#include "config.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "base/files.h"
#include "report/domain-metrics.h"
#include "report/metrics-file.h"
#include "store/store.h"
#include "store/summary.h"

static void
test_text (void)
{
  g_autoptr (VkMetrics) metrics = vk_metrics_new ();
  g_autoptr (VkMetrics) again = vk_metrics_new ();
  g_autofree char *owner = vk_metrics_owner ("a<b&c\"\\}\n", "/srv/backup");
  g_autofree char *text = NULL;
  g_autofree char *text_again = NULL;
  guint line = 0;

  vk_metrics_set (metrics, VK_METRIC_DURATION, owner, NULL, 1.25);
  vk_metrics_set (metrics, VK_METRIC_STORED, owner, NULL, 123456789012.0);
  vk_metrics_count (metrics, VK_METRIC_FAILURES, owner, "guest");
  vk_metrics_count (metrics, VK_METRIC_FAILURES, owner, "guest");
  text = vk_metrics_to_text (metrics);
  g_assert_cmpstr (text, ==,
                   "# HELP virt_keep_backup_duration_seconds How long the last backup that made a restore point took.\n"
                   "# TYPE virt_keep_backup_duration_seconds gauge\n"
                   "virt_keep_backup_duration_seconds{domain=\"a<b&c\\\"\\\\}\\n\",store=\"/srv/backup\"} 1.25\n"
                   "# HELP virt_keep_backup_failures_total Backups that failed, by the class of the error.\n"
                   "# TYPE virt_keep_backup_failures_total counter\n"
                   "virt_keep_backup_failures_total{domain=\"a<b&c\\\"\\\\}\\n\",store=\"/srv/backup\",reason=\"guest\"} 2\n"
                   "# HELP virt_keep_stored_bytes What their images take.\n"
                   "# TYPE virt_keep_stored_bytes gauge\n"
                   "virt_keep_stored_bytes{domain=\"a<b&c\\\"\\\\}\\n\",store=\"/srv/backup\"} 123456789012\n");
  g_assert_true (vk_metrics_parse (again, text, &line));
  vk_metrics_count (again, VK_METRIC_FAILURES, owner, "guest");
  vk_metrics_unset (again, VK_METRIC_DURATION, owner);
  vk_metrics_unset (again, VK_METRIC_STORED, owner);
  text_again = vk_metrics_to_text (again);
  g_assert_true (g_str_has_suffix (text_again, "reason=\"guest\"} 3\n"));
  g_assert_null (strstr (text_again, "duration"));
}

static void
test_name_that_is_no_utf8 (void)
{
  g_autofree char *owner = vk_metrics_owner ("\xff" "web", "/s");

  g_assert_cmpstr (owner, ==, "domain=\"\xef\xbf\xbdweb\",store=\"/s\"");
}

static void
test_foreign (void)
{
  static const char *const foreign[] = {
    "node_load1 1\n", "# HELP node_load1 Load.\n", "virt_keep_points 1\n", "virt_keep_points{domain=\"a\"}\n",
    "virt_keep_points{domain=\"a\"} 1 1234\n", "virt_keep_points}{ 1\n", "virt_keep_points{domain=\"a\"} one\n", "\x7f" "ELF",
  };
  g_autoptr (VkMetrics) metrics = vk_metrics_new ();
  guint line = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (foreign); i++)
    {
      g_autofree char *text = g_strconcat ("\n", foreign[i], NULL);

      g_assert_false (vk_metrics_parse (metrics, text, &line));
      g_assert_cmpuint (line, ==, 2);
    }
  g_assert_true (vk_metrics_parse (metrics, "virt_keep_of_a_later_version{domain=\"a\",store=\"b\"} 1\n", &line));
}

/* --- the file ------------------------------------------------------------------ */

static char *
new_file (void)
{
  g_autofree char *directory = g_dir_make_tmp ("virt-keep-metrics.XXXXXX", NULL);

  g_assert_nonnull (directory);
  return g_build_filename (directory, "virt-keep.prom", NULL);
}

static void
remove_file (const char *path)
{
  g_autofree char *directory = g_path_get_dirname (path);

  g_assert_true (vk_tree_remove (directory, NULL));
}

static void
count (VkMetrics *metrics, gpointer owner)
{
  vk_metrics_count (metrics, VK_METRIC_FAILURES, owner, "guest");
}

/* What each of several processes does at the same time. */
static gboolean
count_often (const char *path, guint process, guint times)
{
  g_autofree char *name = g_strdup_printf ("%u", process);
  g_autofree char *own = vk_metrics_owner (name, "/s");
  g_autofree char *shared = vk_metrics_owner ("shared", "/s");

  for (guint i = 0; i < times; i++)
    if (!vk_metrics_file_update (path, count, own, NULL) || !vk_metrics_file_update (path, count, shared, NULL))
      return FALSE;
  return TRUE;
}

static void
test_processes (void)
{
  enum { PROCESSES = 4, TIMES = 20 };
  g_autofree char *path = new_file ();
  g_autofree char *text = NULL;
  mode_t mask = umask (077);
  struct stat status;

  for (guint i = 0; i < PROCESSES; i++)
    if (fork () == 0)
      _exit (!count_often (path, i, TIMES));
  for (guint i = 0; i < PROCESSES; i++)
    {
      int ended;

      g_assert_cmpint (wait (&ended), >, 0);
      g_assert_cmpint (ended, ==, 0);
    }
  umask (mask);
  text = vk_file_read (path, 1 << 20, NULL, NULL);
  g_assert_nonnull (strstr (text, "{domain=\"shared\",store=\"/s\",reason=\"guest\"} 80\n"));
  g_assert_nonnull (strstr (text, "{domain=\"3\",store=\"/s\",reason=\"guest\"} 20\n"));
  g_assert_cmpint (stat (path, &status), ==, 0);
  g_assert_cmpint (status.st_mode & 07777, ==, 0644);
  remove_file (path);
}

static void
test_file_of_others (void)
{
  g_autofree char *path = new_file ();
  g_autofree char *owner = vk_metrics_owner ("web", "/s");
  g_autofree char *text = NULL;
  g_autofree char *nowhere = g_build_filename (path, "x.prom", NULL);
  g_autoptr (GError) refused = NULL;
  g_autoptr (GError) unwritable = NULL;

  g_assert_true (g_file_set_contents (path, "node_load1 1\n", -1, NULL));
  g_assert_false (vk_metrics_file_update (path, count, owner, &refused));
  g_assert_error (refused, VK_ERROR, VK_ERROR_REFUSED);
  text = vk_file_read (path, 1 << 20, NULL, NULL);
  g_assert_cmpstr (text, ==, "node_load1 1\n");
  g_assert_false (vk_metrics_file_update (nowhere, NULL, NULL, &unwritable));
  g_assert_error (unwritable, VK_ERROR, VK_ERROR_STORE);
  remove_file (path);
}

static void
test_check_makes_nothing (void)
{
  g_autofree char *path = new_file ();

  g_assert_true (vk_metrics_file_update (path, NULL, NULL, NULL));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  remove_file (path);
}

/* --- domains ------------------------------------------------------------------- */

static void
test_domain_without_points (void)
{
  g_autoptr (VkMetrics) metrics = vk_metrics_new ();
  g_autofree char *gone = vk_metrics_owner ("gone", "/s");
  g_autofree char *elsewhere = vk_metrics_owner ("gone", "/other");
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  g_autofree char *text = NULL;

  vk_metrics_set (metrics, VK_METRIC_POINTS, gone, NULL, 2);
  vk_metrics_set (metrics, VK_METRIC_CHAIN, gone, NULL, 2);
  vk_metrics_set (metrics, VK_METRIC_POINTS, elsewhere, NULL, 7);
  vk_metrics_take_points (metrics, "/s", none, FALSE);
  vk_metrics_take_points (metrics, "/s", none, TRUE);
  text = vk_metrics_to_text (metrics);
  g_assert_nonnull (strstr (text, "virt_keep_points{domain=\"gone\",store=\"/s\"} 0\n"));
  g_assert_nonnull (strstr (text, "virt_keep_points{domain=\"gone\",store=\"/other\"} 7\n"));
  g_assert_null (strstr (text, "virt_keep_chain_points{"));
}

static void
test_proven (void)
{
  g_autoptr (VkMetrics) metrics = vk_metrics_new ();
  g_autoptr (GPtrArray) points = g_ptr_array_new ();
  g_autoptr (GPtrArray) summaries = g_ptr_array_new ();
  VkVerdict yes = { .proven = TRUE, .time = (char *) "1970-01-02T00:00:00Z" };
  VkVerdict no = { .proven = FALSE, .time = (char *) "1970-01-03T00:00:00Z" };
  VkManifest manifest = { .instant = (char *) "1970-01-01T00:00:01.5Z" };
  VkPoint point = { .manifest = &manifest, .verdict = &yes };
  VkDomainSummary summary = { .name = (char *) "web", .points = points, .newest = &point, .chain = 3, .verdict = &no, .proven = &point };
  g_autofree char *text = NULL;

  g_ptr_array_add (points, &point);
  g_ptr_array_add (summaries, &summary);
  vk_metrics_take_points (metrics, "/s", summaries, TRUE);
  text = vk_metrics_to_text (metrics);
  g_assert_nonnull (strstr (text, "virt_keep_last_proven_timestamp_seconds{domain=\"web\",store=\"/s\"} 86400\n"));
  g_assert_nonnull (strstr (text, "virt_keep_last_proof_success{domain=\"web\",store=\"/s\"} 0\n"));
  g_assert_nonnull (strstr (text, "virt_keep_newest_point_timestamp_seconds{domain=\"web\",store=\"/s\"} 1.5\n"));
  g_assert_nonnull (strstr (text, "virt_keep_chain_points{domain=\"web\",store=\"/s\"} 3\n"));
}

static void
test_shown_url (void)
{
  static const char *const urls[][2] = {
    { "/srv/../srv/a@b", "/srv/a@b" },
    { "image:/srv/x", "/srv/x" },
    { "restic:/srv/a@b", "restic:/srv/a@b" },
    { "restic:rest:https://me:se@cret@host:1/p@th", "restic:rest:https://host:1/p@th" },
    { "restic:s3:https://host/p@th", "restic:s3:https://host/p@th" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (urls); i++)
    {
      g_autofree char *shown = vk_store_shown_url (urls[i][0]);

      g_assert_cmpstr (shown, ==, urls[i][1]);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/metrics/text", test_text);
  g_test_add_func ("/metrics/name-that-is-no-utf8", test_name_that_is_no_utf8);
  g_test_add_func ("/metrics/foreign", test_foreign);
  g_test_add_func ("/metrics/processes", test_processes);
  g_test_add_func ("/metrics/file-of-others", test_file_of_others);
  g_test_add_func ("/metrics/check-makes-nothing", test_check_makes_nothing);
  g_test_add_func ("/metrics/domain-without-points", test_domain_without_points);
  g_test_add_func ("/metrics/proven", test_proven);
  g_test_add_func ("/metrics/shown-url", test_shown_url);
  return g_test_run ();
}
