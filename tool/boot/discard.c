/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <unistd.h>

#include "base/error.h"
#include "boot/boot-private.h"

static gboolean
end_domain (VkHost *host, const VkBoot *boot, GError **error)
{
  g_autoptr (virDomain) domain = virDomainLookupByUUIDString (vk_host_connection (host), boot->uuid);

  if (domain == NULL || virDomainIsActive (domain) != 1)
    return TRUE;
  if (virDomainIsPersistent (domain) == 1)
    return vk_fail (error, VK_ERROR_REFUSED, "the domain '%s' has been defined meanwhile and is left alone: undefine it first if it is to be thrown away", boot->name);
  if (virDomainDestroy (domain) == 0 || !vk_boot_is_alive (host, boot))
    return TRUE;
  vk_set_libvirt_error (error, NULL, "cannot end the domain '%s'", boot->name);
  return FALSE;
}

gboolean
vk_boot_discard (VkHost *host, const char *name, GError **error)
{
  g_autoptr (VkBoot) boot = vk_boot_find (host, name, error);
  int lock = boot ? vk_boot_lock (boot->directory, FALSE, error) : -1;
  gboolean ok;

  if (lock < 0)
    return FALSE;
  ok = end_domain (host, boot, error) && vk_boot_remove_files (boot, VK_BOOT_GRACE, error);
  close (lock);
  return ok;
}
