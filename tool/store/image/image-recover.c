/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing a point in steps of which each leaves it readable, and taking up such
 * a change where a killed process has left it. */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "store/image/image-layout.h"
#include "store/image/image-merge.h"

/* From the moment on that the second manifest is there, with all new images
 * complete beside the old ones, there is only one way: forward. */
static gboolean
put_in_place (const char *directory, GError **error)
{
  g_autofree char *merged = g_build_filename (directory, VK_IMAGE_MERGED, NULL);
  g_autofree char *manifest = g_build_filename (directory, VK_IMAGE_MANIFEST, NULL);
  g_autoptr (GPtrArray) names = vk_image_directory_names (directory, error);

  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *from = g_build_filename (directory, name, NULL);
      g_autofree char *to = NULL;

      if (!g_str_has_prefix (name, VK_IMAGE_MERGE_PREFIX))
        continue;
      to = g_build_filename (directory, name + strlen (VK_IMAGE_MERGE_PREFIX), NULL);
      if (!vk_file_replace (from, to, error))
        return FALSE;
    }
  return vk_file_replace (merged, manifest, error);
}

gboolean
vk_image_merge_publish (const VkPoint *point, const VkManifest *manifest, GError **error)
{
  g_autoptr (JsonObject) object = vk_manifest_to_json (manifest);
  g_autofree char *text = vk_json_to_string (object, TRUE);
  g_autofree char *new = g_build_filename (point->location, VK_IMAGE_NEW_PREFIX VK_IMAGE_MANIFEST, NULL);
  g_autofree char *merged = g_build_filename (point->location, VK_IMAGE_MERGED, NULL);

  return vk_file_write (new, text, strlen (text), error)
      && vk_file_replace (new, merged, error)
      && put_in_place (point->location, error);
}

static gboolean
is_unfinished (const char *name)
{
  return g_str_has_prefix (name, VK_IMAGE_MERGE_PREFIX) || g_str_has_prefix (name, VK_IMAGE_NEW_PREFIX);
}

static gboolean
recover_point (const char *directory, GError **error)
{
  g_autofree char *merged = g_build_filename (directory, VK_IMAGE_MERGED, NULL);
  g_autoptr (GPtrArray) names = NULL;

  if (g_file_test (merged, G_FILE_TEST_EXISTS) && !put_in_place (directory, error))
    return FALSE;
  names = vk_image_directory_names (directory, error);
  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *path = g_build_filename (directory, name, NULL);

      if (is_unfinished (name) && !vk_tree_remove (path, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
vk_image_recover (const char *domain_directory, GError **error)
{
  g_autoptr (GPtrArray) names = vk_image_directory_names (domain_directory, error);

  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *path = g_build_filename (domain_directory, name, NULL);

      if ((g_str_has_prefix (name, VK_IMAGE_PARTIAL_PREFIX) || g_str_has_prefix (name, VK_IMAGE_DISCARDED_PREFIX))
          && !vk_tree_remove (path, error))
        return FALSE;
      if (vk_image_is_point_name (name) && vk_image_is_directory (path) && !recover_point (path, error))
        return FALSE;
    }
  return TRUE;
}
