/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk is converted into a new file of any name, or nothing is left. */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "nbd-fixture.h"
#include "view/qemu-img-convert.h"
#include "view/qemu-img.h"

static const VkImageForm raw_form = { .format = "raw" };
static const VkImageForm qcow2_form = { .format = "qcow2" };

enum
{
  KIB = 1024,
  MIB = 1024 * 1024,
};

/* What the progress function was told. */
struct telling
{
  guint count;
  double last;
  GCancellable *cancel; /* to be cancelled by the first */
};

static void
on_progress (double fraction, gpointer user_data)
{
  struct telling *telling = user_data;

  g_assert_cmpfloat (fraction, >=, telling->last);
  g_assert_cmpfloat (fraction, <=, 1.0);
  telling->last = fraction;
  telling->count++;
  if (telling->cancel != NULL)
    g_cancellable_cancel (telling->cancel);
}

static void
check_convert (const char *dir, const char *name, const char *format, const char *from_uri, const guint8 *bytes, gsize length)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *file_node = g_strdup_printf ("{\"driver\":\"%s\",\"file\":{\"driver\":\"file\",\"filename\":\"%s\"}}", format, path);
  g_autofree char *node = g_strconcat ("json:", file_node, NULL);
  g_autoptr (TestServer) server = NULL;
  g_autoptr (GError) error = NULL;
  struct telling telling = { 0 };
  const VkImageForm form = { .format = format };
  GStatBuf status;

  vk_qemu_img_convert (from_uri, path, &form, on_progress, &telling, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (telling.count, >, 1);
  g_assert_cmpfloat (telling.last, ==, 1.0);
  g_assert_cmpint (g_stat (path, &status), ==, 0);
  g_assert_cmpint (status.st_mode & 07777, ==, 0600);
  g_assert_cmpint (status.st_blocks * 512, <, (gint64) length / 2);
  server = test_qemu_nbd (dir, "--read-only", node, NULL);
  test_assert_export (server->uri, bytes, length);
}

static void
test_convert (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *raw = g_build_filename (dir, "source.raw", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autofree guint8 *bytes = g_malloc0 (16 * MIB);

  if (!test_have_programs ("qemu-img", "qemu-nbd", "nbdkit", NULL))
    return;
  test_fill (bytes + 64 * KIB, 700 * KIB, 1);
  test_fill (bytes + 15 * MIB, MIB, 2);
  test_write_sparse (raw, bytes, 16 * MIB);
  source = test_nbdkit (dir, "file", raw, NULL);
  check_convert (dir, "a,b:c.qcow2", "qcow2", source->uri, bytes, 16 * MIB);
  check_convert (dir, "plain.raw", "raw", source->uri, bytes, 16 * MIB);
  check_convert (dir, "driver=null-co,x= \303\251.raw", "raw", source->uri, bytes, 16 * MIB);
}

/* Without a directory in front, too, a colon is part of the name. */
static void
test_relative_name (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *before = g_get_current_dir ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("qemu-img", "nbdkit", NULL))
    return;
  source = test_nbdkit (dir, "pattern", "1M", NULL);
  g_assert_cmpint (g_chdir (dir), ==, 0);
  vk_qemu_img_convert (source->uri, "nbd:x:1", &qcow2_form, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_file_test ("nbd:x:1", G_FILE_TEST_IS_REGULAR));
  vk_qemu_img_create ("-q:2", MIB, &error);
  g_assert_no_error (error);
  g_assert_true (g_file_test ("-q:2", G_FILE_TEST_IS_REGULAR));
  g_assert_cmpint (g_chdir (before), ==, 0);
}

static void
test_existing_file (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *path = g_build_filename (dir, "mine.raw", NULL);
  g_autofree char *content = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, "mine", -1, NULL));
  g_assert_false (vk_qemu_img_convert ("nbd+unix:///?socket=/nonexistent", path, &raw_form, NULL, NULL, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "mine");
}

static void
test_failure_leaves_nothing (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *path = g_build_filename (dir, "target.raw", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (GError) no_server = NULL;
  g_autoptr (GError) unreadable = NULL;

  if (!test_have_programs ("qemu-img", "nbdkit", NULL))
    return;
  g_assert_false (vk_qemu_img_convert ("nbd+unix:///?socket=/nonexistent", path, &raw_form, NULL, NULL, NULL, &no_server));
  g_assert_error (no_server, VK_ERROR, VK_ERROR_STORE);
  g_test_message ("%s", no_server->message);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  source = test_nbdkit (dir, "--filter=error", "pattern", "16M", "error-pread=EIO", "error-pread-rate=50%", NULL);
  g_assert_false (vk_qemu_img_convert (source->uri, path, &qcow2_form, NULL, NULL, NULL, &unreadable));
  g_assert_error (unreadable, VK_ERROR, VK_ERROR_STORE);
  g_test_message ("%s", unreadable->message);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
test_cancel_leaves_nothing (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *path = g_build_filename (dir, "target.raw", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  struct telling telling = { .cancel = cancellable };
  gint64 began = g_get_monotonic_time ();

  if (!test_have_programs ("qemu-img", "nbdkit", NULL))
    return;
  source = test_nbdkit (dir, "--filter=delay", "pattern", "64M", "rdelay=20", NULL);
  g_assert_false (vk_qemu_img_convert (source->uri, path, &raw_form, on_progress, &telling, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (g_get_monotonic_time () - began, <, 10 * G_USEC_PER_SEC);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_subprocess_force_exit (source->process);
}

int
main (int argc, char **argv)
{
  umask (0);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/view/convert/any-name", test_convert);
  g_test_add_func ("/view/convert/relative-name", test_relative_name);
  g_test_add_func ("/view/convert/existing-file", test_existing_file);
  g_test_add_func ("/view/convert/failure-leaves-nothing", test_failure_leaves_nothing);
  g_test_add_func ("/view/convert/cancel-leaves-nothing", test_cancel_leaves_nothing);
  return g_test_run ();
}
