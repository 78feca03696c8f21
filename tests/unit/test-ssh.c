/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claim: of a libvirt URI ssh is told exactly what libvirt itself would tell it, whatever signs are in
 * it, and a script on the other side gets its arguments as they are. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "base/process.h"
#include "base/room.h"
#include "remote/ssh-command.h"

static void
test_schemes (void)
{
  g_assert_true (vk_ssh_is_named ("qemu+ssh://host/system"));
  g_assert_true (vk_ssh_is_named ("qemu+libssh2://host/system"));
  g_assert_true (vk_ssh_is_named ("qemu+libssh://host/session"));
  g_assert_false (vk_ssh_is_named ("qemu+tls://host/system"));
  g_assert_false (vk_ssh_is_named ("qemu:///system"));
}

/* What ssh gets for uri, one word a line, without what it always gets. */
static char *
words_of (const char *uri, gboolean attended)
{
  g_autofree char *host = NULL;
  g_auto (GStrv) words = vk_ssh_words (uri, attended, &host, NULL);
  GString *text = g_string_new (words[0]);
  gsize i = 1;

  while (!g_str_has_prefix (words[i], "ServerAliveCountMax="))
    i++;
  while (words[++i] != NULL)
    g_string_append_printf (text, "\n%s", words[i]);
  g_string_append_printf (text, "\n%s", host);
  return g_string_free (text, FALSE);
}

static void
assert_words (const char *uri, gboolean attended, const char *expected)
{
  g_autofree char *words = words_of (uri, attended);

  g_assert_cmpstr (words, ==, expected);
}

static void
test_words (void)
{
  assert_words ("qemu+ssh://host/system", TRUE, "ssh\nhost");
  assert_words ("qemu+ssh://host/system", FALSE, "ssh\n-o\nBatchMode=yes\nhost");
  assert_words ("qemu+ssh://host/system?no_tty=1", TRUE, "ssh\n-o\nBatchMode=yes\nhost");
  assert_words ("qemu+ssh://a%20user@[fe80::1]:22000/system?keyfile=/the%20key%26more&socket=/x", TRUE, "ssh\n-p\n22000\n-l\na user\n-i\n/the key&more\nfe80::1");
  assert_words ("qemu+ssh://host/system?command=/opt/my%20ssh&no_verify=1", TRUE, "/opt/my ssh\n-o\nStrictHostKeyChecking=no\nhost");
  assert_words ("qemu+ssh://host/system?no_verify=0", TRUE, "ssh\nhost");
  assert_words ("qemu+libssh2://host/system?known_hosts=/a%20%22b%22%25h&known_hosts_verify=auto", TRUE,
                "ssh\n-o\nUserKnownHostsFile=\"/a \\\"b\\\"%%h\"\n-o\nStrictHostKeyChecking=accept-new\nhost");
}

static void
test_nowhere (void)
{
  g_autoptr (GError) error = NULL;
  char *host = NULL;

  g_assert_null (vk_ssh_words ("qemu+ssh:///system", TRUE, &host, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
  g_assert_null (host);
}

/* What ssh does with the command there: a shell takes it apart. */
static void
test_quoting (void)
{
  static const char *const hostile[] = { "it's", "a \"b\" $HOME `id` \\ *", "-n", "", "two\nlines", NULL };
  g_autofree char *command = vk_ssh_remote_command ("for a; do printf '<%s>' \"$a\"; done", hostile);
  const char *const argv[] = { "sh", "-c", command, NULL };
  g_autofree char *output = NULL;

  g_assert_true (vk_process_run (argv, &output, NULL, NULL));
  g_assert_cmpstr (output, ==, "<it's><a \"b\" $HOME `id` \\ *><-n><><two\nlines>");
}

static void
test_room (void)
{
  VkRoom room = { 0 };

  g_assert_true (vk_room_parse ("Filesystem     1024-blocks    Used Available Capacity Mounted on\n//nas/a share  100 40 60 40% /mnt/it's here\n", &room));
  g_assert_cmpuint (room.whole, ==, 100 * 1024);
  g_assert_cmpuint (room.left, ==, 60 * 1024);
  g_assert_true (vk_room_parse ("Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 18446744 18446744 -5 100% /\n", &room));
  g_assert_cmpuint (room.left, ==, 0);
  g_assert_false (vk_room_parse ("df: /nowhere: No such file or directory\n", &room));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ssh/which URIs go through ssh", test_schemes);
  g_test_add_func ("/ssh/the words are those of the URI", test_words);
  g_test_add_func ("/ssh/a URI without a host is refused", test_nowhere);
  g_test_add_func ("/ssh/arguments arrive as they are", test_quoting);
  g_test_add_func ("/ssh/room is what df says", test_room);
  return g_test_run ();
}
