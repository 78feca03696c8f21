/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A delta makes the target the source, and writes the blocks that differ and no
 * other. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "nbd-fixture.h"
#include "transfer/delta-sink.h"
#include "transfer/transfer.h"

enum
{
  KIB = 1024,
  MIB = 1024 * 1024,
  BLOCK = 4 * KIB,
};

/* Bytes in blocks of a and b that differ. */
static guint64
count_different (const guint8 *a, const guint8 *b, gsize length)
{
  guint64 different = 0;

  for (gsize at = 0; at < length; at += BLOCK)
    if (memcmp (a + at, b + at, MIN (BLOCK, length - at)) != 0)
      different += MIN (BLOCK, length - at);
  return different;
}

static gboolean
run_delta (const char *from_uri, const char *to_uri, guint64 size, guint64 *written, GError **error)
{
  VkTransferOptions options = { .disk = "vda", .uri = from_uri, .max_connections = 2 };
  g_autoptr (VkSink) sink = vk_delta_sink_new (to_uri, "target", size, written, error);

  return sink != NULL && vk_transfer_run (&options, sink, NULL, NULL, error);
}

/* Two disks with data, zeroes and holes here and there, alike in some places. */
static void
make_disks (guint8 *source, guint8 *target, gsize length, guint32 seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

  memset (source, 0, length);
  memset (target, 0, length);
  for (gsize at = 0; at < length;)
    {
      gsize drawn = (gsize) g_rand_int_range (rand, 1, 700) * 512;
      gsize step = MIN (drawn, length - at);
      int kind = g_rand_int_range (rand, 0, 6);

      if (kind != 0 && kind != 1)
        test_fill (source + at, step, (guint32) at + 1);
      if (kind == 1 || kind == 2)
        test_fill (target + at, step, (guint32) at + 2);
      if (kind == 3 || kind == 4)
        memcpy (target + at, source + at, step);
      /* One byte in the middle of what is alike. */
      if (kind == 4)
        target[at + step / 2] ^= 1;
      at += step;
    }
}

static void
check_delta (const char *dir, const char *format, gsize length, guint32 seed)
{
  g_autofree char *source_path = g_build_filename (dir, "source.raw", NULL);
  g_autofree char *raw_path = g_build_filename (dir, "target.raw", NULL);
  g_autofree char *path = g_build_filename (dir, "target.img", NULL);
  g_autofree char *format_option = g_strconcat ("--format=", format, NULL);
  g_autofree guint8 *source = g_malloc (length);
  g_autofree guint8 *target = g_malloc (length);
  g_autoptr (TestServer) from = NULL;
  g_autoptr (TestServer) to = NULL;
  g_autoptr (GError) error = NULL;
  guint64 written = 0;

  g_test_message ("seed %u, %s, %" G_GSIZE_FORMAT " bytes", seed, format, length);
  make_disks (source, target, length, seed);
  test_write_sparse (source_path, source, length);
  test_write_sparse (raw_path, target, length);
  test_run ("qemu-img", "convert", "-f", "raw", "-O", format, raw_path, path, NULL);
  from = test_qemu_nbd (dir, "--read-only", "--shared=4", "--format=raw", source_path, NULL);
  to = test_qemu_nbd (dir, "--shared=4", "--discard=unmap", format_option, path, NULL);
  run_delta (from->uri, to->uri, length, &written, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (written, ==, count_different (source, target, length));
  test_assert_export (to->uri, source, length);
  written = 0;
  run_delta (from->uri, to->uri, length, &written, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (written, ==, 0);
}

static void
test_differences (void)
{
  static const gsize lengths[] = { 512, 4 * KIB, 5 * KIB - 512, MIB + 512, 24 * MIB };
  static const char *const formats[] = { "raw", "qcow2" };

  if (!test_have_programs ("qemu-img", "qemu-nbd", NULL))
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (formats); j++)
      {
        g_autoptr (TestDirectory) dir = test_directory_new ();

        check_delta (dir, formats[j], lengths[i], g_test_rand_int () & 0xffff);
      }
}

/* Much that should be zeroes and is not, in one extent. */
static void
test_large_hole (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree guint8 *zeroes = g_malloc0 (40 * MIB);
  g_autoptr (TestServer) from = NULL;
  g_autoptr (TestServer) to = NULL;
  g_autoptr (GError) error = NULL;
  guint64 written = 0;

  if (!test_have_programs ("nbdkit", "qemu-nbd", NULL))
    return;
  from = test_nbdkit (dir, "--readonly", "memory", "40M", NULL);
  to = test_nbdkit (dir, "data", "size=40M", "data=@1048576 1*3000000 @40894464 2*1048576", NULL);
  run_delta (from->uri, to->uri, 40 * MIB, &written, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (written, ==, (3000000 + BLOCK - 1) / BLOCK * BLOCK + MIB);
  test_assert_export (to->uri, zeroes, 40 * MIB);
}

static void
check_failure (const char *from_uri, const char *to_uri, const char *words)
{
  g_autoptr (GError) error = NULL;
  guint64 written = 0;

  g_assert_false (run_delta (from_uri, to_uri, 4 * MIB, &written, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_nonnull (strstr (error->message, "target"));
  g_assert_nonnull (strstr (error->message, words));
}

static void
test_failures (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autofree char *raw = g_build_filename (dir, "source.raw", NULL);
  g_autofree guint8 *bytes = g_malloc0 (4 * MIB);
  g_autoptr (TestServer) from = NULL;
  g_autoptr (TestServer) unreadable = NULL;
  g_autoptr (TestServer) full = NULL;
  g_autoptr (TestServer) full_again = NULL;
  g_autoptr (TestServer) readonly = NULL;
  g_autoptr (TestServer) small = NULL;

  if (!test_have_programs ("nbdkit", "qemu-nbd", NULL))
    return;
  test_fill (bytes, 2 * MIB, 1);
  test_write_sparse (raw, bytes, 4 * MIB);
  from = test_qemu_nbd (dir, "--read-only", "--shared=4", "--format=raw", raw, NULL);
  unreadable = test_nbdkit (dir, "--filter=error", "memory", "4M", "error-pread=EIO", "error-pread-rate=100%", NULL);
  full = test_nbdkit (dir, "--filter=error", "memory", "4M", "error-pwrite=ENOSPC", "error-pwrite-rate=100%", NULL);
  full_again = test_nbdkit (dir, "--filter=error", "memory", "4M", "error-pwrite=ENOSPC", "error-pwrite-rate=100%", NULL);
  readonly = test_nbdkit (dir, "--readonly", "memory", "4M", NULL);
  small = test_nbdkit (dir, "memory", "3M", NULL);
  check_failure (from->uri, unreadable->uri, "cannot read");
  check_failure (from->uri, full->uri, "cannot write");
  check_failure (from->uri, full_again->uri, g_strerror (ENOSPC));
  check_failure (from->uri, readonly->uri, "cannot be written to");
  check_failure (from->uri, small->uri, "4194304 bytes");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/delta-sink/differences", test_differences);
  g_test_add_func ("/delta-sink/large-hole", test_large_hole);
  g_test_add_func ("/delta-sink/failures", test_failures);
  return g_test_run ();
}
