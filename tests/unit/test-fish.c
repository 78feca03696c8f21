/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is given to guestfish is one word to it, whatever its bytes are. */
#include "config.h"

#include "files/fish.h"

#include <string.h>

static const char *const plain[] = { "/etc/fstab", "/dev/sda1", "a-b_c.d", "followsymlinks:true" };

static void
test_plain (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (plain); i++)
    {
      g_autofree char *quoted = vk_fish_quote (plain[i]);
      g_autofree char *expected = g_strconcat ("\"", plain[i], "\"", NULL);

      g_assert_cmpstr (quoted, ==, expected);
    }
}

/* Every byte but NUL, read back as guestfish does it. */
static void
test_all_bytes (void)
{
  g_autoptr (GString) all = g_string_new (NULL);
  g_autoptr (GString) read_back = g_string_new (NULL);
  g_autofree char *quoted = NULL;
  gsize length;

  for (int byte = 1; byte < 256; byte++)
    g_string_append_c (all, (char) byte);
  quoted = vk_fish_quote (all->str);
  length = strlen (quoted);
  g_assert_cmpint (quoted[0], ==, '"');
  g_assert_cmpint (quoted[length - 1], ==, '"');
  for (const char *c = quoted + 1; c < quoted + length - 1; c++)
    {
      g_assert_true (g_ascii_isprint (*c) && *c != '"' && *c != ' ' && *c != '\'');
      if (*c != '\\')
        g_string_append_c (read_back, *c);
      else
        {
          g_assert_cmpint (c[1], ==, 'x');
          g_string_append_c (read_back, (char) (g_ascii_xdigit_value (c[2]) * 16 + g_ascii_xdigit_value (c[3])));
          c += 3;
        }
    }
  g_assert_cmpmem (read_back->str, read_back->len, all->str, all->len);
}

static void
test_nothing (void)
{
  g_autofree char *quoted = vk_fish_quote ("");

  g_assert_cmpstr (quoted, ==, "\"\"");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fish/plain", test_plain);
  g_test_add_func ("/fish/all-bytes", test_all_bytes);
  g_test_add_func ("/fish/nothing", test_nothing);
  return g_test_run ();
}
