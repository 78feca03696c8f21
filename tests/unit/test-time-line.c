/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bar of a point is as high as its bytes are many, also beyond 4 GiB. */
#include "config.h"

#include "report/time-line.h"

static VkManifest *
make_manifest (guint64 bytes)
{
  VkManifest *manifest = vk_manifest_new ();
  VkManifestDisk *disk = vk_manifest_add_disk (manifest);

  manifest->instant = g_strdup ("2026-11-23T18:14:00.000000Z");
  manifest->level = g_strdup ("full");
  disk->size = bytes;
  return manifest;
}

/* In pixels, of a point that takes so many bytes. */
static int
height_of (guint64 bytes)
{
  g_autoptr (GDateTime) begin = g_date_time_new_utc (2026, 11, 23, 0, 0, 0);
  g_autoptr (GDateTime) end = g_date_time_new_utc (2026, 11, 24, 0, 0, 0);
  const VkTimeSpan span = { .begin = begin, .end = end };
  g_autoptr (VkManifest) manifest = make_manifest (bytes);
  VkPoint point = { .id = (char *) "20261123T181400Z", .manifest = manifest };
  g_autoptr (GPtrArray) points = g_ptr_array_new ();
  const VkDomainSummary summary = { .name = (char *) "web", .points = points, .newest = &point, .instant = begin, .oldest = begin };
  xmlDoc *doc = xmlNewDoc (NULL);
  xmlNode *root = xmlNewNode (NULL, (const xmlChar *) "page");
  g_autofree char *height = NULL;

  xmlDocSetRootElement (doc, root);
  g_ptr_array_add (points, &point);
  vk_time_line_add (root, &summary, &span);
  height = vk_xml_text (root, ".//*[local-name()='rect'][@class='full']/@height");
  xmlFreeDoc (doc);
  g_assert_nonnull (height);
  return (int) g_ascii_strtoll (height, NULL, 10);
}

static void
test_heights (void)
{
  const int least = height_of (0);

  g_assert_cmpint (least, >, 0);
  g_assert_cmpint (height_of ((64 << 10) - 1), ==, least);
  g_assert_cmpint (height_of (64 << 10), ==, least + 1);
  g_assert_cmpint (height_of (128 << 10), ==, least + 2);
  g_assert_cmpint (height_of (G_GUINT64_CONSTANT (1) << 32), ==, least + 17);
  g_assert_cmpint (height_of (G_GUINT64_CONSTANT (1) << 33), ==, least + 18);
  g_assert_cmpint (height_of (G_GUINT64_CONSTANT (1) << 47), ==, least + 32);
  g_assert_cmpint (height_of (G_MAXUINT64), ==, least + 32);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/time-line/heights", test_heights);
  return g_test_run ();
}
