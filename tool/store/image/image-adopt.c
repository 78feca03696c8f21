/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Points that were not made by a backup into this store. */
#include "config.h"

#include "base/error.h"
#include "base/files.h"
#include "store/image/image-layout.h"
#include "store/image/image-store.h"

char *
vk_image_store_make_place (VkStore *store, const VkManifest *manifest, GError **error)
{
  g_autofree char *directory = NULL;
  g_autofree char *place = NULL;

  if (!vk_image_is_point_name (manifest->id) || !g_uuid_string_is_valid (manifest->domain_uuid))
    {
      vk_fail (error, VK_ERROR_STORE, "the manifest is of the restore point '%s' of the domain with the UUID '%s', and neither can be anything else than a time and a UUID", manifest->id, manifest->domain_uuid);
      return NULL;
    }
  directory = vk_image_lock_directory (store, manifest->domain_name, manifest->domain_uuid, error);
  if (directory == NULL)
    return NULL;
  place = g_build_filename (directory, manifest->id, NULL);
  return vk_directory_make (place, VK_IMAGE_POINT_MODE, error) ? g_steal_pointer (&place) : NULL;
}
