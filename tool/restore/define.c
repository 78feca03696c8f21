/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "host/domain-rewrite.h"
#include "host/domain-xml.h"
#include "restore/restore.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (virNetwork, virNetworkFree)

enum { DOMAIN_XML_LIMIT = 16 << 20 };

static gboolean
check_name (VkHost *host, const VkPoint *point, const char *name, GError **error)
{
  const char *wanted = name ? name : point->manifest->domain_name;
  g_autoptr (virDomain) domain = virDomainLookupByName (vk_host_connection (host), wanted);

  if (domain == NULL)
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "a domain named '%s' exists already: give the restored one another name with --name", wanted);
}

static gboolean
check_networks (VkHost *host, GHashTable *networks, GError **error)
{
  GHashTableIter iter;
  gpointer name;

  if (networks == NULL)
    return TRUE;
  g_hash_table_iter_init (&iter, networks);
  while (g_hash_table_iter_next (&iter, NULL, &name))
    {
      g_autoptr (virNetwork) network = virNetworkLookupByName (vk_host_connection (host), name);

      if (network == NULL)
        return vk_fail (error, VK_ERROR_NOT_FOUND, "libvirt has no network '%s': see virsh net-list --all", (const char *) name);
    }
  return TRUE;
}

/* Files without which the domain does not start, or not as it was. */
static gboolean
check_file_places (const VkPoint *point, gboolean has_directory, GError **error)
{
  static const char *const roles[] = { "nvram", "kernel", "initrd", "dtb" };

  for (gsize i = 0; !has_directory && i < G_N_ELEMENTS (roles); i++)
    if (vk_manifest_find_file (point->manifest, roles[i]) != NULL)
      return vk_fail (error, VK_ERROR_USAGE, "the domain needs files besides its disks (%s), which must have a place, too: add --to DIRECTORY", roles[i]);
  return TRUE;
}

static char *
load_xml (VkStore *store, const VkPoint *point, GError **error)
{
  const VkManifestFile *stored = vk_manifest_find_file (point->manifest, "domain-inactive-xml");

  if (stored != NULL)
    return vk_store_load_file (store, point, stored, DOMAIN_XML_LIMIT, error);
  vk_fail (error, VK_ERROR_STORE, "the restore point holds no domain XML");
  return NULL;
}

gboolean
vk_restore_check_define (VkHost *host, VkStore *store, const VkPoint *point, const VkDefineRequest *request, gboolean has_directory, GError **error)
{
  VkDomainRewrite rewrite = { .name = request->name, .networks = request->networks };
  g_autofree char *text = NULL;
  g_autofree char *xml = NULL;

  if (!check_name (host, point, request->name, error) || !check_networks (host, request->networks, error) || !check_file_places (point, has_directory, error))
    return FALSE;
  text = load_xml (store, point, error);
  xml = text ? vk_domain_xml_rewrite (text, &rewrite, NULL, error) : NULL;
  return xml != NULL;
}

static gboolean
uuid_is_taken (VkHost *host, const char *uuid)
{
  g_autoptr (virDomain) domain = virDomainLookupByUUIDString (vk_host_connection (host), uuid);

  return domain != NULL;
}

static const VkRestored *
find_restored (const GPtrArray *restored, const char *name)
{
  for (guint i = 0; i < restored->len; i++)
    {
      const VkRestored *candidate = g_ptr_array_index (restored, i);

      if (strcmp (candidate->name, name) == 0)
        return candidate;
    }
  return NULL;
}

/* The path that the file with this role was restored to, or NULL. */
static const char *
path_of_role (const VkPoint *point, const GPtrArray *restored, const char *role)
{
  const VkManifestFile *file = vk_manifest_find_file (point->manifest, role);
  const VkRestored *found = file ? find_restored (restored, file->name) : NULL;

  return found ? found->path : NULL;
}

/* target -> path, of the restored disks and of the copied media. */
static void
sort_paths (const VkPoint *point, const GPtrArray *restored, VkDomainRewrite *rewrite)
{
  for (guint i = 0; i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      const VkRestored *found = find_restored (restored, disk->target);

      if (found != NULL)
        g_hash_table_insert (rewrite->disks, disk->target, found->path);
      if (found != NULL && disk->secret != NULL)
        g_hash_table_insert (rewrite->secrets, disk->target, disk->secret);
      if (found != NULL && found->is_block)
        g_hash_table_add (rewrite->block, disk->target);
      if (found != NULL && !found->is_path)
        g_hash_table_add (rewrite->network, disk->target);
    }
  for (guint i = 0; i < point->manifest->files->len; i++)
    {
      const VkManifestFile *file = g_ptr_array_index (point->manifest->files, i);
      const VkRestored *found = find_restored (restored, file->name);

      if (file->target != NULL && found != NULL)
        g_hash_table_insert (rewrite->copied, file->target, found->path);
    }
}

/* Firmware is part of the host, not of the domain. */
static void
warn_about_firmware (GPtrArray *warnings, VkHost *host, const char *xml)
{
  g_autoptr (VkDomainXml) domain = vk_domain_xml_parse (xml, NULL);

  if (domain != NULL && domain->loader != NULL && vk_host_is_local (host) && access (domain->loader, R_OK) != 0)
    g_ptr_array_add (warnings, g_strdup_printf ("the firmware '%s' is not installed here: install it before the domain is started", domain->loader));
}

static void
warn_about (GPtrArray *warnings, const VkPoint *point, GStrv removed)
{
  for (gsize i = 0; removed != NULL && removed[i] != NULL; i++)
    g_ptr_array_add (warnings, g_strdup_printf ("the disk '%s' is not restored and was left out of the domain", removed[i]));
  if (vk_manifest_find_file (point->manifest, "swtpm") != NULL)
    g_ptr_array_add (warnings, g_strdup ("the state of the emulated TPM is in the files swtpm-*: before the first start, place them where libvirt keeps it, without 'swtpm-' in their names (/var/lib/libvirt/swtpm/UUID/tpm2)"));
}

static virDomainPtr
define_xml (VkHost *host, const char *xml, GError **error)
{
  virDomainPtr domain = virDomainDefineXML (vk_host_connection (host), xml);

  if (domain == NULL)
    vk_set_libvirt_error (error, N_("the disks are restored; mend a copy of the point's domain-inactive.xml and virsh define it"), "libvirt did not define the restored domain");
  return domain;
}

static gboolean
start (virDomainPtr domain, const char *name, GError **error)
{
  if (virDomainCreate (domain) == 0)
    return TRUE;
  vk_set_libvirt_error (error, N_("it is restored and defined"), "the restored domain '%s' does not start", name);
  return FALSE;
}

char *
vk_restore_define (VkHost *host, VkStore *store, const VkPoint *point, const VkDefineRequest *request, const GPtrArray *restored, const char *format, GPtrArray *warnings, GError **error)
{
  g_autoptr (GHashTable) disks = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) block = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) network = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) secrets = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) media = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree char *text = load_xml (store, point, error);
  g_autofree char *xml = NULL;
  g_autofree char *name = NULL;
  g_auto (GStrv) removed = NULL;
  g_autoptr (virDomain) domain = NULL;
  VkDomainRewrite rewrite = {
    .name = request->name,
    .new_identity = uuid_is_taken (host, point->manifest->domain_uuid),
    .new_uuid = request->new_uuid,
    .new_macs = request->new_macs,
    .networks = request->networks,
    .disks = disks,
    .disk_format = format,
    .block = block,
    .network = network,
    .secrets = secrets,
    .copied = media,
    .nvram = path_of_role (point, restored, "nvram"),
    .kernel = path_of_role (point, restored, "kernel"),
    .initrd = path_of_role (point, restored, "initrd"),
    .dtb = path_of_role (point, restored, "dtb"),
  };

  if (text == NULL)
    return NULL;
  sort_paths (point, restored, &rewrite);
  xml = vk_domain_xml_rewrite (text, &rewrite, &removed, error);
  domain = xml ? define_xml (host, xml, error) : NULL;
  if (domain == NULL)
    return NULL;
  warn_about (warnings, point, removed);
  warn_about_firmware (warnings, host, xml);
  name = g_strdup (virDomainGetName (domain));
  return !request->start || start (domain, name, error) ? g_steal_pointer (&name) : NULL;
}
