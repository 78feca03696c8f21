/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever goes wrong on either side of a transfer ends it soon, with a
 * sentence that says what and where. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "nbd-fixture.h"
#include "transfer/nbd-sink.h"
#include "transfer/transfer.h"

enum
{
  KIB = 1024,
  MIB = 1024 * 1024,
  SOON_US = 10 * G_USEC_PER_SEC,
  LATER_US = G_USEC_PER_SEC / 5,
};

/* What another thread does while the transfer runs. */
struct interruption
{
  GSubprocess *victim;
  GCancellable *cancellable;
};

static gpointer
interrupt_later (gpointer data)
{
  struct interruption *interruption = data;

  g_usleep (LATER_US);
  if (interruption->victim != NULL)
    g_subprocess_force_exit (interruption->victim);
  if (interruption->cancellable != NULL)
    g_cancellable_cancel (interruption->cancellable);
  return NULL;
}

/* Runs a transfer that must fail soon.  Returns: (transfer full) how. */
static GError *
fail_to_copy (TestServer *source, TestServer *target, const char *dirty_bitmap, struct interruption *interruption)
{
  VkTransferOptions options = { .disk = "vda", .uri = source->uri, .dirty_bitmap = dirty_bitmap, .max_connections = 4 };
  g_autoptr (GError) error = NULL;
  g_autoptr (VkSink) sink = NULL;
  GThread *thread = NULL;
  gint64 began = g_get_monotonic_time ();
  guint64 size;

  vk_transfer_export_size (source->uri, &size, &error);
  g_assert_no_error (error);
  sink = vk_nbd_sink_new (target->uri, "/store/vda.qcow2", size, 4, FALSE, &error);
  g_assert_no_error (error);
  if (interruption != NULL)
    thread = g_thread_new ("interrupt", interrupt_later, interruption);
  g_assert_false (vk_transfer_run (&options, sink, NULL, interruption ? interruption->cancellable : NULL, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (g_get_monotonic_time () - began, <, SOON_US);
  if (thread != NULL)
    g_thread_join (thread);
  g_test_message ("%s", error->message);
  return g_steal_pointer (&error);
}

static void
assert_says (const GError *error, const char *words)
{
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' does not say '%s'", error->message, words);
}

/* A source of data that is in no hurry.  Returns: (transfer full). */
static TestServer *
slow_source (const char *dir)
{
  return test_nbdkit (dir, "--filter=delay", "pattern", "64M", "rdelay=100ms", NULL);
}

static void
test_read_error (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("nbdkit", NULL))
    return;
  source = test_nbdkit (dir, "eval", "get_size=echo 2M", "pread=if [ $4 -ge 1572864 ]; then echo EIO no >&2; exit 1; else head -c $3 /dev/zero; fi", NULL);
  target = test_nbdkit (dir, "memory", "2M", NULL);
  error = fail_to_copy (source, target, NULL, NULL);
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
  assert_says (error, "disk 'vda': cannot read 524288 bytes at offset 1572864");
}

static void
test_extents_error (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("nbdkit", NULL))
    return;
  source = test_nbdkit (dir, "--filter=error", "memory", "2M", "error-extents=EIO", "error-extents-rate=100%", NULL);
  target = test_nbdkit (dir, "memory", "2M", NULL);
  error = fail_to_copy (source, target, NULL, NULL);
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
  assert_says (error, "disk 'vda': the NBD server cannot tell");
}

static void
test_write_error (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("nbdkit", NULL))
    return;
  source = test_nbdkit (dir, "pattern", "64M", NULL);
  target = test_nbdkit (dir, "--filter=error", "memory", "64M", "error=ENOSPC", "error-pwrite-rate=10%", NULL);
  error = fail_to_copy (source, target, NULL, NULL);
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  assert_says (error, "/store/vda.qcow2: cannot write ");
  assert_says (error, "No space left on device");
}

static void
test_zero_error (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("nbdkit", NULL))
    return;
  source = test_nbdkit (dir, "memory", "64M", NULL);
  target = test_nbdkit (dir, "--filter=error", "memory", "64M", "error=EIO", "error-zero-rate=100%", NULL);
  error = fail_to_copy (source, target, NULL, NULL);
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  assert_says (error, "/store/vda.qcow2: cannot write 67108864 bytes at offset 0");
}

static void
test_flush_error (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("nbdkit", NULL))
    return;
  source = test_nbdkit (dir, "memory", "1M", NULL);
  target = test_nbdkit (dir, "eval", "get_size=echo 1M", "pread=exit 1", "pwrite=cat >/dev/null", "can_write=exit 0", "can_flush=exit 0",
                        "can_zero=exit 0", "zero=exit 0", "flush=echo ENOSPC full >&2; exit 1", NULL);
  error = fail_to_copy (source, target, NULL, NULL);
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  assert_says (error, "/store/vda.qcow2: its NBD server could not finish");
}

static void
test_source_dies (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autoptr (GError) error = NULL;
  struct interruption interruption = { NULL };

  if (!test_have_programs ("nbdkit", NULL))
    return;
  source = slow_source (dir);
  target = test_nbdkit (dir, "memory", "64M", NULL);
  interruption.victim = source->process;
  error = fail_to_copy (source, target, NULL, &interruption);
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
  assert_says (error, "disk 'vda': the connection to its NBD server was lost");
}

static void
test_target_dies (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autoptr (GError) error = NULL;
  struct interruption interruption = { NULL };

  if (!test_have_programs ("nbdkit", NULL))
    return;
  source = test_nbdkit (dir, "pattern", "64M", NULL);
  target = test_nbdkit (dir, "--filter=delay", "memory", "64M", "wdelay=100ms", NULL);
  interruption.victim = target->process;
  error = fail_to_copy (source, target, NULL, &interruption);
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  assert_says (error, "/store/vda.qcow2: the connection to its NBD server was lost");
}

static void
test_cancelled (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  struct interruption interruption = { NULL, cancellable };

  if (!test_have_programs ("nbdkit", NULL))
    return;
  source = test_nbdkit (dir, "--filter=delay", "pattern", "64M", "rdelay=20", NULL);
  target = test_nbdkit (dir, "memory", "64M", NULL);
  error = fail_to_copy (source, target, NULL, &interruption);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_subprocess_force_exit (source->process);
}

static void
test_no_such_bitmap (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("nbdkit", NULL))
    return;
  source = test_nbdkit (dir, "memory", "1M", NULL);
  target = test_nbdkit (dir, "memory", "1M", NULL);
  error = fail_to_copy (source, target, "qemu:dirty-bitmap:b0", NULL);
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
  assert_says (error, "qemu:dirty-bitmap:b0");
}

static void
test_no_server (void)
{
  g_autoptr (GError) error = NULL;
  guint64 size;

  g_assert_false (vk_transfer_export_size ("nbd+unix:///?socket=/nonexistent/socket", &size, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
  assert_says (error, "/nonexistent/socket");
}

static void
check_unsuitable_target (const char *option, guint64 size, const char *words)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) target = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_have_programs ("nbdkit", NULL))
    return;
  target = test_nbdkit (dir, option, "memory", "1M", NULL);
  g_assert_null (vk_nbd_sink_new (target->uri, "/store/vda.qcow2", size, 4, TRUE, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  assert_says (error, words);
}

static void
test_unsuitable_target (void)
{
  check_unsuitable_target ("--readonly", MIB, "cannot be written to");
  check_unsuitable_target ("--threads=1", 2 * MIB, "has 1048576 bytes where 2097152 are needed");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transfer/failures/read-error", test_read_error);
  g_test_add_func ("/transfer/failures/extents-error", test_extents_error);
  g_test_add_func ("/transfer/failures/write-error", test_write_error);
  g_test_add_func ("/transfer/failures/zero-error", test_zero_error);
  g_test_add_func ("/transfer/failures/flush-error", test_flush_error);
  g_test_add_func ("/transfer/failures/source-dies", test_source_dies);
  g_test_add_func ("/transfer/failures/target-dies", test_target_dies);
  g_test_add_func ("/transfer/failures/cancelled", test_cancelled);
  g_test_add_func ("/transfer/failures/no-such-bitmap", test_no_such_bitmap);
  g_test_add_func ("/transfer/failures/no-server", test_no_server);
  g_test_add_func ("/transfer/failures/unsuitable-target", test_unsuitable_target);
  return g_test_run ();
}
