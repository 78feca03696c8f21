/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "point-fixture.h"

#include <string.h>
#include <unistd.h>

#include "nbd-fixture.h"
#include "transfer/transfer.h"

static void
describe (VkStore *store, VkManifest *manifest, const char *id)
{
  manifest->id = g_strdup (id);
  manifest->store_id = g_strdup (store->id);
  manifest->domain_name = g_strdup (TEST_DOMAIN);
  manifest->domain_uuid = g_strdup (TEST_DOMAIN_UUID);
  manifest->domain_state = g_strdup ("running");
  manifest->instant = vk_time_now ();
  manifest->mode = g_strdup ("pull");
  manifest->level = g_strdup ("full");
}

/* Copies the disk into the point, from a file that nbdkit serves. */
static void
copy_disk (VkPointWriter *writer, const char *dir, const guint8 *disk, gsize length)
{
  g_autofree char *path = g_build_filename (dir, "disk.raw", NULL);
  g_autoptr (TestServer) server = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (VkSink) sink = vk_point_writer_open_sink (writer, "vda", length, NULL, NULL, dir, &error);
  VkTransferOptions options = { .disk = "vda", .max_connections = 1 };

  g_assert_no_error (error);
  test_write_sparse (path, disk, length);
  server = test_nbdkit (dir, "--readonly", "file", path, NULL);
  options.uri = server->uri;
  vk_transfer_run (&options, sink, NULL, NULL, &error);
  g_assert_no_error (error);
  unlink (path);
}

static void
add_disk (VkPointWriter *writer, VkManifest *manifest, gsize length)
{
  VkManifestDisk *entry = vk_manifest_add_disk (manifest);
  g_autoptr (GError) error = NULL;

  entry->target = g_strdup ("vda");
  entry->type = g_strdup ("file");
  entry->format = g_strdup ("raw");
  entry->level = g_strdup ("full");
  entry->virtual_size = length;
  g_assert_true (vk_point_writer_close_sinks (writer, &error));
  g_assert_true (vk_point_writer_seal_disk (writer, entry, NULL, &error));
}

static void
add_domain (VkPointWriter *writer, VkManifest *manifest)
{
  VkManifestFile *file = vk_manifest_add_file (manifest);

  file->role = g_strdup ("domain-xml");
  g_assert_true (vk_point_writer_add_file (writer, "domain.xml", TEST_DOMAIN_XML, file, NULL));
}

VkPoint *
test_back_up (VkStore *store, const char *dir, const guint8 *disk, gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VkPointWriter) writer = vk_store_begin_point (store, TEST_DOMAIN, TEST_DOMAIN_UUID, NULL, &error);
  g_autoptr (VkManifest) manifest = vk_manifest_new ();
  g_autofree char *name = NULL;
  VkPoint *point;

  g_assert_no_error (error);
  g_assert_true (vk_point_writer_open (writer, FALSE, &error));
  describe (store, manifest, writer->id);
  copy_disk (writer, dir, disk, length);
  add_disk (writer, manifest, length);
  add_domain (writer, manifest);
  vk_point_writer_commit (writer, manifest, &error);
  g_assert_no_error (error);
  name = g_strdup_printf (TEST_DOMAIN "@%s", writer->id);
  point = vk_store_find_point (store, name, &error);
  g_assert_no_error (error);
  return point;
}
