/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/qemu-user.h"

#include <stdlib.h>

#include "base/error.h"
#include "host/domain-xml.h"

gboolean
vk_host_default_qemu_user (VkHost *host, gboolean *known, guint *uid, guint *gid, GError **error)
{
  char *capabilities = virConnectGetCapabilities (vk_host_connection (host));
  g_autoptr (xmlDoc) doc = NULL;
  g_autofree char *label = NULL;

  if (capabilities == NULL)
    {
      vk_set_libvirt_error (error, NULL, "cannot read the capabilities of the host");
      return FALSE;
    }
  doc = vk_xml_parse (capabilities, "capabilities", error);
  free (capabilities);
  if (doc == NULL)
    return FALSE;
  label = vk_xml_text (xmlDocGetRootElement (doc), "host/secmodel[model='dac']/baselabel[@type='qemu']");
  *known = label != NULL && vk_domain_xml_parse_label (label, uid, gid);
  return TRUE;
}

gboolean
vk_host_qemu_user (VkHost *host, const char *xml, gboolean *known, guint *uid, guint *gid, GError **error)
{
  g_autoptr (VkDomainXml) domain = vk_domain_xml_parse (xml, error);

  if (domain == NULL)
    return FALSE;
  if (!domain->has_qemu_user)
    return vk_host_default_qemu_user (host, known, uid, gid, error);
  *known = TRUE;
  *uid = domain->qemu_uid;
  *gid = domain->qemu_gid;
  return TRUE;
}
