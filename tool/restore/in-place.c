/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "restore/in-place.h"

#include "base/error.h"
#include "host/domains.h"

gboolean
vk_in_place_check_off (const VkInPlace *in_place, GError **error)
{
  int active = virDomainIsActive (in_place->domain);

  if (active == 0)
    return TRUE;
  if (active < 0)
    vk_set_libvirt_error (error, NULL, "cannot ask whether '%s' runs", in_place->xml->name);
  else
    vk_fail (error, VK_ERROR_REFUSED, "'%s' runs: its disks can be restored in place while it is shut off only", in_place->xml->name);
  return FALSE;
}

/* Memory that was saved with the present disks must not wake up on others. */
static gboolean
check_no_saved_state (const VkInPlace *in_place, GError **error)
{
  if (virDomainHasManagedSaveImage (in_place->domain, 0) != 1)
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "'%s' has a saved state (virsh managedsave), which does not fit other disks: start the domain and shut it off, or virsh managedsave-remove it", in_place->xml->name);
}

static gboolean
read_domain (VkInPlace *in_place, VkHost *host, const VkPoint *point, GError **error)
{
  in_place->domain = virDomainLookupByUUIDString (vk_host_connection (host), point->manifest->domain_uuid);
  if (in_place->domain == NULL)
    return vk_fail (error, VK_ERROR_NOT_FOUND, "libvirt has no domain with the UUID %s of the restore point, so there is no place to restore to: use --to and --define", point->manifest->domain_uuid);
  in_place->xml = vk_host_read_domain (host, in_place->domain, VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE, NULL, error);
  return in_place->xml != NULL;
}

/* A store that cannot be written to has no backups to keep away either. */
static gboolean
lock_domain (VkInPlace *in_place, VkStore *store, const VkPoint *point, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failure = NULL;

  in_place->lock = vk_store_begin_point (store, point->manifest->domain_name, point->manifest->domain_uuid, cancellable, &failure);
  if (in_place->lock != NULL || g_error_matches (failure, VK_ERROR, VK_ERROR_STORE))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

VkInPlace *
vk_in_place_open (VkHost *host, VkStore *store, const VkPoint *point, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkInPlace) in_place = g_new0 (VkInPlace, 1);

  if (!vk_host_is_local (host))
    {
      vk_fail (error, VK_ERROR_REFUSED, "--in-place works on the machine of the domain only: run virt-keep there");
      return NULL;
    }
  if (!read_domain (in_place, host, point, error)
      || !vk_in_place_check_off (in_place, error)
      || !check_no_saved_state (in_place, error)
      || !lock_domain (in_place, store, point, cancellable, error))
    return NULL;
  return g_steal_pointer (&in_place);
}

void
vk_in_place_close (VkInPlace *in_place)
{
  if (in_place == NULL)
    return;
  g_clear_pointer (&in_place->lock, vk_point_writer_free);
  g_clear_pointer (&in_place->xml, vk_domain_xml_free);
  g_clear_pointer (&in_place->domain, virDomainFree);
  g_free (in_place);
}
