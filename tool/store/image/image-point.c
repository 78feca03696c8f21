/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a restore point, also one that is just being changed. */
#include "config.h"

#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/files.h"
#include "store/image/image-layout.h"
#include "view/qcow2-header.h"

/* Whether the image is the one that this description is of: what differs for
 * sure between an image and the merged one is what it builds on. */
static gboolean
builds_on (const char *path, const VkManifestDisk *disk)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *backing = vk_qcow2_backing_name (path, &failure);
  g_autofree char *prefix = g_strdup_printf ("../%s/", disk->base);

  if (failure != NULL)
    return FALSE;
  return disk->base ? backing != NULL && g_str_has_prefix (backing, prefix) : backing == NULL;
}

/* Takes the description of each image that has been replaced already from the
 * manifest that will soon be the only one. */
static gboolean
choose_descriptions (VkPoint *point, VkManifest *merged)
{
  if (strcmp (merged->id, point->manifest->id) != 0 || merged->disks->len != point->manifest->disks->len)
    {
      point->damage = g_strdup_printf ("%s/" VK_IMAGE_MERGED " is of another restore point", point->location);
      return FALSE;
    }
  for (guint i = 0; i < merged->disks->len; i++)
    {
      const VkManifestDisk *old = g_ptr_array_index (point->manifest->disks, i);
      const VkManifestDisk *new = g_ptr_array_index (merged->disks, i);
      g_autofree char *image = g_build_filename (point->location, old->image, NULL);

      if (strcmp (new->target, old->target) == 0 && strcmp (new->image, old->image) == 0
          && g_strcmp0 (new->base, old->base) != 0 && builds_on (image, new))
        {
          merged->disks->pdata[i] = (gpointer) old;
          point->manifest->disks->pdata[i] = (gpointer) new;
        }
    }
  return TRUE;
}

static VkManifest *
read_manifest (const char *directory, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (directory, name, NULL);
  g_autofree char *text = vk_file_read (path, VK_MANIFEST_LIMIT, NULL, error);

  g_autoptr (VkManifest) manifest = text ? vk_manifest_parse (text, path, error) : NULL;

  for (guint i = 0; manifest != NULL && i < manifest->disks->len; i++)
    if (((const VkManifestDisk *) g_ptr_array_index (manifest->disks, i))->sha256 == NULL)
      {
        vk_fail (error, VK_ERROR_STORE, "%s: it is the manifest of a point in another kind of store", path);
        return NULL;
      }
  return g_steal_pointer (&manifest);
}

static gboolean
read_manifests (VkPoint *point)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GError) other_failure = NULL;
  g_autoptr (VkManifest) merged = NULL;

  point->manifest = read_manifest (point->location, VK_IMAGE_MANIFEST, &failure);
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    {
      point->manifest = read_manifest (point->location, VK_IMAGE_REMOVED, &other_failure);
      point->removed = !g_error_matches (other_failure, VK_ERROR, VK_ERROR_NOT_FOUND);
    }
  if (point->manifest == NULL)
    {
      point->damage = g_strdup (point->removed ? other_failure->message : failure->message);
      return FALSE;
    }
  if (strcmp (point->manifest->id, point->id) != 0)
    {
      point->damage = g_strdup_printf ("%s: it says that it is the point %s: was the directory renamed?", point->location, point->manifest->id);
      return FALSE;
    }
  g_clear_error (&other_failure);
  merged = read_manifest (point->location, VK_IMAGE_MERGED, &other_failure);
  if (merged != NULL)
    return choose_descriptions (point, merged);
  if (!g_error_matches (other_failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    point->damage = g_strdup (other_failure->message);
  return point->damage == NULL;
}

static void
check_images (VkPoint *point)
{
  for (guint i = 0; point->damage == NULL && i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      g_autofree char *image = g_build_filename (point->location, disk->image, NULL);
      GStatBuf status;

      if (g_lstat (image, &status) < 0)
        point->damage = g_strdup_printf ("the image '%s' is missing", image);
      /* An image of a removed point may have grown: see image-merge.h. */
      else if (!S_ISREG (status.st_mode) || (!point->removed && (guint64) status.st_size != disk->size))
        point->damage = g_strdup_printf ("the image '%s' is not the file of %" PRIu64 " bytes that was stored", image, disk->size);
    }
}

/* A domain's directory is called NAME.UUID. */
static char *
uuid_of_directory (const char *domain_directory)
{
  const char *dot = strrchr (domain_directory, '.');

  return g_strdup (dot ? dot + 1 : domain_directory);
}

static VkPoint *
read_once (const char *domain_directory, const char *id)
{
  VkPoint *point = g_new0 (VkPoint, 1);
  gboolean is_link;

  point->location = g_build_filename (domain_directory, id, NULL);
  is_link = g_file_test (point->location, G_FILE_TEST_IS_SYMLINK);
  point->id = g_strdup (id);
  if (is_link)
    point->damage = g_strdup_printf ("'%s' is a link, and links are not followed in a store", point->location);
  else if (read_manifests (point))
    check_images (point);
  point->domain = point->manifest ? g_strdup (point->manifest->domain_name) : uuid_of_directory (domain_directory);
  if (!is_link)
    vk_image_read_annotations (point);
  return point;
}

VkPoint *
vk_image_read_point (const char *domain_directory, const char *id)
{
  VkPoint *point = read_once (domain_directory, id);

  /* Manifest and images are several files: one may have been replaced between
   * our looks at them. */
  if (point->damage != NULL)
    {
      vk_point_free (point);
      point = read_once (domain_directory, id);
    }
  return point;
}

GPtrArray *
vk_image_read_points (const char *domain_directory, GError **error)
{
  g_autoptr (GPtrArray) names = vk_image_directory_names (domain_directory, error);
  GPtrArray *points;

  if (names == NULL)
    return NULL;
  points = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_point_free);
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *directory = g_build_filename (domain_directory, name, NULL);

      if (vk_image_is_point_name (name) && vk_image_is_directory (directory))
        g_ptr_array_add (points, vk_image_read_point (domain_directory, name));
    }
  return points;
}
