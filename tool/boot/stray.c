/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is left of boots whose domains are gone. */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "boot/boot-private.h"
#include "view/lasting-door.h"

void
vk_boot_stray_free (VkBootStray *stray)
{
  g_free (stray->directory);
  g_free (stray->name);
  g_free (stray->point);
  g_array_unref (stray->doors);
  g_free (stray);
}

static VkBootStray *
stray_new (const char *directory, const VkBoot *boot)
{
  VkBootStray *stray = g_new0 (VkBootStray, 1);

  stray->directory = g_strdup (directory);
  stray->name = g_strdup (boot ? boot->name : NULL);
  stray->point = g_strdup (boot ? boot->point : NULL);
  stray->doors = vk_lasting_door_find (directory, NULL);
  return stray;
}

/* Whether the directory, which is locked, is of no use any more.  One that says nothing
 * that we understand is, when it has no door. */
static gboolean
is_stray (VkHost *host, const char *directory, VkBoot **boot)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GArray) doors = NULL;
  g_autofree char *uri = vk_host_uri (host);

  *boot = vk_boot_load (directory, &failure);
  if (*boot != NULL)
    return strcmp ((*boot)->uri, uri) == 0 && !vk_boot_is_alive (host, *boot);
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    return TRUE;
  doors = vk_lasting_door_find (directory, NULL);
  return doors->len == 0;
}

static void
examine (VkHost *host, const char *directory, GPtrArray *strays)
{
  g_autoptr (VkBoot) boot = NULL;
  /* What somebody works on is no stray, and may just have gone. */
  int lock = vk_boot_lock (directory, FALSE, NULL);

  if (lock < 0)
    return;
  if (is_stray (host, directory, &boot))
    g_ptr_array_add (strays, stray_new (directory, boot));
  close (lock);
}

/* Doors whose directory has gone. */
static void
find_homeless (GPtrArray *strays)
{
  g_autoptr (GPtrArray) owners = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GArray) doors = vk_lasting_door_find (NULL, owners);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < doors->len; i++)
    {
      const char *owner = g_ptr_array_index (owners, i);

      if (!g_file_test (owner, G_FILE_TEST_EXISTS) && g_hash_table_add (seen, (gpointer) owner))
        g_ptr_array_add (strays, stray_new (owner, NULL));
    }
}

GPtrArray *
vk_boot_find_stray (VkHost *host, GError **error)
{
  g_autofree char *registry = vk_boot_registry (error);
  /* Nobody makes a directory meanwhile, which would not be locked yet. */
  int lock = registry ? vk_boot_lock (registry, TRUE, error) : -1;
  g_autoptr (GPtrArray) directories = lock >= 0 ? vk_boot_directories (error) : NULL;
  GPtrArray *strays = NULL;

  if (directories != NULL)
    {
      strays = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_boot_stray_free);
      for (guint i = 0; i < directories->len; i++)
        examine (host, g_ptr_array_index (directories, i), strays);
      find_homeless (strays);
    }
  if (lock >= 0)
    close (lock);
  return strays;
}

static gboolean
remove_locked (const VkBootStray *stray, GError **error)
{
  g_autoptr (VkBoot) boot = vk_boot_load (stray->directory, NULL);

  if (boot != NULL)
    return vk_boot_remove_files (boot, 0, error);
  return vk_lasting_door_end_all (stray->directory, 0, error) && vk_tree_remove (stray->directory, error);
}

gboolean
vk_boot_remove_stray (const VkBootStray *stray, GError **error)
{
  g_autoptr (GError) failure = NULL;
  int lock = vk_boot_lock (stray->directory, FALSE, &failure);
  gboolean ok;

  if (lock < 0 && g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    return vk_lasting_door_end_all (stray->directory, 0, error);
  if (lock < 0)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  ok = remove_locked (stray, error);
  close (lock);
  return ok;
}
