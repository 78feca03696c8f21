/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images are created, served and converted whatever their names are, and what
 * is written inside an image leads nowhere. */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <libnbd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "nbd-fixture.h"
#include "view/nbd-server.h"
#include "view/qcow2-header.h"
#include "view/qemu-img.h"

enum
{
  KIB = 1024,
  MIB = 1024 * 1024,
  PID_SECONDS = 30,
};

static const char *const names[] = { "plain.qcow2", "a,b:c.qcow2", "new\nline\t\001", "file=x,,driver=raw", "json:{\"a\":1}", "q\"uo'te\\", " sp ace & #?%41+", "\303\251\342\202\254.qcow2" };

static void
assert_says (const GError *error, const char *words)
{
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' does not say '%s'", error->message, words);
}

static void
assert_mode_0600 (const char *path)
{
  GStatBuf status;

  g_assert_cmpint (g_stat (path, &status), ==, 0);
  g_assert_cmpint (status.st_mode & 07777, ==, 0600);
}

static void
assert_empty_directory (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);

  g_assert_nonnull (dir);
  g_assert_null (g_dir_read_name (dir));
}

static char *
make_subdirectory (const char *dir, const char *name)
{
  char *path = g_build_filename (dir, name, NULL);

  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  return path;
}

static void
write_export (const char *uri, const guint8 *bytes, gsize length, guint64 offset)
{
  struct nbd_handle *nbd = nbd_create ();

  g_assert_cmpint (nbd_connect_uri (nbd, uri), ==, 0);
  g_assert_cmpint (nbd_pwrite (nbd, bytes, length, offset, 0), ==, 0);
  g_assert_cmpint (nbd_flush (nbd, 0), ==, 0);
  nbd_shutdown (nbd, 0);
  nbd_close (nbd);
}

/* Creates an image through the program's own functions.  chain_below and
 * backing as there. */
static void
make_image (const char *path, const char *const *chain_below, const char *backing, const char *socket_dir, const guint8 *bytes, gsize length, guint64 offset)
{
  g_autoptr (VkNbdServer) server = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (VkFd) held = vk_qemu_img_create_held (path, 4 * MIB, backing, NULL, &error);

  g_assert_no_error (error);
  server = vk_nbd_server_write (path, chain_below, NULL, socket_dir, &error);
  g_assert_no_error (error);
  write_export (vk_nbd_server_uri (server), bytes, length, offset);
  g_assert_true (vk_nbd_server_stop (server, &error));
  g_assert_no_error (error);
}

static void
test_images_of_any_name (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *sockets = make_subdirectory (dir, "so ck&et%41s#?\303\251");
  g_autofree guint8 *bytes = g_malloc0 (4 * MIB);

  if (!test_have_programs ("qemu-img", "qemu-nbd", NULL))
    return;
  test_fill (bytes + 100, 64 * KIB, 1);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (dir, names[i], NULL);
      const char *chain[] = { path, NULL };
      g_autoptr (VkNbdServer) server = NULL;
      g_autoptr (GError) error = NULL;

      make_image (path, NULL, NULL, sockets, bytes, 200 * KIB, 0);
      assert_mode_0600 (path);
      server = vk_nbd_server_read (chain, NULL, sockets, &error);
      g_assert_no_error (error);
      test_assert_export (vk_nbd_server_uri (server), bytes, 4 * MIB);
      g_assert_true (vk_nbd_server_stop (server, &error));
      g_clear_pointer (&server, vk_nbd_server_free);
      assert_empty_directory (sockets);
    }
}

/* The chain is what we say, not what the images say; and a backing name with a
 * colon is stored as a file name. */
static void
test_chain (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *sockets = make_subdirectory (dir, "sockets");
  g_autofree char *base = g_build_filename (dir, "b:ase,.qcow2", NULL);
  g_autofree char *top = g_build_filename (dir, "top.qcow2", NULL);
  const char *below[] = { base, NULL };
  const char *chain[] = { top, base, NULL };
  g_autofree guint8 *bytes = g_malloc0 (4 * MIB);
  g_autoptr (VkNbdServer) both = NULL;
  g_autoptr (VkNbdServer) alone = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("qemu-img", "qemu-nbd", NULL))
    return;
  test_fill (bytes, MIB, 1);
  test_fill (bytes + 3 * MIB, 64 * KIB, 2);
  make_image (base, NULL, "/nonexistent", sockets, bytes, MIB, 0);
  make_image (top, below, "b:ase,.qcow2", sockets, bytes + 3 * MIB, 64 * KIB, 3 * MIB);
  test_run ("qemu-img", "rebase", "-u", "-F", "qcow2", "-b", "", base, NULL);
  test_run ("qemu-img", "check", "-q", top, NULL);
  test_run ("qemu-img", "rebase", "-u", "-F", "raw", "-b", "/etc/passwd", base, NULL);
  both = vk_nbd_server_read (chain, NULL, sockets, &error);
  g_assert_no_error (error);
  test_assert_export (vk_nbd_server_uri (both), bytes, 4 * MIB);
  chain[1] = NULL;
  alone = vk_nbd_server_read (chain, NULL, sockets, &error);
  g_assert_no_error (error);
  memset (bytes, 0, MIB);
  test_assert_export (vk_nbd_server_uri (alone), bytes, 4 * MIB);
}

static void
check_refused (const char *path, const char *socket_dir, const char *words)
{
  const char *chain[] = { path, NULL };
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_nbd_server_read (chain, NULL, socket_dir, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  assert_says (error, path);
  assert_says (error, words);
  g_test_message ("%s", error->message);
}

static void
test_images_not_served (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *sockets = make_subdirectory (dir, "sockets");
  g_autofree char *raw = g_build_filename (dir, "image.raw", NULL);
  g_autofree char *missing = g_build_filename (dir, "missing.qcow2", NULL);
  g_autofree char *external = g_build_filename (dir, "external.qcow2", NULL);
  g_autofree char *option = g_strdup_printf ("data_file=%s", raw);
  g_autofree char *broken = g_build_filename (dir, "broken.qcow2", NULL);
  g_autofree char *cut = g_build_filename (dir, "cut.qcow2", NULL);
  g_autofree char *fifo = g_build_filename (dir, "fifo", NULL);
  g_autofree guint8 *bytes = g_malloc (MIB);
  int fd;

  if (!test_have_programs ("qemu-img", "qemu-nbd", NULL))
    return;
  test_fill (bytes, MIB, 1);
  test_write_sparse (raw, bytes, MIB);
  test_run ("qemu-img", "create", "-q", "-f", "qcow2", "-o", option, external, "1M", NULL);
  test_run ("qemu-img", "create", "-q", "-f", "qcow2", broken, "1M", NULL);
  fd = g_open (broken, O_WRONLY | O_CLOEXEC, 0);
  g_assert_cmpint (pwrite (fd, "\377\377\377\377", 4, 20), ==, 4); /* cluster_bits */
  close (fd);
  test_run ("cp", external, cut, NULL);
  g_assert_cmpint (truncate (cut, 103), ==, 0);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  check_refused (raw, sockets, "is not a qcow2 image");
  check_refused (missing, sockets, "No such file");
  check_refused (external, sockets, "keeps its data in another file");
  check_refused (cut, sockets, "ends within its header");
  check_refused (fifo, sockets, "is not a regular file");
  check_refused (dir, sockets, "is not a regular file");
  check_refused (broken, sockets, "qemu-nbd cannot open");
  assert_empty_directory (sockets);
}

static void
test_not_utf8 (void)
{
  const char *chain[] = { "/store/caf\351.qcow2", NULL };
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_nbd_server_read (chain, NULL, g_get_tmp_dir (), &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  assert_says (error, "UTF-8");
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

static void
test_socket_directory (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *image = g_build_filename (dir, "image.qcow2", NULL);
  g_autofree char *long_name = g_strnfill (100, 'x');
  g_autofree char *long_dir = make_subdirectory (dir, long_name);
  g_autofree char *missing = g_build_filename (dir, "missing", NULL);
  const char *chain[] = { image, NULL };
  g_autoptr (GError) too_long = NULL;
  g_autoptr (GError) not_there = NULL;

  if (!test_have_programs ("qemu-img", "qemu-nbd", NULL))
    return;
  test_run ("qemu-img", "create", "-q", "-f", "qcow2", image, "1M", NULL);
  g_assert_null (vk_nbd_server_read (chain, NULL, long_dir, &too_long));
  g_assert_error (too_long, VK_ERROR, VK_ERROR_STORE);
  assert_says (too_long, "is too long for a socket");
  assert_empty_directory (long_dir);
  g_assert_null (vk_nbd_server_read (chain, NULL, missing, &not_there));
  g_assert_error (not_there, VK_ERROR, VK_ERROR_STORE);
}

/* The process id that the only server with its socket below sockets wrote.
 * qemu-nbd makes the file first and writes into it a moment later; taking the
 * empty file for process 0 would kill our whole process group. */
static GPid
server_pid (const char *sockets)
{
  g_autoptr (GDir) dir = g_dir_open (sockets, 0, NULL);
  g_autofree char *pid_file = g_build_filename (sockets, g_dir_read_name (dir), "pid", NULL);
  gint64 deadline = g_get_monotonic_time () + PID_SECONDS * G_USEC_PER_SEC;
  GPid pid = 0;

  while (pid <= 1 && g_get_monotonic_time () < deadline)
    {
      g_autofree char *text = NULL;

      g_assert_true (g_file_get_contents (pid_file, &text, NULL, NULL));
      pid = atoi (text);
    }
  g_assert_cmpint (pid, >, 1);
  return pid;
}

/* A server that somebody killed has not served to the end. */
static void
test_killed_server (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *sockets = make_subdirectory (dir, "sockets");
  g_autofree char *image = g_build_filename (dir, "image.qcow2", NULL);
  g_autoptr (VkNbdServer) server = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("qemu-img", "qemu-nbd", NULL))
    return;
  test_run ("qemu-img", "create", "-q", "-f", "qcow2", image, "1M", NULL);
  server = vk_nbd_server_write (image, NULL, NULL, sockets, &error);
  g_assert_no_error (error);
  g_assert_cmpint (kill (server_pid (sockets), SIGKILL), ==, 0);
  g_assert_false (vk_nbd_server_stop (server, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  assert_says (error, image);
  g_clear_pointer (&server, vk_nbd_server_free);
  assert_empty_directory (sockets);
}

static void
test_create_refuses (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *path = g_build_filename (dir, "image.qcow2", NULL);
  g_autofree char *missing = g_build_filename (dir, "missing", "image.qcow2", NULL);
  g_autofree char *content = NULL;
  g_autoptr (GError) too_large = NULL;
  g_autoptr (GError) exists = NULL;
  g_autoptr (GError) nowhere = NULL;

  if (!test_have_programs ("qemu-img", NULL))
    return;
  g_assert_false (vk_qemu_img_create (path, G_MAXUINT64 / 2, &too_large));
  g_assert_error (too_large, VK_ERROR, VK_ERROR_STORE);
  g_test_message ("%s", too_large->message);
  g_assert_true (g_file_set_contents (path, "mine", -1, NULL));
  g_assert_false (vk_qemu_img_create (path, MIB, &exists));
  g_assert_error (exists, VK_ERROR, VK_ERROR_REFUSED);
  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "mine");
  g_assert_false (vk_qemu_img_create (missing, MIB, &nowhere));
  g_assert_error (nowhere, VK_ERROR, VK_ERROR_STORE);
}

int
main (int argc, char **argv)
{
  umask (0);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/view/images-of-any-name", test_images_of_any_name);
  g_test_add_func ("/view/chain", test_chain);
  g_test_add_func ("/view/images-not-served", test_images_not_served);
  g_test_add_func ("/view/not-utf8", test_not_utf8);
  g_test_add_func ("/view/socket-directory", test_socket_directory);
  g_test_add_func ("/view/killed-server", test_killed_server);
  g_test_add_func ("/view/create-refuses", test_create_refuses);
  return g_test_run ();
}
