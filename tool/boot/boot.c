/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "boot/boot-private.h"

#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "view/lasting-door.h"

void
vk_boot_free (VkBoot *boot)
{
  if (boot == NULL)
    return;
  g_free (boot->name);
  g_free (boot->uuid);
  g_free (boot->point);
  g_free (boot->store_id);
  g_free (boot->directory);
  g_free (boot->overlays);
  g_free (boot->nvram);
  g_free (boot->uri);
  g_free (boot->finishing);
  g_clear_pointer (&boot->disks, g_hash_table_unref);
  g_clear_pointer (&boot->warnings, g_ptr_array_unref);
  g_free (boot);
}

/* Returns: (transfer full), or NULL without an error. */
static virDomainPtr
find_domain (VkHost *host, const VkBoot *boot)
{
  return virDomainLookupByUUIDString (vk_host_connection (host), boot->uuid);
}

gboolean
vk_boot_is_alive (VkHost *host, const VkBoot *boot)
{
  g_autoptr (virDomain) domain = find_domain (host, boot);

  return domain != NULL && virDomainIsActive (domain) == 1;
}

gboolean
vk_boot_resume (VkHost *host, const VkBoot *boot, GError **error)
{
  g_autoptr (virDomain) domain = find_domain (host, boot);

  if (domain != NULL && virDomainResume (domain) == 0)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "cannot let the domain '%s' run", boot->name);
  return FALSE;
}

VkBoot *
vk_boot_find (VkHost *host, const char *name, GError **error)
{
  g_autoptr (GError) failure = NULL;
  VkBoot *boot = vk_boot_load_named (host, name, &failure);
  g_autoptr (virDomain) domain = NULL;

  if (boot != NULL)
    return boot;
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  domain = vk_host_find_domain (host, name, error);
  if (domain != NULL)
    vk_fail (error, VK_ERROR_REFUSED, "the domain '%s' was not booted from a restore point by virt-keep on this host, and is left alone", name);
  return NULL;
}

gboolean
vk_boot_remove_files (const VkBoot *boot, guint grace, GError **error)
{
  if (!vk_lasting_door_end_all (boot->directory, grace, error))
    return FALSE;
  if (boot->nvram != NULL)
    unlink (boot->nvram);
  return vk_tree_remove (boot->overlays, error) && vk_tree_remove (boot->directory, error);
}
