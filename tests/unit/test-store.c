/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image store without QEMU: names, URLs, points, locks, damaged manifests. */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file-digest.h"
#include "base/files.h"
#include "store/image/image-layout.h"
#include "store/store.h"

#define UUID_A "11111111-2222-3333-4444-555555555555"
#define UUID_B "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

typedef struct
{
  char *dir;
  VkStore *store;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;

  fixture->dir = g_dir_make_tmp ("virt-keep-test-XXXXXX", NULL);
  path = g_build_filename (fixture->dir, "store", NULL);
  g_setenv ("VIRT_KEEP_STATE_DIR", fixture->dir, TRUE);
  fixture->store = vk_store_open (path, NULL, TRUE, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  vk_store_free (fixture->store);
  g_assert_true (vk_tree_remove (fixture->dir, NULL));
  g_free (fixture->dir);
}

/* A manifest with all that is required, and no disks. */
static VkManifest *
make_manifest (VkStore *store, const char *id, const char *name, const char *uuid)
{
  VkManifest *manifest = vk_manifest_new ();

  manifest->id = g_strdup (id);
  manifest->store_id = g_strdup (store->id);
  manifest->domain_name = g_strdup (name);
  manifest->domain_uuid = g_strdup (uuid);
  manifest->instant = vk_time_now ();
  manifest->mode = g_strdup ("push");
  manifest->level = g_strdup ("full");
  manifest->virt_keep_version = g_strdup ("0.0");
  return manifest;
}

/* Writes a point without disks.  Returns: (transfer full) its id. */
static char *
write_point (VkStore *store, const char *name, const char *uuid)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VkPointWriter) writer = vk_store_begin_point (store, name, uuid, NULL, &error);
  g_autoptr (VkManifest) manifest = NULL;

  g_assert_no_error (error);
  manifest = make_manifest (store, writer->id, name, uuid);
  g_assert_true (vk_point_writer_open (writer, FALSE, &error));
  g_assert_true (vk_point_writer_commit (writer, manifest, &error));
  g_assert_no_error (error);
  return g_strdup (writer->id);
}

static void
test_directory_names (void)
{
  static const struct
  {
    const char *name, *directory;
  } names[] = {
    { "web-1", "web-1." UUID_A },
    { "a<b&c 'd\" \xc3\xa9", "a<b&c 'd\" \xc3\xa9." UUID_A },
    { "../../etc", "%2E.%2F..%2Fetc." UUID_A },
    { "50%\n", "50%25%0A." UUID_A },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *directory = vk_image_domain_directory_name (names[i].name, UUID_A);

      g_assert_cmpstr (directory, ==, names[i].directory);
    }
}

static void
test_long_name (void)
{
  g_autofree char *name = g_strnfill (1000, '/');
  g_autofree char *directory = vk_image_domain_directory_name (name, UUID_A);

  g_assert_cmpuint (strlen (directory), <=, 255);
}

static void
test_point_names (void)
{
  g_assert_true (vk_image_is_point_name ("20261123T181400Z"));
  g_assert_false (vk_image_is_point_name ("20261123T181400"));
  g_assert_false (vk_image_is_point_name (".partial-20261123T181400Z"));
  g_assert_false (vk_image_is_point_name ("2026112xT181400Z"));
  g_assert_false (vk_image_is_point_name (""));
}

static void
test_bad_url (gconstpointer url)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_store_open (url, NULL, TRUE, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
}

static void
test_missing_store (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "none", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_store_open (path, NULL, FALSE, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_NOT_FOUND);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
test_foreign_directory (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "foreign", NULL);
  g_autofree char *file = g_build_filename (path, "letter.txt", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (vk_directory_make (path, 0700, NULL));
  g_assert_true (vk_file_write (file, "x", 1, NULL));
  g_assert_null (vk_store_open (path, NULL, TRUE, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
}

static void
test_reopened_store_has_its_id (Fixture *fixture, gconstpointer data)
{
  g_autofree char *url = g_strconcat ("image:", fixture->store->url, NULL);
  g_autoptr (VkStore) again = vk_store_open (url, NULL, TRUE, NULL);

  g_assert_cmpstr (again->id, ==, fixture->store->id);
  g_assert_cmpuint (strlen (again->id), ==, 8);
}

static void
test_points_in_order (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = write_point (fixture->store, "web", UUID_A);
  g_autofree char *second = write_point (fixture->store, "web", UUID_A);
  g_autoptr (GPtrArray) points = vk_store_list (fixture->store, "web", NULL);
  g_autoptr (VkPoint) newest = vk_store_find_point (fixture->store, "web", NULL);
  g_autoptr (VkPoint) latest = vk_store_find_point (fixture->store, UUID_A "@latest", NULL);
  g_autofree char *name = g_strdup_printf ("web@%s", first);
  g_autoptr (VkPoint) oldest = vk_store_find_point (fixture->store, name, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (first, <, second);
  g_assert_cmpuint (points->len, ==, 2);
  g_assert_cmpstr (newest->id, ==, second);
  g_assert_cmpstr (latest->id, ==, second);
  g_assert_cmpstr (oldest->id, ==, first);
  g_assert_null (vk_store_find_point (fixture->store, "web@20000101T000000Z", &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_NOT_FOUND);
}

static void
test_name_of_two_domains (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = write_point (fixture->store, "web", UUID_A);
  g_autofree char *second = write_point (fixture->store, "web", UUID_B);
  g_autoptr (VkPoint) by_uuid = vk_store_find_point (fixture->store, UUID_B, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (first);
  g_assert_null (vk_store_find_point (fixture->store, "web", &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
  g_assert_cmpstr (by_uuid->id, ==, second);
}

static void
test_renamed_domain_stays_together (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = write_point (fixture->store, "old", UUID_A);
  g_autofree char *second = write_point (fixture->store, "new", UUID_A);
  g_autoptr (GPtrArray) points = vk_store_list (fixture->store, UUID_A, NULL);

  g_assert_cmpstr (first, <, second);
  g_assert_cmpuint (points->len, ==, 2);
}

static void
test_lock (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkPointWriter) first = vk_store_begin_point (fixture->store, "web", UUID_A, NULL, NULL);
  g_autoptr (VkPointWriter) other = vk_store_begin_point (fixture->store, "db", UUID_B, NULL, NULL);
  g_autoptr (VkPointWriter) second = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (first);
  g_assert_nonnull (other);
  g_assert_null (vk_store_begin_point (fixture->store, "web", UUID_A, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_BUSY);
  g_clear_pointer (&first, vk_point_writer_free);
  second = vk_store_begin_point (fixture->store, "web", UUID_A, NULL, NULL);
  g_assert_nonnull (second);
}

static void
test_abandoned_point_leaves_nothing (Fixture *fixture, gconstpointer data)
{
  VkPointWriter *writer = vk_store_begin_point (fixture->store, "web", UUID_A, NULL, NULL);
  g_autofree char *directory = g_strdup (writer->directory);
  g_autoptr (GPtrArray) points = NULL;
  VkManifestFile file = { 0 };

  g_assert_true (vk_point_writer_open (writer, TRUE, NULL));
  g_assert_true (vk_point_writer_add_file (writer, "domain.xml", "<domain/>", &file, NULL));
  points = vk_store_list (fixture->store, NULL, NULL);
  g_assert_cmpuint (points->len, ==, 0);
  vk_point_writer_free (writer);
  g_assert_false (g_file_test (directory, G_FILE_TEST_EXISTS));
  g_free (file.name);
  g_free (file.sha256);
}

static void
test_stale_partial_is_removed (Fixture *fixture, gconstpointer data)
{
  g_autofree char *id = write_point (fixture->store, "web", UUID_A);
  g_autoptr (VkPointWriter) writer = vk_store_begin_point (fixture->store, "web", UUID_A, NULL, NULL);
  g_autofree char *stale = g_build_filename (writer->directory, ".partial-20200101T000000Z", NULL);
  g_autofree char *file = g_build_filename (stale, "vda.qcow2", NULL);

  g_assert_nonnull (id);
  g_assert_true (vk_directory_make (stale, 0700, NULL));
  g_assert_true (vk_file_write (file, "x", 1, NULL));
  g_assert_true (vk_point_writer_open (writer, FALSE, NULL));
  g_assert_false (g_file_test (stale, G_FILE_TEST_EXISTS));
}

/* Replaces the only point's manifest by content, and looks at it. */
static void
test_damaged_manifest (Fixture *fixture, gconstpointer data)
{
  const char *content = data;
  g_autofree char *id = write_point (fixture->store, "web", UUID_A);
  g_autofree char *directory = vk_image_domain_directory_name ("web", UUID_A);
  g_autofree char *path = g_build_filename (fixture->store->url, directory, id, "manifest.json", NULL);
  g_auto (GStrv) parts = g_strsplit (content, "ID", -1);
  g_autofree char *text = g_strjoinv (id, parts);
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GError) error = NULL;
  const VkPoint *point;

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  points = vk_store_list (fixture->store, UUID_A, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (points->len, ==, 1);
  point = g_ptr_array_index (points, 0);
  g_assert_nonnull (point->damage);
  g_assert_null (vk_store_find_point (fixture->store, UUID_A, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_free (text);
  text = g_strdup_printf (UUID_A "@%s", id);
  g_assert_null (vk_store_find_point (fixture->store, text, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
}

#define HEAD "{\"format\":\"virt-keep manifest\",\"version\":1,\"id\":\"ID\",\"store\":\"00000000\",\"domain\":{\"name\":\"web\",\"uuid\":\"" UUID_A "\"}," \
             "\"times\":{\"instant\":\"x\"},\"mode\":\"push\",\"level\":\"full\",\"versions\":{\"virt_keep\":\"9.9\"}"
#define SHA_MEMBER "sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\""
#define SHA "\"" SHA_MEMBER

static const struct
{
  const char *name, *content;
} damages[] = {
  { "empty", "" },
  { "not-json", "<xml/>" },
  { "array", "[]" },
  { "other-format", "{\"format\":\"something else\",\"version\":1}" },
  { "later-version", "{\"format\":\"virt-keep manifest\",\"version\":3,\"versions\":{\"virt_keep\":\"9.9\"}}" },
  { "version-is-text", "{\"format\":\"virt-keep manifest\",\"version\":\"1\"}" },
  { "no-domain", "{\"format\":\"virt-keep manifest\",\"version\":1,\"id\":\"ID\"}" },
  { "disks-no-array", HEAD ",\"disks\":{}}" },
  { "disk-no-object", HEAD ",\"disks\":[1]}" },
  { "disk-image-outside", HEAD ",\"disks\":[{\"target\":\"vda\",\"level\":\"full\",\"image\":\"../../../etc/shadow\"," SHA "}]}" },
  { "disk-image-absolute", HEAD ",\"disks\":[{\"target\":\"vda\",\"level\":\"full\",\"image\":\"/etc/shadow\"," SHA "}]}" },
  { "disk-image-missing", HEAD ",\"disks\":[{\"target\":\"vda\",\"level\":\"full\",\"image\":\"vda.qcow2\"," SHA "}]}" },
  { "disk-target-outside", HEAD ",\"disks\":[{\"target\":\"../x\",\"level\":\"full\",\"image\":\"vda.qcow2\"," SHA "}]}" },
  { "disk-odd-chunks", HEAD ",\"disks\":[{\"target\":\"vda\",\"level\":\"full\",\"image\":\"vda.raw\",\"chunk_size\":1000000,\"content_" SHA_MEMBER "}]}" },
  { "disk-huge-chunks", HEAD ",\"disks\":[{\"target\":\"vda\",\"level\":\"full\",\"image\":\"vda.raw\",\"chunk_size\":16777216,\"content_" SHA_MEMBER "}]}" },
  { "disk-chunks-no-digest", HEAD ",\"disks\":[{\"target\":\"vda\",\"level\":\"full\",\"image\":\"vda.raw\",\"chunk_size\":1048576," SHA "}]}" },
  { "disk-bad-digest", HEAD ",\"disks\":[{\"target\":\"vda\",\"level\":\"full\",\"image\":\"vda.qcow2\",\"sha256\":\"xyz\"}]}" },
  { "disk-negative-size", HEAD ",\"disks\":[{\"target\":\"vda\",\"level\":\"full\",\"image\":\"vda.qcow2\",\"size\":-1," SHA "}]}" },
  { "disk-huge-size", HEAD ",\"disks\":[{\"target\":\"vda\",\"level\":\"full\",\"image\":\"vda.qcow2\",\"size\":1e300," SHA "}]}" },
  { "file-outside", HEAD ",\"files\":[{\"name\":\"..\",\"role\":\"nvram\"," SHA "}]}" },
  { "disk-twice", HEAD ",\"disks\":[{\"target\":\"vda\",\"level\":\"full\",\"image\":\"vda.qcow2\"," SHA "},{\"target\":\"vda\",\"level\":\"full\",\"image\":\"x.qcow2\"," SHA "}]}" },
  { "image-twice", HEAD ",\"disks\":[{\"target\":\"vda\",\"level\":\"full\",\"image\":\"vda.qcow2\"," SHA "},{\"target\":\"vdb\",\"level\":\"full\",\"image\":\"vda.qcow2\"," SHA "}]}" },
  { "file-twice", HEAD ",\"files\":[{\"name\":\"a\",\"role\":\"nvram\"," SHA "},{\"name\":\"a\",\"role\":\"cdrom\"," SHA "}]}" },
  { "member-twice", HEAD ",\"disks\":[],\"disks\":[]}" },
  { "warning-no-text", HEAD ",\"warnings\":[{}]}" },
  { "other-id", "{\"format\":\"virt-keep manifest\",\"version\":1,\"id\":\"20000101T000000Z\",\"store\":\"00000000\",\"domain\":{\"name\":\"web\",\"uuid\":\"" UUID_A "\"},"
                "\"times\":{\"instant\":\"x\"},\"mode\":\"push\",\"level\":\"full\",\"versions\":{}}" },
};

/* A disk in chunks is written as version 2, an image as version 1, which an
 * older virt-keep reads. */
static void
test_manifest_chunks (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkManifest) manifest = make_manifest (fixture->store, "20261123T181400Z", "web", UUID_A);
  VkManifestDisk *disk = vk_manifest_add_disk (manifest);
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;
  g_autoptr (VkManifest) read = NULL;
  g_autoptr (GError) error = NULL;
  const VkManifestDisk *read_disk;

  disk->target = g_strdup ("vda");
  disk->level = g_strdup ("incremental");
  disk->image = g_strdup ("vda.raw");
  disk->size = 3 << 20;
  disk->chunk_size = 1 << 20;
  disk->bytes_added = 4096;
  disk->content_sha256 = g_strnfill (64, 'b');
  object = vk_manifest_to_json (manifest);
  json_node_set_object (node, object);
  text = json_to_string (node, FALSE);
  read = vk_manifest_parse (text, "manifest.json", &error);
  g_assert_no_error (error);
  read_disk = vk_manifest_find_disk (read, "vda");
  g_assert_cmpuint (read_disk->chunk_size, ==, disk->chunk_size);
  g_assert_cmpuint (read_disk->bytes_added, ==, disk->bytes_added);
  g_assert_cmpstr (read_disk->content_sha256, ==, disk->content_sha256);
  g_assert_null (read_disk->sha256);
}

/* As somebody else may have written it: 2^32 sectors and more, in bytes. */
static void
test_manifest_large_numbers (void)
{
  static const char text[] = "{\"format\":\"virt-keep manifest\",\"version\":1,\"id\":\"20261123T181400Z\",\"store\":\"0123abcd\","
                             "\"domain\":{\"name\":\"web\",\"uuid\":\"" UUID_A "\"},\"host\":\"h\",\"uri\":\"qemu:///system\","
                             "\"times\":{\"started\":\"2026-11-23T18:14:00.000000Z\",\"instant\":\"2026-11-23T18:14:00.000000Z\",\"finished\":null},"
                             "\"mode\":\"push\",\"level\":\"full\",\"versions\":{\"virt_keep\":\"0.1.0\",\"libvirt\":\"9.0.0\",\"qemu\":\"7.2.0\"},"
                             "\"disks\":[{\"target\":\"vda\",\"type\":\"file\",\"source\":\"/a\",\"format\":\"qcow2\",\"virtual_size\":2199023260672,"
                             "\"level\":\"full\",\"base\":null,\"bitmap\":true,\"image\":\"vda.qcow2\",\"size\":4294967303,"
                             "\"sha256\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}],"
                             "\"files\":[],\"left_out\":[],\"warnings\":[],\"closed\":{\"proved\":true}}";
  g_autoptr (GError) error = NULL;
  g_autoptr (VkManifest) manifest = vk_manifest_parse (text, "manifest.json", &error);
  const VkManifestDisk *disk;

  g_assert_no_error (error);
  disk = vk_manifest_find_disk (manifest, "vda");
  g_assert_cmpuint (disk->virtual_size, ==, (G_GUINT64_CONSTANT (1) << 41) + 5120);
  g_assert_cmpuint (disk->size, ==, (G_GUINT64_CONSTANT (1) << 32) + 7);
  g_assert_cmpuint (vk_manifest_image_bytes (manifest), ==, (G_GUINT64_CONSTANT (1) << 32) + 7);
}

static void
test_manifest_round_trip (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VkManifest) manifest = make_manifest (fixture->store, "20261123T181400Z", "a\"\n\xc3\xa9", UUID_A);
  VkManifestDisk *disk = vk_manifest_add_disk (manifest);
  VkManifestLeftOut *left_out = vk_manifest_add_left_out (manifest);
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;
  g_autoptr (VkManifest) read = NULL;
  g_autoptr (GError) error = NULL;
  const VkManifestDisk *read_disk;

  disk->target = g_strdup ("vda");
  disk->level = g_strdup ("full");
  disk->image = g_strdup ("vda.qcow2");
  disk->virtual_size = G_GUINT64_CONSTANT (1) << 62;
  disk->size = 12345;
  disk->bitmap = TRUE;
  disk->sha256 = g_strnfill (64, 'a');
  left_out->target = g_strdup ("sda");
  left_out->reason = g_strdup ("cdrom");
  left_out->message = g_strdup ("it is a CD-ROM");
  g_ptr_array_add (manifest->warnings, g_strdup ("careful"));
  object = vk_manifest_to_json (manifest);
  json_node_set_object (node, object);
  text = json_to_string (node, TRUE);
  read = vk_manifest_parse (text, "manifest.json", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (read->domain_name, ==, manifest->domain_name);
  read_disk = vk_manifest_find_disk (read, "vda");
  g_assert_cmpuint (read_disk->virtual_size, ==, disk->virtual_size);
  g_assert_cmpuint (read_disk->size, ==, 12345);
  g_assert_true (read_disk->bitmap);
  g_assert_cmpuint (vk_manifest_image_bytes (read), ==, 12345);
  g_assert_cmpuint (read->left_out->len, ==, 1);
  g_assert_cmpstr (g_ptr_array_index (read->warnings, 0), ==, "careful");
  g_assert_null (vk_manifest_find_disk (read, "vdb"));
}

/* What is in annotations.json, which anybody may have written. */
static void
test_damaged_annotations (Fixture *fixture, gconstpointer data)
{
  g_autofree char *id = write_point (fixture->store, "web", UUID_A);
  g_autoptr (VkPoint) before = vk_store_find_point (fixture->store, UUID_A, NULL);
  g_autofree char *path = g_build_filename (before->location, "annotations.json", NULL);
  g_autoptr (VkPoint) point = NULL;
  g_autoptr (GPtrArray) points = g_ptr_array_new ();
  g_autoptr (VkRemoval) removal = vk_removal_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, data, -1, NULL));
  point = vk_store_find_point (fixture->store, UUID_A, &error);
  g_assert_no_error (error);
  g_assert_nonnull (point->annotation_damage);
  g_assert_true (point->is_protected);
  g_assert_null (point->note);
  g_ptr_array_add (points, point);
  g_assert_false (vk_store_remove (fixture->store, points, removal, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
}

static const char *const annotation_damages[] = {
  "",
  "[]",
  "{}",
  "{\"format\":\"virt-keep annotations\",\"version\":2}",
  "{\"format\":\"virt-keep annotations\",\"version\":1,\"protected\":1}",
  "{\"format\":\"virt-keep annotations\",\"version\":1,\"note\":[]}",
  "{\"format\":\"virt-keep annotations\",\"version\":1,\"verdict\":true}",
  "{\"format\":\"virt-keep annotations\",\"version\":1,\"verdict\":{}}",
  "{\"format\":\"virt-keep annotations\",\"version\":1,\"note\":\"two\\nlines\"}",
  "{\"format\":\"virt-keep annotations\",\"version\":1,\"note\":\"\\u001b[2J\"}",
};

static void
test_annotations (Fixture *fixture, gconstpointer data)
{
  g_autofree char *id = write_point (fixture->store, "web", UUID_A);
  g_autoptr (VkPoint) before = vk_store_find_point (fixture->store, UUID_A, NULL);
  g_autoptr (VkPoint) after = NULL;
  g_autofree char *long_note = g_strnfill (VK_NOTE_LIMIT + 1, 'x');
  g_autoptr (GError) error = NULL;

  g_assert_false (before->is_protected);
  g_assert_null (before->note);
  g_assert_true (vk_store_annotate (fixture->store, before, TRUE, "caf\xc3\xa9 \"x\"", NULL));
  after = vk_store_find_point (fixture->store, UUID_A, NULL);
  g_assert_true (after->is_protected);
  g_assert_cmpstr (after->note, ==, "caf\xc3\xa9 \"x\"");
  g_assert_false (vk_store_annotate (fixture->store, before, TRUE, long_note, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
  g_clear_error (&error);
  g_assert_false (vk_store_annotate (fixture->store, before, TRUE, "\xff", &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
}

/* A verdict, protection and note, written by different people at different times,
 * leave each other alone; none of them touches the manifest. */
static void
test_verdict (Fixture *fixture, gconstpointer data)
{
  g_autofree char *id = write_point (fixture->store, "web", UUID_A);
  g_autoptr (VkPoint) before = vk_store_find_point (fixture->store, UUID_A, NULL);
  g_autofree char *screenshot = g_build_filename (before->location, "screenshot.png", NULL);
  g_autofree char *manifest = g_build_filename (before->location, "manifest.json", NULL);
  g_autofree char *digest = vk_file_sha256 (manifest, NULL, NULL, NULL);
  g_autofree char *digest_after = NULL;
  g_autoptr (GBytes) picture = g_bytes_new_static ("png", 3);
  g_autoptr (VkVerdict) good = vk_verdict_new (4210, NULL);
  g_autoptr (VkVerdict) bad = vk_verdict_new (99, "it hangs");
  g_autoptr (VkPoint) after = NULL;

  g_assert_null (before->verdict);
  g_assert_true (vk_store_annotate (fixture->store, before, TRUE, "keep", NULL));
  g_assert_true (vk_store_record_verdict (fixture->store, before, good, picture, NULL));
  g_assert_true (g_file_test (screenshot, G_FILE_TEST_IS_REGULAR));
  g_assert_true (vk_store_annotate (fixture->store, before, FALSE, "other", NULL));
  after = vk_store_find_point (fixture->store, UUID_A, NULL);
  g_assert_false (after->is_protected);
  g_assert_cmpstr (after->note, ==, "other");
  g_assert_true (after->verdict->proven);
  g_assert_cmpuint (after->verdict->milliseconds, ==, 4210);
  g_clear_pointer (&after, vk_point_free);
  g_assert_true (vk_store_record_verdict (fixture->store, before, bad, NULL, NULL));
  g_assert_false (g_file_test (screenshot, G_FILE_TEST_EXISTS));
  after = vk_store_find_point (fixture->store, UUID_A, NULL);
  g_assert_cmpstr (after->note, ==, "other");
  g_assert_cmpstr (after->verdict->reason, ==, "it hangs");
  digest_after = vk_file_sha256 (manifest, NULL, NULL, NULL);
  g_assert_cmpstr (digest_after, ==, digest);
}

/* What is not understood is not overwritten. */
static void
test_verdict_beside_damage (Fixture *fixture, gconstpointer data)
{
  static const char text[] = "{\"format\":\"virt-keep annotations\",\"version\":1,\"protected\":1}";
  g_autofree char *id = write_point (fixture->store, "web", UUID_A);
  g_autoptr (VkPoint) point = vk_store_find_point (fixture->store, UUID_A, NULL);
  g_autofree char *path = g_build_filename (point->location, "annotations.json", NULL);
  g_autoptr (VkVerdict) verdict = vk_verdict_new (1, NULL);
  g_autofree char *now = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_false (vk_store_record_verdict (fixture->store, point, verdict, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_true (g_file_get_contents (path, &now, NULL, NULL));
  g_assert_cmpstr (now, ==, text);
}

/* Points without disks: nothing is merged. */
static void
test_remove (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = write_point (fixture->store, "web", UUID_A);
  g_autofree char *second = write_point (fixture->store, "web", UUID_A);
  g_autofree char *other = write_point (fixture->store, "db", UUID_B);
  g_autoptr (GPtrArray) points = vk_store_list (fixture->store, NULL, NULL);
  g_autoptr (GPtrArray) left = NULL;
  g_autoptr (VkRemoval) removal = vk_removal_new ();
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (points->len, ==, 3);
  g_assert_true (vk_store_remove (fixture->store, points, removal, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (removal->removed->len, ==, 3);
  left = vk_store_list (fixture->store, NULL, NULL);
  g_assert_cmpuint (left->len, ==, 0);
  g_assert_false (vk_store_remove (fixture->store, points, removal, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_NOT_FOUND);
}

/* A point that a killed process has hidden is not shown, and goes. */
static void
test_finish (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = write_point (fixture->store, "web", UUID_A);
  g_autofree char *second = write_point (fixture->store, "web", UUID_A);
  g_autoptr (VkPoint) point = vk_store_find_point (fixture->store, "web", NULL);
  g_autofree char *manifest = g_build_filename (point->location, "manifest.json", NULL);
  g_autofree char *removed = g_build_filename (point->location, "manifest-removed.json", NULL);
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (VkRemoval) removal = vk_removal_new ();

  g_assert_true (vk_file_rename (manifest, removed, NULL));
  points = vk_store_list (fixture->store, "web", NULL);
  g_assert_cmpuint (points->len, ==, 1);
  g_assert_true (vk_store_finish (fixture->store, NULL, removal, NULL, NULL));
  g_assert_cmpuint (removal->removed->len, ==, 1);
  g_assert_false (g_file_test (point->location, G_FILE_TEST_EXISTS));
}

#define ADD_WITH_STORE(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)

/* A domain may have a @ in its own name. */
static void
test_point_name (void)
{
  static const struct { const char *name; const char *time; } names[] = {
    { "web", NULL },
    { "web@latest", "latest" },
    { "web@20000101T000000Z", "20000101T000000Z" },
    { "web@site", NULL },
    { "web@site@latest", "latest" },
    { "web@latest@20000101T000000Z", "20000101T000000Z" },
    { "web@20000101T000000Z@site", NULL },
    { "web@20000101T000000", NULL },
    { "web@20000101t000000Z", NULL },
    { "web@20000101T000000Z ", NULL },
    { "@latest", "latest" },
    { "@", NULL },
    { "", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    g_assert_cmpstr (vk_point_name_time (names[i].name), ==, names[i].time);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/manifest/large-numbers", test_manifest_large_numbers);
  g_test_add_func ("/store/point-name", test_point_name);
  g_test_add_func ("/layout/directory-names", test_directory_names);
  g_test_add_func ("/layout/long-name", test_long_name);
  g_test_add_func ("/layout/point-names", test_point_names);
  g_test_add_data_func ("/url/empty", "", test_bad_url);
  g_test_add_data_func ("/url/image-empty", "image:", test_bad_url);
  g_test_add_data_func ("/url/unknown", "tape:x", test_bad_url);
#ifndef HAVE_RESTIC
  g_test_add_data_func ("/url/restic", "restic:/srv/r", test_bad_url);
#endif
  ADD_WITH_STORE ("/store/missing", test_missing_store);
  ADD_WITH_STORE ("/store/foreign-directory", test_foreign_directory);
  ADD_WITH_STORE ("/store/id-is-kept", test_reopened_store_has_its_id);
  ADD_WITH_STORE ("/point/order", test_points_in_order);
  ADD_WITH_STORE ("/point/name-of-two-domains", test_name_of_two_domains);
  ADD_WITH_STORE ("/point/renamed-domain", test_renamed_domain_stays_together);
  ADD_WITH_STORE ("/point/lock", test_lock);
  ADD_WITH_STORE ("/point/abandoned", test_abandoned_point_leaves_nothing);
  ADD_WITH_STORE ("/point/stale-partial", test_stale_partial_is_removed);
  ADD_WITH_STORE ("/point/annotations", test_annotations);
  ADD_WITH_STORE ("/point/verdict", test_verdict);
  ADD_WITH_STORE ("/point/verdict-beside-damage", test_verdict_beside_damage);
  for (gsize i = 0; i < G_N_ELEMENTS (annotation_damages); i++)
    {
      g_autofree char *path = g_strdup_printf ("/point/damaged-annotations/%zu", i);

      g_test_add (path, Fixture, annotation_damages[i], set_up, test_damaged_annotations, tear_down);
    }
  ADD_WITH_STORE ("/point/remove", test_remove);
  ADD_WITH_STORE ("/point/finish", test_finish);
  ADD_WITH_STORE ("/manifest/chunks", test_manifest_chunks);
  ADD_WITH_STORE ("/manifest/round-trip", test_manifest_round_trip);
  for (gsize i = 0; i < G_N_ELEMENTS (damages); i++)
    {
      g_autofree char *path = g_strdup_printf ("/manifest/damaged/%s", damages[i].name);

      g_test_add (path, Fixture, damages[i].content, set_up, test_damaged_manifest, tear_down);
    }
  return g_test_run ();
}
