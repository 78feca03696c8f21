/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verdicts survive being written as JSON and as a line, and nothing that is none
 * is taken for one. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "store/store.h"

static void
assert_same (const VkVerdict *a, const VkVerdict *b)
{
  g_assert_nonnull (a);
  g_assert_nonnull (b);
  g_assert_cmpint (a->proven, ==, b->proven);
  g_assert_cmpstr (a->time, ==, b->time);
  g_assert_cmpstr (a->virt_keep_version, ==, b->virt_keep_version);
  g_assert_cmpuint (a->milliseconds, ==, b->milliseconds);
  g_assert_cmpstr (a->reason, ==, b->reason);
}

static void
test_round_trip (gconstpointer reason)
{
  g_autoptr (VkVerdict) verdict = vk_verdict_new (4210, reason);
  g_autoptr (JsonObject) object = vk_verdict_to_json (verdict);
  g_autofree char *line = vk_verdict_to_line (verdict);
  g_autoptr (VkVerdict) of_json = vk_verdict_from_json (object, NULL);
  g_autoptr (VkVerdict) of_line = vk_verdict_from_line (line, verdict->proven);
  g_autoptr (VkVerdict) of_other_line = vk_verdict_from_line (line, !verdict->proven);
  g_autoptr (VkVerdict) copy = vk_verdict_copy (verdict);

  g_assert_cmpint (verdict->proven, ==, reason == NULL);
  assert_same (of_json, verdict);
  assert_same (of_line, verdict);
  assert_same (copy, verdict);
  g_assert_null (of_other_line);
}

/* What a guest or libvirt has said may be part of a reason. */
static void
test_reason_is_one_line (void)
{
  g_autofree char *text = g_strdup_printf ("two\nlines\x1b[2J \xff%s", "");
  g_autofree char *endless = g_strnfill (VK_NOTE_LIMIT * 2, 'x');
  g_autoptr (VkVerdict) verdict = vk_verdict_new (1, text);
  g_autoptr (VkVerdict) cut = vk_verdict_new (1, endless);

  g_assert_cmpstr (verdict->reason, ==, "two lines [2J \xef\xbf\xbd");
  g_assert_cmpuint (strlen (cut->reason), ==, VK_NOTE_LIMIT);
  test_round_trip (text);
  test_round_trip (endless);
}

static void
test_bad_line (gconstpointer data)
{
  g_autoptr (VkVerdict) proven = vk_verdict_from_line (data, TRUE);
  g_autoptr (VkVerdict) not_proven = vk_verdict_from_line (data, FALSE);

  g_assert_null (proven);
  g_assert_null (not_proven);
}

static void
test_bad_json (gconstpointer data)
{
  g_autoptr (JsonObject) object = vk_json_parse (data, "it", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (object);
  g_assert_null (vk_verdict_from_json (object, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
}

static void
test_text (void)
{
  g_autoptr (VkVerdict) good = vk_verdict_new (4210, NULL);
  g_autoptr (VkVerdict) bad = vk_verdict_new (300, "it hangs");
  g_autofree char *yes = vk_verdict_to_text (good);
  g_autofree char *no = vk_verdict_to_text (bad);

  g_assert_true (g_str_has_prefix (yes, "yes, at 20"));
  g_assert_true (g_str_has_suffix (yes, ", by virt-keep " PACKAGE_VERSION ", in 4.2 s"));
  g_assert_true (g_str_has_prefix (no, "no, at 20"));
  g_assert_true (g_str_has_suffix (no, ", in 0.3 s: it hangs"));
}

int
main (int argc, char **argv)
{
  static const char *const bad_lines[] = {
    "", "x", "2026-11-24T22:36:25Z", "2026-11-24T22:36:25Z 12", "2026-11-24T22:36:25Z -12 0.1.0", "yesterday 12 0.1.0",
    "2026-11-24T22:36:25Z 12 ", "2026-11-24T22:36:25Z 12x 0.1.0", "2026-11-24T22:36:25Z 12 0.1.0 \x1b[2J", "2026-11-24T22:36:25Z 12 \x07",
  };
  static const char *const bad_json[] = {
    "{}", "{\"proven\":1}", "{\"proven\":true,\"time\":\"soon\",\"virt_keep_version\":\"1\"}",
    "{\"proven\":false,\"time\":\"2026-11-24T22:36:25Z\",\"virt_keep_version\":\"1\"}",
    "{\"proven\":true,\"time\":\"2026-11-24T22:36:25Z\",\"virt_keep_version\":\"1\",\"reason\":\"but\"}",
    "{\"proven\":true,\"time\":\"2026-11-24T22:36:25Z\",\"virt_keep_version\":\"1\",\"milliseconds\":-1}",
    "{\"proven\":false,\"time\":\"2026-11-24T22:36:25Z\",\"virt_keep_version\":\"1\",\"reason\":\"\\u001b[2J\"}",
  };

  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/verdict/proven", NULL, test_round_trip);
  g_test_add_data_func ("/verdict/not-proven", "it does not boot, at all: \"\xc3\xa9\"", test_round_trip);
  g_test_add_func ("/verdict/reason", test_reason_is_one_line);
  g_test_add_func ("/verdict/text", test_text);
  for (gsize i = 0; i < G_N_ELEMENTS (bad_lines); i++)
    {
      g_autofree char *path = g_strdup_printf ("/verdict/bad-line/%zu", i);

      g_test_add_data_func (path, bad_lines[i], test_bad_line);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (bad_json); i++)
    {
      g_autofree char *path = g_strdup_printf ("/verdict/bad-json/%zu", i);

      g_test_add_data_func (path, bad_json[i], test_bad_json);
    }
  return g_test_run ();
}
