/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A transfer gives the target every byte of the source, and moves no more than
 * it has to. */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "nbd-fixture.h"
#include "transfer/nbd-sink.h"
#include "transfer/transfer.h"

enum
{
  KIB = 1024,
  MIB = 1024 * 1024,
};

/* Copies the export at from_uri to that at to_uri.  Returns the bytes moved. */
static guint64
copy (const char *from_uri, const char *dirty_bitmap, const char *to_uri, gboolean reads_zero)
{
  VkTransferOptions options = { .disk = "vda", .uri = from_uri, .dirty_bitmap = dirty_bitmap, .max_connections = 4 };
  g_autoptr (GError) error = NULL;
  g_autoptr (VkTransferProgress) progress = vk_transfer_progress_new ();
  g_autoptr (VkSink) sink = NULL;
  guint64 size;
  guint64 progress_size;
  guint64 position;
  guint64 moved;

  vk_transfer_export_size (from_uri, &size, &error);
  g_assert_no_error (error);
  sink = vk_nbd_sink_new (to_uri, "target", size, 4, reads_zero, &error);
  g_assert_no_error (error);
  vk_transfer_run (&options, sink, progress, NULL, &error);
  g_assert_no_error (error);
  vk_transfer_progress_get (progress, &progress_size, &position, &moved);
  g_assert_cmpuint (progress_size, ==, size);
  g_assert_cmpuint (position, ==, size);
  return moved;
}

/* A disk with data in pieces of all sizes and places.  Returns the number of
 * 4096-byte blocks that hold data. */
static gsize
make_disk (guint8 *bytes, gsize length)
{
  gsize blocks = 0;

  memset (bytes, 0, length);
  for (gsize at = 0, step = 1; at < length; at += step * 12 * KIB, step = step * 3 % 101)
    test_fill (bytes + at, MIN (step * 4 * KIB, length - at), (guint32) at + 1);
  for (gsize at = 0; at < length; at += 4 * KIB)
    {
      gsize block = MIN (4 * KIB, length - at);

      blocks += bytes[at] != 0 || memcmp (bytes + at, bytes + at + 1, block - 1) != 0;
    }
  return blocks;
}

static void
test_sparse_file_to_qcow2 (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *raw = g_build_filename (dir, "source.raw", NULL);
  g_autofree char *qcow2 = g_build_filename (dir, "target.qcow2", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  gsize length = 40 * MIB + 3 * 512;
  g_autofree char *size = g_strdup_printf ("%" G_GSIZE_FORMAT, length);
  g_autofree guint8 *bytes = g_malloc (length);
  gsize blocks;

  if (!test_have_programs ("nbdkit", "qemu-nbd", "qemu-img", NULL))
    return;
  blocks = make_disk (bytes, length);
  test_write_sparse (raw, bytes, length);
  test_run ("qemu-img", "create", "-q", "-f", "qcow2", qcow2, size, NULL);
  source = test_nbdkit (dir, "file", raw, NULL);
  target = test_qemu_nbd (dir, "--shared=8", "-f", "qcow2", qcow2, NULL);
  g_assert_cmpuint (copy (source->uri, NULL, target->uri, TRUE), <=, blocks * 4 * KIB);
  test_assert_export (target->uri, bytes, length);
  g_clear_pointer (&target, test_server_stop);
  test_run ("qemu-img", "check", "-q", qcow2, NULL);
}

/* Neither the size nor anything in it is a multiple of anything. */
static void
test_odd_size (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *raw = g_build_filename (dir, "source.raw", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autofree guint8 *bytes = g_malloc (1000001);

  if (!test_have_programs ("nbdkit", NULL))
    return;
  make_disk (bytes, 1000001);
  bytes[1000000] = 7;
  test_write_sparse (raw, bytes, 1000001);
  source = test_nbdkit (dir, "file", raw, NULL);
  target = test_nbdkit (dir, "memory", "1000001", NULL);
  copy (source->uri, NULL, target->uri, TRUE);
  test_assert_export (target->uri, bytes, 1000001);
}

/* A server that knows nothing of extents: all is read, yet zeroes do not
 * become data. */
static void
check_without_extents (const char *option)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *raw = g_build_filename (dir, "source.raw", NULL);
  g_autofree char *qcow2 = g_build_filename (dir, "target.qcow2", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autofree guint8 *bytes = g_malloc0 (8 * MIB);
  GStatBuf status;

  if (!test_have_programs ("nbdkit", "qemu-nbd", "qemu-img", NULL))
    return;
  test_fill (bytes + 3 * MIB, 64 * KIB, 1);
  test_fill (bytes + 4 * MIB + 100, 50, 2);
  test_write_sparse (raw, bytes, 8 * MIB);
  test_run ("qemu-img", "create", "-q", "-f", "qcow2", qcow2, "8M", NULL);
  source = test_nbdkit (dir, option, "file", raw, NULL);
  target = test_qemu_nbd (dir, "-f", "qcow2", qcow2, NULL);
  g_assert_cmpuint (copy (source->uri, NULL, target->uri, TRUE), ==, 8 * MIB);
  test_assert_export (target->uri, bytes, 8 * MIB);
  g_clear_pointer (&target, test_server_stop);
  g_assert_cmpint (g_stat (qcow2, &status), ==, 0);
  g_assert_cmpint (status.st_size, <=, 7 * 64 * KIB);
}

static void
test_no_structured_replies (void)
{
  check_without_extents ("--no-sr");
}

static void
test_no_extents (void)
{
  check_without_extents ("--filter=noextents");
}

/* A server that answers with one short extent, whatever it was asked. */
static void
test_short_answers (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *raw = g_build_filename (dir, "source.raw", NULL);
  g_autofree char *pread_command = g_strdup_printf ("pread=dd if=%s bs=4096 iflag=count_bytes,skip_bytes count=$3 skip=$4 2>/dev/null", raw);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autofree guint8 *bytes = g_malloc0 (2 * MIB);

  if (!test_have_programs ("nbdkit", NULL))
    return;
  for (guint at = 0; at < 2 * MIB; at += 192 * KIB)
    test_fill (bytes + at, 64 * KIB, at);
  test_write_sparse (raw, bytes, 2 * MIB);
  source = test_nbdkit (dir, "eval", "get_size=echo 2M", pread_command, "can_extents=exit 0",
                        "extents=if [ $(($4 % 196608)) = 0 ]; then echo $4 65536; else echo $4 65536 zero; fi", NULL);
  target = test_nbdkit (dir, "memory", "2M", NULL);
  g_assert_cmpuint (copy (source->uri, NULL, target->uri, TRUE), ==, 11 * 64 * KIB);
  test_assert_export (target->uri, bytes, 2 * MIB);
}

/* A server whose extents go on far behind what it was asked about. */
static void
test_long_answers (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;

  if (!test_have_programs ("nbdkit", "qemu-img", NULL))
    return;
  source = test_nbdkit (dir, "eval", "get_size=echo 3073M", "pread=head -c $3 /dev/zero | tr '\\0' x", "can_extents=exit 0",
                        "extents=echo 0 3221225472 hole,zero; echo 3221225472 1048576", NULL);
  target = test_nbdkit (dir, "memory", "3073M", NULL);
  g_assert_cmpuint (copy (source->uri, NULL, target->uri, TRUE), ==, MIB);
  test_run ("qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", source->uri, target->uri, NULL);
}

/* Zero extents reach a target that holds something else. */
static void
check_target_with_data (const char *option)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *raw = g_build_filename (dir, "source.raw", NULL);
  g_autofree char *old = g_build_filename (dir, "target.raw", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  gsize length = 5 * MIB + 512;
  g_autofree guint8 *bytes = g_malloc0 (length);
  g_autofree guint8 *others = g_malloc (length);

  if (!test_have_programs ("nbdkit", NULL))
    return;
  test_fill (bytes + MIB, 300 * KIB, 1);
  memset (others, 0xee, length);
  test_write_sparse (raw, bytes, length);
  test_write_sparse (old, others, length);
  source = test_nbdkit (dir, "file", raw, NULL);
  target = test_nbdkit (dir, option, "file", old, NULL);
  copy (source->uri, NULL, target->uri, FALSE);
  test_assert_export (target->uri, bytes, length);
}

static void
test_target_with_data (void)
{
  check_target_with_data ("--threads=4");
}

static void
test_target_that_cannot_zero (void)
{
  check_target_with_data ("--filter=nozero");
}

/* What was written after the bitmap began is all that moves, and what became
 * zero since then hides the older data of the target. */
static void
test_dirty_bitmap (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *disk = g_build_filename (dir, "disk.qcow2", NULL);
  g_autofree char *full = g_build_filename (dir, "full.qcow2", NULL);
  g_autofree char *delta = g_build_filename (dir, "delta.qcow2", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autofree guint8 *bytes = NULL;
  gsize length;

  if (!test_have_programs ("qemu-nbd", "qemu-img", "qemu-io", NULL))
    return;
  test_run ("qemu-img", "create", "-q", "-f", "qcow2", disk, "64M", NULL);
  test_run ("qemu-io", "-f", "qcow2", "-c", "write -P 0x11 0 20M", "-c", "write -P 0x12 40M 1M", disk, NULL);
  test_run ("cp", disk, full, NULL);
  test_run ("qemu-img", "bitmap", "--add", "-g", "64k", disk, "b0", NULL);
  test_run ("qemu-io", "-f", "qcow2", "-c", "write -P 0x21 1M 1M", "-c", "write -z 3M 2M", "-c", "write -P 0 7M 192k", "-c", "write -P 0x22 63M 1M", disk, NULL);
  test_run ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", full, delta, NULL);
  source = test_qemu_nbd (dir, "--read-only", "--shared=8", "-B", "b0", "-f", "qcow2", disk, NULL);
  target = test_qemu_nbd (dir, "--shared=8", "-f", "qcow2", delta, NULL);
  g_assert_cmpuint (copy (source->uri, "qemu:dirty-bitmap:b0", target->uri, TRUE), ==, 2 * MIB + 192 * KIB);
  bytes = test_read_export (source->uri, &length);
  test_assert_export (target->uri, bytes, length);
}

/* Whether anything of the chunk at offset was changed by the test below. */
static gboolean
is_dirty_chunk (guint64 offset)
{
  return offset == 1 * MIB || offset == 3 * MIB || offset == 4 * MIB || offset == 6 * MIB || offset == 64 * MIB;
}

/* A target that takes whole chunks gets those with a change, holes and all, and
 * nothing else. */
static void
test_granularity (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *disk = g_build_filename (dir, "disk.qcow2", NULL);
  g_autofree char *old = g_build_filename (dir, "old.raw", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  VkTransferOptions options = { .disk = "vda", .dirty_bitmap = "qemu:dirty-bitmap:b0", .max_connections = 2 };
  gsize length = 64 * MIB + 512 * KIB;
  g_autofree guint8 *others = g_malloc (length);
  g_autofree guint8 *bytes = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (VkTransferProgress) progress = vk_transfer_progress_new ();
  g_autoptr (VkSink) sink = NULL;
  guint64 moved;

  if (!test_have_programs ("nbdkit", "qemu-nbd", "qemu-img", "qemu-io", NULL))
    return;
  test_run ("qemu-img", "create", "-q", "-f", "qcow2", disk, "67633152", NULL);
  test_run ("qemu-io", "-f", "qcow2", "-c", "write -P 0x11 0 4M", "-c", "write -P 0x12 5M 1M", "-c", "write -P 0x13 64M 512k", disk, NULL);
  test_run ("qemu-img", "bitmap", "--add", "-g", "64k", disk, "b0", NULL);
  test_run ("qemu-io", "-f", "qcow2", "-c", "write -P 0x21 1088k 64k", "-c", "write -z 4032k 128k", "-c", "write -P 0x22 6M 64k", "-c", "write -P 0x23 7104k 64k",
            "-c", "write -P 0x24 65792k 64k", disk, NULL);
  memset (others, 0xee, length);
  test_write_sparse (old, others, length);
  source = test_qemu_nbd (dir, "--read-only", "--shared=8", "-B", "b0", "-f", "qcow2", disk, NULL);
  target = test_nbdkit (dir, "file", old, NULL);
  sink = vk_nbd_sink_new (target->uri, "target", length, 2, FALSE, &error);
  g_assert_no_error (error);
  sink->granularity = MIB;
  options.uri = source->uri;
  vk_transfer_run (&options, sink, progress, NULL, &error);
  g_assert_no_error (error);
  vk_transfer_progress_get (progress, NULL, NULL, &moved);
  /* Of the second MiB everything, of the fourth all but 64 KiB of zeroes, nothing
   * of the fifth, which is a hole; two writes in the seventh; the last chunk. */
  g_assert_cmpuint (moved, ==, MIB + MIB - 64 * KIB + 2 * 64 * KIB + 512 * KIB);
  bytes = test_read_export (source->uri, &length);
  for (gsize at = 0; at < length; at += MIB)
    if (is_dirty_chunk (at))
      memcpy (others + at, bytes + at, MIN (MIB, length - at));
  test_assert_export (target->uri, others, length);
}

static void
test_terabyte (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *disk = g_build_filename (dir, "disk.qcow2", NULL);
  g_autofree char *copied = g_build_filename (dir, "copy.qcow2", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  gint64 began;

  if (!test_have_programs ("qemu-nbd", "qemu-img", "qemu-io", NULL))
    return;
  test_run ("qemu-img", "create", "-q", "-f", "qcow2", disk, "1T", NULL);
  test_run ("qemu-img", "create", "-q", "-f", "qcow2", copied, "1T", NULL);
  test_run ("qemu-io", "-f", "qcow2", "-c", "write -P 1 5G 64k", "-c", "write -P 2 700G 1M", "-c", "write -P 3 1048512M 64M", disk, NULL);
  source = test_qemu_nbd (dir, "--read-only", "--shared=8", "-f", "qcow2", disk, NULL);
  target = test_qemu_nbd (dir, "--shared=8", "-f", "qcow2", copied, NULL);
  began = g_get_monotonic_time ();
  g_assert_cmpuint (copy (source->uri, NULL, target->uri, TRUE), ==, 65 * MIB + 64 * KIB);
  g_assert_cmpint (g_get_monotonic_time () - began, <, 30 * G_USEC_PER_SEC);
  g_clear_pointer (&target, test_server_stop);
  test_run ("qemu-img", "compare", "-q", disk, copied, NULL);
}

/* A server that promises several connections and then takes only two. */
static void
test_fewer_connections (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *raw = g_build_filename (dir, "source.raw", NULL);
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;
  g_autofree guint8 *bytes = g_malloc (4 * MIB);

  if (!test_have_programs ("nbdkit", "qemu-nbd", NULL))
    return;
  test_fill (bytes, 4 * MIB, 1);
  test_write_sparse (raw, bytes, 4 * MIB);
  source = test_qemu_nbd (dir, "--read-only", "--shared=2", "-f", "raw", raw, NULL);
  target = test_nbdkit (dir, "memory", "4M", NULL);
  copy (source->uri, NULL, target->uri, TRUE);
  test_assert_export (target->uri, bytes, 4 * MIB);
}

static void
test_empty_disk (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestServer) source = NULL;
  g_autoptr (TestServer) target = NULL;

  if (!test_have_programs ("nbdkit", NULL))
    return;
  source = test_nbdkit (dir, "memory", "0", NULL);
  target = test_nbdkit (dir, "memory", "0", NULL);
  g_assert_cmpuint (copy (source->uri, NULL, target->uri, FALSE), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transfer/sparse-file-to-qcow2", test_sparse_file_to_qcow2);
  g_test_add_func ("/transfer/odd-size", test_odd_size);
  g_test_add_func ("/transfer/no-structured-replies", test_no_structured_replies);
  g_test_add_func ("/transfer/no-extents", test_no_extents);
  g_test_add_func ("/transfer/short-answers", test_short_answers);
  g_test_add_func ("/transfer/long-answers", test_long_answers);
  g_test_add_func ("/transfer/target-with-data", test_target_with_data);
  g_test_add_func ("/transfer/target-that-cannot-zero", test_target_that_cannot_zero);
  g_test_add_func ("/transfer/dirty-bitmap", test_dirty_bitmap);
  g_test_add_func ("/transfer/granularity", test_granularity);
  g_test_add_func ("/transfer/terabyte", test_terabyte);
  g_test_add_func ("/transfer/fewer-connections", test_fewer_connections);
  g_test_add_func ("/transfer/empty-disk", test_empty_disk);
  return g_test_run ();
}
