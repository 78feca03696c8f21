/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Only a whole header of a known version is taken for one. */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "view/qcow2-header.h"

/* Version 3, 0x123456789a bytes, a backing file, no incompatible features. */
static const guint8 model[VK_QCOW2_HEADER_BYTES] = {
  'Q', 'F', 'I', 0xfb, 0, 0, 0, 3,
  0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 9,
  0, 0, 0, 16,
  0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9a,
  [103] = 104,
};

static void
test_fields (void)
{
  guint8 bytes[sizeof model];
  VkQcow2Header header;
  g_autoptr (GError) error = NULL;

  memcpy (bytes, model, sizeof bytes);
  bytes[79] = 5; /* dirty, external data file */
  g_assert_true (vk_qcow2_header_parse (bytes, sizeof bytes, "image", &header, &error));
  g_assert_cmpuint (header.version, ==, 3);
  g_assert_cmpuint (header.size, ==, G_GUINT64_CONSTANT (0x123456789a));
  g_assert_true (header.has_backing);
  g_assert_true (header.incompatible_features & VK_QCOW2_INCOMPATIBLE_DATA_FILE);
}

/* In version 2 what follows the first 72 bytes is no part of the header. */
static void
test_version_2 (void)
{
  guint8 bytes[sizeof model];
  VkQcow2Header header;

  memset (bytes, 0xff, sizeof bytes);
  memcpy (bytes, model, 72);
  bytes[7] = 2;
  g_assert_true (vk_qcow2_header_parse (bytes, 72, "image", &header, NULL));
  g_assert_true (vk_qcow2_header_parse (bytes, sizeof bytes, "image", &header, NULL));
  g_assert_cmpuint (header.version, ==, 2);
  g_assert_cmpuint (header.incompatible_features, ==, 0);
}

/* 64 bits of size and of features, and the name of the backing file behind the first 4 GiB. */
static void
test_large (void)
{
  static const guint8 size[] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0 };
  static const guint8 features[] = { 0x80, 0, 0, 1, 0, 0, 0, 4 };
  static const guint8 offset[] = { 0, 0, 0, 3, 0, 1, 0, 0 }, length[] = { 0, 0, 0, 9 };
  g_autofree char *dir = g_dir_make_tmp ("virt-keep-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "image.qcow2", NULL);
  g_autofree char *backing = NULL;
  guint8 bytes[sizeof model];
  VkQcow2Header header;
  int fd = g_open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  memcpy (bytes, model, sizeof bytes);
  memcpy (bytes + 8, offset, sizeof offset);
  memcpy (bytes + 16, length, sizeof length);
  memcpy (bytes + 24, size, sizeof size);
  memcpy (bytes + 72, features, sizeof features);
  g_assert_cmpint (pwrite (fd, bytes, sizeof bytes, 0), ==, sizeof bytes);
  g_assert_cmpint (pwrite (fd, "low.qcow2", 9, 0x10000), ==, 9);
  g_assert_cmpint (pwrite (fd, "far.qcow2", 9, (off_t) G_GINT64_CONSTANT (0x300010000)), ==, 9);
  g_assert_cmpint (close (fd), ==, 0);
  g_assert_true (vk_qcow2_header_read (path, &header, NULL));
  backing = vk_qcow2_backing_name (path, NULL);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_rmdir (dir), ==, 0);
  g_assert_cmphex (header.size, ==, G_GUINT64_CONSTANT (0x123456789abcdef0));
  g_assert_cmphex (header.incompatible_features, ==, G_GUINT64_CONSTANT (0x8000000100000004));
  g_assert_cmpstr (backing, ==, "far.qcow2");
}

static void
test_truncated (void)
{
  VkQcow2Header header;

  g_assert_true (vk_qcow2_header_parse (model, sizeof model, "image", &header, NULL));
  for (gsize length = 0; length < sizeof model; length++)
    {
      g_autofree guint8 *bytes = g_memdup2 (model, length);
      g_autoptr (GError) error = NULL;

      g_assert_false (vk_qcow2_header_parse (bytes, length, "image", &header, &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
    }
}

static void
test_others (void)
{
  static const guint8 versions[] = { 0, 1, 4, 255 };
  guint8 bytes[sizeof model];
  VkQcow2Header header;

  memcpy (bytes, model, sizeof bytes);
  for (guint i = 0; i < G_N_ELEMENTS (versions); i++)
    {
      bytes[7] = versions[i];
      g_assert_false (vk_qcow2_header_parse (bytes, sizeof bytes, "image", &header, NULL));
    }
  memcpy (bytes, model, sizeof bytes);
  bytes[3] = 0xfa;
  g_assert_false (vk_qcow2_header_parse (bytes, sizeof bytes, "image", &header, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/qcow2-header/fields", test_fields);
  g_test_add_func ("/qcow2-header/version-2", test_version_2);
  g_test_add_func ("/qcow2-header/large", test_large);
  g_test_add_func ("/qcow2-header/truncated", test_truncated);
  g_test_add_func ("/qcow2-header/others", test_others);
  return g_test_run ();
}
