/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/domain-boot.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/xml-edit.h"
#include "host/domain-xml.h"

enum { BYTES_PER_KIB = 1024 };

static xmlNode *
add_child (xmlNode *element, const char *name)
{
  return xmlNewChild (element, NULL, BAD_CAST name, NULL);
}

static xmlNode *
ensure_child (xmlNode *element, const char *name)
{
  xmlNode *child = vk_xml_find (element, name);

  return child ? child : add_child (element, name);
}

/* --- disks ---------------------------------------------------------------- */

/* All that is below the overlay: with that said, neither libvirt nor QEMU looks for
 * it in the image. */
static void
put_on_door (xmlNode *disk, const char *socket, gboolean isolated)
{
  xmlNode *backing = add_child (disk, "backingStore");
  xmlNode *source, *server;

  vk_xml_set_attribute (backing, "type", "network");
  vk_xml_set_attribute (add_child (backing, "format"), "type", "raw");
  source = add_child (backing, "source");
  vk_xml_set_attribute (source, "protocol", "nbd");
  server = add_child (source, "host");
  vk_xml_set_attribute (server, "transport", "unix");
  vk_xml_set_attribute (server, "socket", socket);
  add_child (backing, "backingStore");
  if (isolated)
    {
      /* It is thrown away in any case. */
      vk_xml_remove_all (disk, "driver/@io");
      vk_xml_set_attribute (ensure_child (disk, "driver"), "cache", "unsafe");
    }
}

static gboolean
put_on_doors (xmlNode *root, const VkDomainBoot *boot, GError **error)
{
  g_autoptr (GPtrArray) disks = vk_xml_find_all (root, "devices/disk");
  guint found = 0;

  for (guint i = 0; i < disks->len; i++)
    {
      xmlNode *disk = g_ptr_array_index (disks, i);
      g_autofree char *target = vk_domain_xml_disk_target (disk, error);
      const char *socket;

      if (target == NULL)
        return FALSE;
      socket = g_hash_table_lookup (boot->sockets, target);
      if (!vk_xml_check_value (socket, "the path of a door", error))
        return FALSE;
      if (socket != NULL)
        {
          put_on_door (disk, socket, boot->isolated);
          found++;
        }
    }
  if (found == g_hash_table_size (boot->sockets))
    return TRUE;
  return vk_fail (error, VK_ERROR_FAILED, "the domain document lacks a disk that the restore point holds");
}

/* --- what it is ----------------------------------------------------------- */

static void
set_mark (xmlNode *root, const VkDomainBoot *boot)
{
  xmlNode *mark = add_child (ensure_child (root, "metadata"), "boot");
  xmlNs *space;

  vk_xml_remove_all (root, "metadata/*[namespace-uri() = '" VK_BOOT_NAMESPACE "']");
  space = xmlNewNs (mark, BAD_CAST VK_BOOT_NAMESPACE, BAD_CAST VK_BOOT_PREFIX);
  xmlSetNs (mark, space);
  vk_xml_set_attribute (mark, "point", boot->point);
  vk_xml_set_attribute (mark, "store", boot->store_id);
}

static gboolean
set_memory (xmlNode *root, guint64 bytes, GError **error)
{
  g_autofree char *kib = g_strdup_printf ("%" PRIu64, bytes / BYTES_PER_KIB);

  if (bytes == 0)
    return TRUE;
  if (vk_xml_find (root, "cpu/numa | devices/memory") != NULL)
    return vk_fail (error, VK_ERROR_REFUSED, "the domain's memory is divided into NUMA cells or devices and cannot be given another size: boot it without --memory");
  vk_xml_remove_all (root, "maxMemory | currentMemory");
  vk_xml_remove_all (ensure_child (root, "memory"), "@*");
  vk_xml_set_attribute (ensure_child (root, "memory"), "unit", "KiB");
  vk_xml_set_text (ensure_child (root, "memory"), kib);
  return TRUE;
}

/* --- network and ports ---------------------------------------------------- */

/* The guest sees the card that it knows, with the cable pulled out: nothing on the host
 * has to be there for that. */
static void
unplug (xmlNode *interface)
{
  vk_xml_remove_all (interface, "node()[not(self::mac or self::model or self::address or self::boot or self::rom or self::alias or self::mtu)] | @*");
  vk_xml_set_attribute (interface, "type", "user");
  vk_xml_set_attribute (add_child (interface, "link"), "state", "down");
}

static void
plug_into (xmlNode *interface, const char *network)
{
  vk_xml_remove_all (interface, "node()[not(self::mac or self::model or self::address or self::boot or self::rom or self::alias or self::mtu)] | @*");
  vk_xml_set_attribute (interface, "type", "network");
  vk_xml_set_attribute (add_child (interface, "source"), "network", network);
}

/* Two tap devices cannot have one name. */
static void
keep_plugged (xmlNode *interface, gboolean beside)
{
  if (beside)
    vk_xml_remove_all (interface, "target[@dev] | source/@portid");
}

static gboolean
set_network (xmlNode *root, const VkDomainBoot *boot, GError **error)
{
  g_autoptr (GPtrArray) interfaces = vk_xml_find_all (root, "devices/interface");

  if (!vk_xml_check_value (boot->network, "the name of the network", error))
    return FALSE;
  for (guint i = 0; i < interfaces->len; i++)
    {
      xmlNode *interface = g_ptr_array_index (interfaces, i);

      if (boot->isolated)
        vk_xml_remove (interface);
      else if (strcmp (boot->network, "none") == 0)
        unplug (interface);
      else if (strcmp (boot->network, "same") == 0)
        keep_plugged (interface, boot->beside);
      else
        plug_into (interface, boot->network);
    }
  return TRUE;
}

static gboolean
set_console_log (xmlNode *root, const char *path, GError **error)
{
  xmlNode *devices = vk_xml_find (root, "devices");
  xmlNode *port, *log;

  if (!vk_xml_check_value (path, "the path of the console's log", error))
    return FALSE;
  if (path == NULL || devices == NULL)
    return TRUE;
  port = vk_xml_find (devices, "serial | console[target/@type[. != 'serial']]");
  if (port == NULL)
    {
      /* libvirt makes a console an alias of the first serial port. */
      vk_xml_remove_all (devices, "console[not(target/@type) or target/@type='serial']");
      port = add_child (devices, "serial");
      vk_xml_set_attribute (port, "type", "pty");
    }
  vk_xml_remove_all (port, "log");
  log = add_child (port, "log");
  vk_xml_set_attribute (log, "file", path);
  vk_xml_set_attribute (log, "append", "off");
  return TRUE;
}

/* --- the document --------------------------------------------------------- */

static gboolean
rewrite (xmlNode *root, const VkDomainBoot *boot, GPtrArray *warnings, GError **error)
{
  if (!vk_xml_check_value (boot->point, "the name of the restore point", error) || !put_on_doors (root, boot, error)
      || !set_memory (root, boot->memory, error))
    return FALSE;
  vk_xml_set_text (ensure_child (root, "uuid"), boot->uuid);
  set_mark (root, boot);
  if (boot->beside || boot->isolated)
    vk_domain_xml_cut_off (root, boot->isolated, warnings);
  return set_network (root, boot, error) && set_console_log (root, boot->console_log, error);
}

char *
vk_domain_xml_boot (const char *xml, const VkDomainBoot *boot, GPtrArray *warnings, GError **error)
{
  g_autoptr (xmlDoc) doc = vk_xml_parse (xml, "domain.xml", error);
  xmlNode *root = doc ? vk_domain_xml_root (doc, error) : NULL;

  if (root == NULL)
    return NULL;
  vk_xml_strip_indentation (root);
  return rewrite (root, boot, warnings, error) ? vk_xml_to_string (doc) : NULL;
}

char *
vk_domain_xml_unboot (const char *xml, GError **error)
{
  g_autoptr (xmlDoc) doc = vk_xml_parse (xml, "domain.xml", error);
  xmlNode *root = doc ? vk_domain_xml_root (doc, error) : NULL;

  if (root == NULL)
    return NULL;
  vk_xml_strip_indentation (root);
  vk_xml_remove_all (root, "devices/disk/backingStore | metadata/*[namespace-uri() = '" VK_BOOT_NAMESPACE "']");
  vk_xml_remove_all (root, "devices/*[self::serial or self::console]/log");
  vk_xml_remove_all (root, "metadata[not(*)]");
  return vk_xml_to_string (doc);
}
