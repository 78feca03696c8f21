/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What killed processes have left in an image store.  Whatever is not finished in a
 * domain's directory is left over when nobody has the lock of the domain. */
#include "config.h"

#include <string.h>

#include "store/domain-lock.h"
#include "store/image/image-layout.h"

static void
add (GPtrArray *leftovers, const char *kind, const char *directory, char *text, const char *advice)
{
  VkStoreLeftover *leftover = g_new0 (VkStoreLeftover, 1);

  leftover->kind = kind;
  leftover->place = g_strdup (directory);
  leftover->text = text;
  leftover->advice = g_strdup (advice);
  leftover->can_clear = TRUE;
  g_ptr_array_add (leftovers, leftover);
}

static const char next_backup[] = "virt-keep doctor --fix clears it away, and so does the next backup of that domain";
static const char next_removal[] = "virt-keep doctor --fix finishes it, and so does the next virt-keep prune";

/* Of one restore point. */
static void
examine_point (GPtrArray *leftovers, const char *directory, const char *id)
{
  g_autofree char *path = g_build_filename (directory, id, NULL);
  g_autoptr (GPtrArray) names = vk_image_is_directory (path) ? vk_image_directory_names (path, NULL) : NULL;
  gboolean half = FALSE;

  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      half = half || strcmp (name, VK_IMAGE_MERGED) == 0 || g_str_has_prefix (name, VK_IMAGE_MERGE_PREFIX) || g_str_has_prefix (name, VK_IMAGE_NEW_PREFIX);
      if (strcmp (name, VK_IMAGE_REMOVED) == 0)
        add (leftovers, "removal", directory, g_strdup_printf ("the removal of the restore point in '%s' was interrupted", path), next_removal);
    }
  if (half)
    add (leftovers, "half-point", directory, g_strdup_printf ("a change of the restore point in '%s' was interrupted", path), next_backup);
}

static void
examine_domain (GPtrArray *leftovers, const char *directory)
{
  g_autoptr (GPtrArray) names = vk_image_directory_names (directory, NULL);
  g_autofree char *holder = NULL;

  if (names == NULL || vk_domain_lock_is_held (directory, &holder))
    return;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      if (g_str_has_prefix (name, VK_IMAGE_PARTIAL_PREFIX))
        add (leftovers, "half-point", directory, g_strdup_printf ("the backup that was writing '%s/%s' has gone before it was finished", directory, name), next_backup);
      else if (g_str_has_prefix (name, VK_IMAGE_DISCARDED_PREFIX))
        add (leftovers, "removal", directory, g_strdup_printf ("the removal of '%s/%s' was interrupted", directory, name), next_removal);
      else if (vk_image_is_point_name (name))
        examine_point (leftovers, directory, name);
    }
  if (names->len == 1 && strcmp (g_ptr_array_index (names, 0), VK_DOMAIN_LOCK) == 0)
    add (leftovers, "lock", directory, g_strdup_printf ("'%s' holds nothing but the lock of a virt-keep that is gone", directory), next_backup);
}

GPtrArray *
vk_image_find_leftovers (VkStore *base, const char *domain_uuid, GError **error)
{
  const VkImageStore *store = (const VkImageStore *) base;
  g_autoptr (GPtrArray) names = vk_image_directory_names (store->path, error);
  GPtrArray *leftovers;

  if (names == NULL)
    return NULL;
  leftovers = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_store_leftover_free);
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      const char *uuid = strrchr (name, '.');
      g_autofree char *directory = g_build_filename (store->path, name, NULL);

      if (*name != '.' && uuid != NULL && g_uuid_string_is_valid (uuid + 1) && (domain_uuid == NULL || strcmp (uuid + 1, domain_uuid) == 0) && vk_image_is_directory (directory))
        examine_domain (leftovers, directory);
    }
  return leftovers;
}

gboolean
vk_image_clear_leftover (VkStore *store, const VkStoreLeftover *leftover, GError **error)
{
  g_autoptr (VkRemoval) removal = vk_removal_new ();

  return vk_image_finish_domain (leftover->place, removal, NULL, error);
}
