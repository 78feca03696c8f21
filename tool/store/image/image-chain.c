/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which image builds on which. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "store/image/image-layout.h"
#include "view/qcow2-header.h"

char *
vk_image_backing_name (const VkPoint *base, const VkManifestDisk *disk)
{
  return g_strdup_printf ("../%s/%s", base->id, disk->image);
}

/* The manifest says what the image builds on; the image has to agree, since
 * qemu-img and every other reader will believe the image. */
static gboolean
check_backing (const char *path, const char *expected, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *found = vk_qcow2_backing_name (path, &failure);

  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else if (g_strcmp0 (found, expected) == 0)
    return TRUE;
  else
    vk_fail (error, VK_ERROR_STORE, "the image '%s' has the backing file '%s' instead of '%s'", path, found ? found : "(none)", expected ? expected : "(none)");
  return FALSE;
}

/* The point under the disk's image, or NULL with *error set. */
static VkPoint *
read_base (const VkPoint *point, const VkManifestDisk *disk, GError **error)
{
  g_autofree char *domain_directory = g_path_get_dirname (point->location);
  g_autoptr (VkPoint) base = NULL;
  const VkManifestDisk *below;

  /* Time goes one way, so that a chain has an end. */
  if (strcmp (disk->base, point->id) >= 0)
    {
      vk_fail (error, VK_ERROR_STORE, "the restore point '%s' claims to build on the later one %s", point->location, disk->base);
      return NULL;
    }
  base = vk_image_read_point (domain_directory, disk->base);
  below = base->damage == NULL ? vk_manifest_find_disk (base->manifest, disk->target) : NULL;
  if (below != NULL && g_strcmp0 (below->secret, disk->secret) == 0)
    return g_steal_pointer (&base);
  if (below != NULL)
    {
      vk_fail (error, VK_ERROR_STORE, "'%s' builds on the restore point %s, whose image has another key", point->location, disk->base);
      return NULL;
    }
  vk_fail (error, VK_ERROR_STORE, "'%s' builds on the restore point %s, which %s", point->location, disk->base, base->damage ? base->damage : "does not have this disk");
  return NULL;
}

static VkPoint *
copy_point (const VkPoint *point)
{
  g_autofree char *domain_directory = g_path_get_dirname (point->location);

  return vk_image_read_point (domain_directory, point->id);
}

GPtrArray *
vk_image_chain (const VkPoint *point, const char *target, GPtrArray **points, GError **error)
{
  g_autoptr (GPtrArray) chain = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) layers = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_point_free);
  VkPoint *layer = copy_point (point);

  while (layer != NULL)
    {
      const VkManifestDisk *disk = layer->manifest ? vk_manifest_find_disk (layer->manifest, target) : NULL;
      g_autoptr (VkPoint) base = NULL;
      g_autofree char *backing = NULL;
      char *path;

      g_ptr_array_add (layers, layer);
      if (disk == NULL)
        {
          vk_fail (error, VK_ERROR_STORE, "the restore point '%s' cannot be read any more", layer->location);
          return NULL;
        }
      path = g_build_filename (layer->location, disk->image, NULL);
      g_ptr_array_add (chain, path);
      if (disk->base != NULL)
        {
          base = read_base (layer, disk, error);
          if (base == NULL)
            return NULL;
          backing = vk_image_backing_name (base, vk_manifest_find_disk (base->manifest, target));
        }
      if (!check_backing (path, backing, error))
        return NULL;
      layer = g_steal_pointer (&base);
    }
  g_ptr_array_add (chain, NULL);
  if (points != NULL)
    *points = g_steal_pointer (&layers);
  return g_steal_pointer (&chain);
}
