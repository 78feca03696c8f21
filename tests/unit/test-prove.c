/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is expected of a machine is read as it is meant, and a console is read line
 * by line whatever the guest writes, in whatever pieces it comes. */
#include "config.h"

#include <glib/gstdio.h>
#include <png.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "host/screenshot.h"
#include "prove/console.h"
#include "prove/expect.h"

/* --- expectations ------------------------------------------------------------- */

static void
test_expectations (void)
{
  static const char *const words[] = { "console:^READY \\d+$", "agent", "port:22", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) expectations = vk_expectations_parse (words, &error);
  VkExpectation *console, *port;

  g_assert_no_error (error);
  g_assert_cmpuint (expectations->len, ==, 3);
  console = g_ptr_array_index (expectations, 0);
  port = g_ptr_array_index (expectations, 2);
  g_assert_cmpint (console->kind, ==, VK_EXPECT_CONSOLE);
  g_assert_true (g_regex_match (console->regex, "READY 7", 0, NULL));
  g_assert_false (g_regex_match (console->regex, "ALREADY 7", 0, NULL));
  g_assert_cmpint (port->kind, ==, VK_EXPECT_PORT);
  g_assert_cmpuint (port->port, ==, 22);
  g_assert_true (vk_expectations_open (expectations) == console);
  console->met = TRUE;
  g_assert_cmpint (vk_expectations_open (expectations)->kind, ==, VK_EXPECT_AGENT);
  vk_expectations_reset (expectations);
  g_assert_true (vk_expectations_open (expectations) == console);
  g_assert_true (vk_expectations_need_agent (expectations));
}

static void
test_default_expectation (void)
{
  static const char *const none[] = { NULL };
  static const char *const only_console[] = { "console:x", NULL };
  g_autoptr (GPtrArray) of_null = vk_expectations_parse (NULL, NULL);
  g_autoptr (GPtrArray) of_none = vk_expectations_parse (none, NULL);
  g_autoptr (GPtrArray) console = vk_expectations_parse (only_console, NULL);

  g_assert_cmpuint (of_null->len, ==, 1);
  g_assert_cmpuint (of_none->len, ==, 1);
  g_assert_cmpint (vk_expectations_open (of_none)->kind, ==, VK_EXPECT_AGENT);
  g_assert_false (vk_expectations_need_agent (console));
}

static void
test_bad_expectation (gconstpointer data)
{
  const char *const words[] = { "agent", data, NULL };
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_expectations_parse (words, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
}

static void
test_ports (void)
{
  static const char table[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n"
    "   1: 0100007F:1F90 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0\n"
    "  12: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0 0 0 0 3\n";

  g_assert_true (vk_port_is_listened_on (table, 22));
  g_assert_true (vk_port_is_listened_on (table, 631));
  /* Connected, of the other side, and not there. */
  g_assert_false (vk_port_is_listened_on (table, 8080));
  g_assert_false (vk_port_is_listened_on (table, 80));
  g_assert_false (vk_port_is_listened_on (table, 443));
  g_assert_false (vk_port_is_listened_on ("", 22));
}

/* --- the console --------------------------------------------------------------- */

typedef struct
{
  char *dir;
  char *path;
  GString *seen; /* the lines, each behind a | */
  VkConsole *console;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->dir = g_dir_make_tmp ("virt-keep-console-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->dir, "console", NULL);
  fixture->seen = g_string_new (NULL);
  fixture->console = vk_console_new (fixture->path);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  vk_console_free (fixture->console);
  g_string_free (fixture->seen, TRUE);
  vk_tree_remove (fixture->dir, NULL);
  g_free (fixture->dir);
  g_free (fixture->path);
}

static void
see (const char *line, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_true (g_utf8_validate (line, -1, NULL));
  g_string_append_printf (fixture->seen, "|%s", line);
}

/* The guest writes length bytes of text. */
static void
guest_writes (Fixture *fixture, const char *text, gsize length)
{
  FILE *file = g_fopen (fixture->path, "a");

  g_assert_nonnull (file);
  g_assert_cmpuint (fwrite (text, 1, length, file), ==, length);
  fclose (file);
}

/* What is seen of text since the last time. */
static void
assert_seen (Fixture *fixture, const char *expected)
{
  g_string_truncate (fixture->seen, 0);
  g_assert_true (vk_console_read (fixture->console, see, fixture));
  g_assert_cmpstr (fixture->seen->str, ==, expected);
}

static void
assert_shown (Fixture *fixture, const char *text, const char *expected)
{
  guest_writes (fixture, text, strlen (text));
  assert_seen (fixture, expected);
}

static void
test_pieces (Fixture *fixture, gconstpointer data)
{
  assert_seen (fixture, "");
  assert_shown (fixture, "one\r\ntw", "|one|tw");
  assert_seen (fixture, "");
  assert_shown (fixture, "o\r", "|two");
  assert_shown (fixture, "\n\nlogin: ", "|two||login: ");
  /* Half of a character, and then the other half. */
  assert_shown (fixture, "\xc3", "|login: \xef\xbf\xbd");
  assert_shown (fixture, "\xa9\n", "|login: \xc3\xa9");
}

static void
test_escapes (Fixture *fixture, gconstpointer data)
{
  assert_shown (fixture, "[\x1b[0;32m  OK  \x1b[0m] Started\n", "|[  OK  ] Started");
  assert_shown (fixture, "a\x1b", "|a");
  assert_shown (fixture, "[3", "");
  assert_shown (fixture, "1mb\n", "|ab");
  assert_shown (fixture, "\x1b]0;title\x07x\x1b=y\n", "|xy");
  assert_shown (fixture, "\x1b]0;endless\nz\n", "||z");
  assert_shown (fixture, "bell\x07 tab\tdel\x7f c1\xc2\x9b\n", "|bell tab del c1??");
}

static void
test_zeroes (Fixture *fixture, gconstpointer data)
{
  guest_writes (fixture, "a\0b\xff\n", 5);
  assert_seen (fixture, "|ab\xef\xbf\xbd");
}

static void
test_long_line (Fixture *fixture, gconstpointer data)
{
  g_autofree char *endless = g_strnfill (100000, 'x');

  guest_writes (fixture, endless, strlen (endless));
  g_assert_true (vk_console_read (fixture->console, see, fixture));
  /* All of it is seen, in pieces. */
  g_assert_cmpuint (fixture->seen->len, >=, strlen (endless) + strlen (endless) / 4096);
}

static void
test_tail (Fixture *fixture, gconstpointer data)
{
  g_auto (GStrv) before = vk_console_tail (fixture->console);
  g_auto (GStrv) tail = NULL;

  g_assert_cmpuint (g_strv_length (before), ==, 0);
  for (int i = 0; i < 3 * VK_CONSOLE_TAIL_LINES; i++)
    {
      g_autofree char *line = g_strdup_printf ("line %d\n", i);

      guest_writes (fixture, line, strlen (line));
    }
  guest_writes (fixture, "open", 4);
  g_assert_true (vk_console_read (fixture->console, see, fixture));
  tail = vk_console_tail (fixture->console);
  g_assert_cmpuint (g_strv_length (tail), ==, VK_CONSOLE_TAIL_LINES + 1);
  g_assert_cmpstr (tail[0], ==, "line 40");
  g_assert_cmpstr (tail[VK_CONSOLE_TAIL_LINES], ==, "open");
}

/* virtlogd gives a log that has become long another name and begins a new one. */
static void
test_replaced (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old = g_strconcat (fixture->path, ".0", NULL);

  assert_shown (fixture, "first\n", "|first");
  guest_writes (fixture, "second\n", 7);
  g_assert_cmpint (g_rename (fixture->path, old), ==, 0);
  guest_writes (fixture, "third\n", 6);
  assert_seen (fixture, "|second|third");
  assert_shown (fixture, "fourth\n", "|fourth");
}

static void
count (const char *line, gpointer user_data)
{
  ++*(guint *) user_data;
}

static void
test_flood (Fixture *fixture, gconstpointer data)
{
  const guint line_bytes = 1024;
  g_autofree char *part = g_strnfill (1 << 20, 'x');
  guint lines = 0;

  for (guint i = line_bytes; i <= 1 << 20; i += line_bytes)
    part[i - 1] = '\n';
  for (int i = 0; i < VK_CONSOLE_LIMIT >> 20; i++)
    guest_writes (fixture, part, 1 << 20);
  g_assert_false (vk_console_read (fixture->console, count, &lines));
  g_assert_cmpuint (lines, ==, VK_CONSOLE_LIMIT / line_bytes);
}

/* --- screenshots ---------------------------------------------------------------- */

static void
test_ppm (void)
{
  static const char ppm[] = "P6 # QEMU\n3 2\n255\nabcdefghijklmnopqr";
  g_autoptr (GBytes) picture = g_bytes_new_static (ppm, sizeof ppm - 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) png = vk_ppm_to_png (picture, &error);
  png_image image = { .version = PNG_IMAGE_VERSION };
  char pixels[18];

  g_assert_no_error (error);
  g_assert_true (png_image_begin_read_from_memory (&image, g_bytes_get_data (png, NULL), g_bytes_get_size (png)));
  g_assert_cmpuint (image.width, ==, 3);
  g_assert_cmpuint (image.height, ==, 2);
  image.format = PNG_FORMAT_RGB;
  g_assert_true (png_image_finish_read (&image, NULL, pixels, 0, NULL));
  g_assert_cmpmem (pixels, sizeof pixels, "abcdefghijklmnopqr", 18);
}

static void
test_bad_ppm (gconstpointer data)
{
  g_autoptr (GBytes) picture = g_bytes_new_static (data, strlen (data));
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_ppm_to_png (picture, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
}

#define ADD_WITH_CONSOLE(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  static const char *const bad[] = { "", "agents", "console", "console:", "console:(", "port", "port:", "port:0", "port:65536", "port:22x", "port:-1", "AGENT" };
  static const char *const bad_pictures[] = { "", "P6", "P5 1 1 255\nabc", "P6 3 2 255\nabcdefghijklmnopq", "P6 0 1 255\n", "P6 99999999999 1 255\nabc", "P6 1 1 65535\nabcdef", "P6 1 1 255", "P6#" };

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/expect/words", test_expectations);
  g_test_add_func ("/expect/default", test_default_expectation);
  g_test_add_func ("/expect/ports", test_ports);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *path = g_strdup_printf ("/expect/bad/%zu", i);

      g_test_add_data_func (path, bad[i], test_bad_expectation);
    }
  ADD_WITH_CONSOLE ("/console/pieces", test_pieces);
  ADD_WITH_CONSOLE ("/console/escapes", test_escapes);
  ADD_WITH_CONSOLE ("/console/zeroes", test_zeroes);
  ADD_WITH_CONSOLE ("/console/long-line", test_long_line);
  ADD_WITH_CONSOLE ("/console/tail", test_tail);
  ADD_WITH_CONSOLE ("/console/replaced", test_replaced);
  ADD_WITH_CONSOLE ("/console/flood", test_flood);
  g_test_add_func ("/screenshot/ppm", test_ppm);
  for (gsize i = 0; i < G_N_ELEMENTS (bad_pictures); i++)
    {
      g_autofree char *path = g_strdup_printf ("/screenshot/bad/%zu", i);

      g_test_add_data_func (path, bad_pictures[i], test_bad_ppm);
    }
  return g_test_run ();
}
