/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "host/domain-rewrite.h"
#include "restore/restore.h"

enum { DOMAIN_XML_LIMIT = 16 << 20 };

gboolean
vk_restore_check_name (VkHost *host, const VkPoint *point, const char *name, GError **error)
{
  const char *wanted = name ? name : point->manifest->domain_name;
  g_autoptr (virDomain) domain = virDomainLookupByName (vk_host_connection (host), wanted);

  if (domain == NULL)
    return TRUE;
  g_set_error (error, VK_ERROR, VK_ERROR_REFUSED, "a domain named '%s' exists already: give the restored one another name with --name", wanted);
  return FALSE;
}

static gboolean
uuid_is_taken (VkHost *host, const char *uuid)
{
  g_autoptr (virDomain) domain = virDomainLookupByUUIDString (vk_host_connection (host), uuid);

  return domain != NULL;
}

/* The path that the file with this role was restored to, or NULL. */
static const char *
path_of_role (const VkPoint *point, GHashTable *paths, const char *role)
{
  const VkManifestFile *file = vk_manifest_find_file (point->manifest, role);

  return file ? g_hash_table_lookup (paths, file->name) : NULL;
}

/* target -> path, of the restored disks and of the copied media. */
static void
sort_paths (const VkPoint *point, GHashTable *paths, GHashTable *disks, GHashTable *media)
{
  for (guint i = 0; i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      char *path = g_hash_table_lookup (paths, disk->target);

      if (path != NULL)
        g_hash_table_insert (disks, disk->target, path);
    }
  for (guint i = 0; i < point->manifest->files->len; i++)
    {
      const VkManifestFile *file = g_ptr_array_index (point->manifest->files, i);
      char *path = g_hash_table_lookup (paths, file->name);

      if (file->target != NULL && path != NULL)
        g_hash_table_insert (media, file->target, path);
    }
}

static void
warn_about (GPtrArray *warnings, const VkPoint *point, GStrv removed)
{
  for (gsize i = 0; removed != NULL && removed[i] != NULL; i++)
    g_ptr_array_add (warnings, g_strdup_printf ("the disk '%s' is not restored and was left out of the domain", removed[i]));
  if (vk_manifest_find_file (point->manifest, "swtpm") != NULL)
    g_ptr_array_add (warnings, g_strdup ("the state of the emulated TPM is in the files swtpm-*: before the first start, place them where libvirt keeps it, without 'swtpm-' in their names (/var/lib/libvirt/swtpm/UUID/tpm2)"));
}

char *
vk_restore_define (VkHost *host, VkStore *store, const VkPoint *point, const VkRestoreRequest *request, GHashTable *paths, const char *name, GPtrArray *warnings, GError **error)
{
  g_autoptr (GHashTable) disks = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) media = g_hash_table_new (g_str_hash, g_str_equal);
  const VkManifestFile *stored = vk_manifest_find_file (point->manifest, "domain-inactive-xml");
  g_autofree char *text = NULL;
  g_autofree char *xml = NULL;
  g_auto (GStrv) removed = NULL;
  g_autoptr (virDomain) domain = NULL;
  VkDomainRewrite rewrite = {
    .name = name,
    .new_identity = uuid_is_taken (host, point->manifest->domain_uuid),
    .disks = disks,
    .disk_format = request->format,
    .copied = media,
    .nvram = path_of_role (point, paths, "nvram"),
    .kernel = path_of_role (point, paths, "kernel"),
    .initrd = path_of_role (point, paths, "initrd"),
    .dtb = path_of_role (point, paths, "dtb"),
  };

  if (stored == NULL)
    {
      g_set_error (error, VK_ERROR, VK_ERROR_STORE, "the restore point holds no domain XML");
      return NULL;
    }
  text = vk_store_load_file (store, point, stored, DOMAIN_XML_LIMIT, error);
  if (text == NULL)
    return NULL;
  sort_paths (point, paths, disks, media);
  xml = vk_domain_xml_rewrite (text, &rewrite, &removed, error);
  if (xml == NULL)
    return NULL;
  domain = virDomainDefineXML (vk_host_connection (host), xml);
  if (domain == NULL)
    {
      vk_set_libvirt_error (error, "the disks are restored; mend a copy of the point's domain-inactive.xml and virsh define it", "libvirt did not define the restored domain");
      return NULL;
    }
  warn_about (warnings, point, removed);
  return g_strdup (virDomainGetName (domain));
}
