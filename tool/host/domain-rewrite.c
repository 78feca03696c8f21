/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/domain-rewrite.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/xml-edit.h"
#include "host/domain-xml.h"
#include "host/network-source.h"

/* The child element name of element, added at the end when there is none. */
static xmlNode *
ensure_child (xmlNode *element, const char *name)
{
  xmlNode *child = vk_xml_find (element, name);

  return child ? child : xmlNewChild (element, NULL, BAD_CAST name, NULL);
}

/* Makes the disk one of type file at path.  keep is the part of the old source
 * that is still true of the new file, as XPath, or NULL. */
static void
set_file_source (xmlNode *disk, const char *path, const char *keep)
{
  xmlNode *source = ensure_child (disk, "source");

  vk_xml_remove_all (disk, "auth | mirror | backingStore");
  vk_xml_remove_all (source, "@*");
  vk_xml_remove_all (source, keep ? keep : "node()");
  vk_xml_set_attribute (disk, "type", "file");
  vk_xml_set_attribute (source, "file", path);
}

/* What libvirt only accepts together with a format or cache mode that the disk
 * no longer has. */
static void
drop_unfit_driver_options (xmlNode *driver, const char *format)
{
  if (strcmp (format, "qcow2") != 0)
    vk_xml_remove_all (driver, "metadata_cache | @discard_no_unref");
  vk_xml_remove_all (driver, "@io[. = 'native' and not(../@cache = 'none' or ../@cache = 'directsync')]");
}

/* Makes what set_file_source() has made a block device. */
static void
set_block_source (xmlNode *disk, const char *path)
{
  xmlNode *source = ensure_child (disk, "source");

  vk_xml_remove_all (source, "@*");
  vk_xml_set_attribute (disk, "type", "block");
  vk_xml_set_attribute (source, "dev", path);
}

/* Makes what set_file_source() has made a disk of the network. */
static gboolean
set_network_source (xmlNode *disk, const char *uri, GError **error)
{
  g_autoptr (VkNetworkSource) network = vk_network_source_parse (uri, error);

  if (network == NULL)
    return FALSE;
  vk_xml_remove_all (disk, "source/@*");
  vk_network_source_write (network, disk);
  return TRUE;
}

/* Where the data of a restored disk is: in a file, or raw in a block device or behind a URI. */
typedef enum
{
  IN_FILE,
  IN_DEVICE,
  IN_NETWORK,
} Kind;

static gboolean
rewrite_restored_disk (xmlNode *disk, const char *place, Kind kind, const char *format, GError **error)
{
  xmlNode *driver = ensure_child (disk, "driver");

  set_file_source (disk, place, NULL);
  if (kind == IN_DEVICE)
    set_block_source (disk, place);
  else if (kind == IN_NETWORK && !set_network_source (disk, place, error))
    return FALSE;
  vk_xml_remove_all (disk, "encryption");
  vk_xml_set_attribute (driver, "name", "qemu");
  vk_xml_set_attribute (driver, "type", format);
  drop_unfit_driver_options (driver, format);
  return TRUE;
}

/* The copy is the same bytes, so slices and encryption are as before. */
static void
rewrite_copied_disk (xmlNode *disk, const char *path)
{
  set_file_source (disk, path, "node()[not(self::slices or self::encryption)]");
}

static void
eject (xmlNode *disk)
{
  /* The format goes too: libvirt refuses 'fat' without a directory. */
  vk_xml_remove_all (disk, "source | auth | encryption | mirror | backingStore | driver/@type");
  vk_xml_set_attribute (disk, "type", "file");
}

/* An image that the restored domain can go on using where it is. */
static gboolean
is_readable_here (xmlNode *disk)
{
  g_autofree char *path = vk_xml_text (disk, "self::*[@type='file' or @type='block' or @type='dir' or not(@type)]/source/@*[name() = 'file' or name() = 'dev' or name() = 'dir']");

  return path != NULL && access (path, R_OK) == 0;
}

static gboolean
is_removable (xmlNode *disk)
{
  return vk_xml_find (disk, "self::*[@device='cdrom' or @device='floppy']") != NULL;
}

/* A disk that the restore point does not hold. */
static void
rewrite_other_disk (xmlNode *disk, const char *target, GPtrArray *removed)
{
  gboolean is_readonly = is_removable (disk) || vk_xml_find (disk, "readonly") != NULL;

  if (is_readonly && is_readable_here (disk))
    return;
  if (is_removable (disk))
    {
      eject (disk);
      return;
    }
  g_ptr_array_add (removed, g_strdup (target));
  vk_xml_remove (disk);
}

static gboolean
is_in (GHashTable *targets, const char *target)
{
  return targets != NULL && g_hash_table_contains (targets, target);
}

static void
add_encryption (xmlNode *disk, const char *secret)
{
  xmlNode *encryption = xmlNewChild (ensure_child (disk, "source"), NULL, BAD_CAST "encryption", NULL);
  xmlNode *key = xmlNewChild (encryption, NULL, BAD_CAST "secret", NULL);

  vk_xml_set_attribute (encryption, "format", "luks");
  vk_xml_set_attribute (key, "type", "passphrase");
  vk_xml_set_attribute (key, "uuid", secret);
}

static gboolean
rewrite_to_place (xmlNode *disk, const VkDomainRewrite *rewrite, const char *target, const char *place, GError **error)
{
  Kind kind = is_in (rewrite->block, target) ? IN_DEVICE : is_in (rewrite->network, target) ? IN_NETWORK : IN_FILE;

  const char *secret = rewrite->secrets ? g_hash_table_lookup (rewrite->secrets, target) : NULL;

  if (!rewrite_restored_disk (disk, place, kind, kind == IN_FILE ? rewrite->disk_format : "raw", error))
    return FALSE;
  if (secret != NULL)
    add_encryption (disk, secret);
  return TRUE;
}

static gboolean
rewrite_disk (xmlNode *disk, const VkDomainRewrite *rewrite, GHashTable *seen, GPtrArray *removed, GError **error)
{
  g_autofree char *target = vk_domain_xml_disk_target (disk, error);
  const char *restored = NULL;
  const char *copied = NULL;

  if (target == NULL)
    return FALSE;
  restored = rewrite->disks ? g_hash_table_lookup (rewrite->disks, target) : NULL;
  copied = rewrite->copied ? g_hash_table_lookup (rewrite->copied, target) : NULL;
  if (!vk_xml_check_value (restored, "the path of a restored disk", error) || !vk_xml_check_value (copied, "the path of a restored image", error))
    return FALSE;
  if (restored != NULL && !rewrite_to_place (disk, rewrite, target, restored, error))
    return FALSE;
  if (restored == NULL && copied != NULL)
    rewrite_copied_disk (disk, copied);
  else if (restored == NULL)
    rewrite_other_disk (disk, target, removed);
  g_hash_table_add (seen, g_steal_pointer (&target));
  return TRUE;
}

/* A path for a disk that the document lacks would be data that nobody sees. */
static gboolean
check_all_used (GHashTable *paths, GHashTable *seen, GError **error)
{
  GHashTableIter iter;
  gpointer target = NULL;

  if (paths == NULL)
    return TRUE;
  g_hash_table_iter_init (&iter, paths);
  while (g_hash_table_iter_next (&iter, &target, NULL))
    if (!g_hash_table_contains (seen, target))
      return vk_fail (error, VK_ERROR_FAILED, "the domain document has no disk '%s', although the restore point holds one", (const char *) target);
  return TRUE;
}

static gboolean
rewrite_disks (xmlNode *root, const VkDomainRewrite *rewrite, GPtrArray *removed, GError **error)
{
  g_autoptr (GPtrArray) disks = vk_xml_find_all (root, "devices/disk");
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < disks->len; i++)
    if (!rewrite_disk (g_ptr_array_index (disks, i), rewrite, seen, removed, error))
      return FALSE;
  return check_all_used (rewrite->disks, seen, error) && check_all_used (rewrite->copied, seen, error);
}

static gboolean
takes_new_uuid (const VkDomainRewrite *rewrite)
{
  return rewrite->new_identity || rewrite->new_uuid;
}

static gboolean
rewrite_identity (xmlNode *root, const VkDomainRewrite *rewrite, GError **error)
{
  xmlNode *genid = vk_xml_find (root, "genid");

  if (!vk_xml_check_value (rewrite->name, "the name", error))
    return FALSE;
  if (rewrite->name != NULL)
    vk_xml_set_text (ensure_child (root, "name"), rewrite->name);
  if (genid != NULL)
    vk_xml_remove_all (genid, "node()");
  /* libvirt makes a label anew for each start; one of an earlier start is only in its way. */
  vk_xml_remove_all (root, "seclabel[(not(@type) or @type='dynamic') and not(baselabel)]");
  vk_xml_remove_all (root, "seclabel[not(@type) or @type='dynamic']/*[self::label or self::imagelabel]");
  vk_xml_remove_all (root, "@id");
  if (rewrite->new_identity || rewrite->new_macs)
    vk_xml_remove_all (root, "devices/interface/mac");
  if (takes_new_uuid (rewrite))
    {
      vk_xml_remove_all (root, "uuid");
      /* libvirt refuses a SMBIOS UUID that is not the domain's. */
      vk_xml_remove_all (root, "sysinfo/system/entry[@name='uuid']");
    }
  return TRUE;
}

/* Without a path libvirt makes a file of the domain's own from the template. */
static void
forget_nvram (xmlNode *nvram)
{
  vk_xml_remove_all (nvram, "node() | @type");
  if (nvram->properties == NULL)
    vk_xml_remove (nvram);
}

static void
rewrite_nvram (xmlNode *root, const VkDomainRewrite *rewrite)
{
  xmlNode *os = vk_xml_find (root, "os");
  xmlNode *nvram = vk_xml_find (root, "os/nvram");

  if (rewrite->nvram != NULL && os != NULL)
    {
      nvram = ensure_child (os, "nvram");
      vk_xml_remove_all (nvram, "@type");
      vk_xml_set_text (nvram, rewrite->nvram);
    }
  else if (rewrite->nvram == NULL && takes_new_uuid (rewrite) && nvram != NULL)
    {
      /* Two domains must not write to one file. */
      forget_nvram (nvram);
    }
}

static gboolean
rewrite_boot_files (xmlNode *root, const VkDomainRewrite *rewrite, GError **error)
{
  const struct { const char *expression; const char *path; } files[] = {
    { "os/kernel", rewrite->kernel },
    { "os/initrd", rewrite->initrd },
    { "os/dtb", rewrite->dtb },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      xmlNode *element = vk_xml_find (root, files[i].expression);

      if (!vk_xml_check_value (files[i].path, "the path of a boot file", error))
        return FALSE;
      if (element != NULL && files[i].path != NULL)
        vk_xml_set_text (element, files[i].path);
    }
  if (!vk_xml_check_value (rewrite->nvram, "the path of the NVRAM file", error))
    return FALSE;
  rewrite_nvram (root, rewrite);
  return TRUE;
}

/* A network may come more than once; one that the domain is not in is a mistake. */
static gboolean
rewrite_networks (xmlNode *root, GHashTable *networks, GError **error)
{
  g_autoptr (GPtrArray) sources = vk_xml_find_all (root, "devices/interface/source[@network]");
  g_autoptr (GHashTable) unused = g_hash_table_new (g_str_hash, g_str_equal);
  GHashTableIter iter;
  gpointer name, other;

  g_hash_table_iter_init (&iter, networks);
  while (g_hash_table_iter_next (&iter, &name, &other))
    {
      if (!vk_xml_check_value (other, "the name of a network", error))
        return FALSE;
      g_hash_table_add (unused, name);
    }
  for (guint i = 0; i < sources->len; i++)
    {
      xmlNode *source = g_ptr_array_index (sources, i);
      g_autofree char *network = vk_xml_attribute (source, "network");

      g_hash_table_remove (unused, network);
      if (g_hash_table_contains (networks, network))
        {
          vk_xml_set_attribute (source, "network", g_hash_table_lookup (networks, network));
          vk_xml_remove_all (source, "@portid | @portgroup");
        }
    }
  g_hash_table_iter_init (&iter, unused);
  if (!g_hash_table_iter_next (&iter, &name, NULL))
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "no interface of the domain is in the network '%s'", (const char *) name);
}

char *
vk_domain_xml_rewrite (const char *xml, const VkDomainRewrite *rewrite, GStrv *removed, GError **error)
{
  g_autoptr (GPtrArray) gone = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (xmlDoc) doc = vk_xml_parse (xml, "domain.xml", error);
  xmlNode *root = doc ? vk_domain_xml_root (doc, error) : NULL;

  if (root == NULL)
    return NULL;
  vk_xml_strip_indentation (root);
  if (!rewrite_disks (root, rewrite, gone, error) || !rewrite_identity (root, rewrite, error) || !rewrite_boot_files (root, rewrite, error)
      || (rewrite->networks != NULL && !rewrite_networks (root, rewrite->networks, error)))
    return NULL;
  if (removed != NULL)
    {
      g_ptr_array_add (gone, NULL);
      *removed = (GStrv) g_ptr_array_free (g_steal_pointer (&gone), FALSE);
    }
  return vk_xml_to_string (doc);
}
