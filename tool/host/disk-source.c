/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/disk-source.h"

#include <string.h>

/* A value of the source, NULL when it is missing or empty. */
static char *
value_of (xmlNode *disk, const char *expression)
{
  g_autofree char *value = vk_xml_text (disk, expression);

  return value != NULL && value[0] != '\0' ? g_steal_pointer (&value) : NULL;
}

/* "host:port", "[::1]:port", "unix:/path". */
static char *
describe_host (xmlNode *host)
{
  g_autofree char *name = vk_xml_attribute (host, "name");
  g_autofree char *port = vk_xml_attribute (host, "port");
  g_autofree char *socket = vk_xml_attribute (host, "socket");
  gboolean is_ipv6 = name != NULL && strchr (name, ':') != NULL && name[0] != '[';

  if (socket != NULL)
    return g_strconcat ("unix:", socket, NULL);
  return g_strconcat (is_ipv6 ? "[" : "", name ? name : "", is_ipv6 ? "]" : "", port ? ":" : "", port, NULL);
}

static char *
describe_hosts (xmlNode *disk)
{
  g_autoptr (GPtrArray) hosts = vk_xml_find_all (disk, "source/host");
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < hosts->len; i++)
    {
      g_autofree char *host = describe_host (g_ptr_array_index (hosts, i));

      g_string_append_printf (text, "%s%s", i > 0 ? "," : "", host);
    }
  return g_string_free (text, FALSE);
}

static char *
describe_network (xmlNode *disk)
{
  static const char *const web_protocols[] = { "http", "https", "ftp", "ftps", "tftp", NULL };
  g_autofree char *protocol = value_of (disk, "source/@protocol");
  g_autofree char *name = value_of (disk, "source/@name");
  g_autofree char *hosts = describe_hosts (disk);
  const char *scheme = protocol ? protocol : "network";

  if (g_strv_contains (web_protocols, scheme))
    return g_strconcat (scheme, "://", hosts, name && name[0] == '/' ? "" : "/", name, NULL);
  if (name == NULL || hosts[0] == '\0')
    return g_strconcat (scheme, ":", name ? name : hosts, NULL);
  return g_strconcat (scheme, ":", name, "@", hosts, NULL);
}

static char *
describe_volume (xmlNode *disk)
{
  g_autofree char *pool = value_of (disk, "source/@pool");
  g_autofree char *volume = value_of (disk, "source/@volume");

  return pool && volume ? g_strconcat ("volume:", pool, "/", volume, NULL) : NULL;
}

/* libvirt writes the parts of a PCI address as 0x0000. */
static guint64
pci_part (xmlNode *disk, const char *expression)
{
  g_autofree char *text = value_of (disk, expression);

  return text ? g_ascii_strtoull (text, NULL, 0) : 0;
}

static char *
describe_nvme (xmlNode *disk)
{
  g_autofree char *name_space = value_of (disk, "source/@namespace");

  return g_strdup_printf ("nvme:%04x:%02x:%02x.%x/%s",
                          (guint) pci_part (disk, "source/address/@domain"), (guint) pci_part (disk, "source/address/@bus"),
                          (guint) pci_part (disk, "source/address/@slot"), (guint) pci_part (disk, "source/address/@function"),
                          name_space ? name_space : "?");
}

static char *
describe_vhostuser (xmlNode *disk)
{
  g_autofree char *path = value_of (disk, "source/@path");

  return path ? g_strconcat ("vhostuser:", path, NULL) : NULL;
}

/* Any single path there is: file, block, dir, vhostvdpa, and types to come. */
static char *
describe_path (xmlNode *disk)
{
  return value_of (disk, "source/@file | source/@dev | source/@dir");
}

char *
vk_disk_source_describe (xmlNode *disk)
{
  static const struct { const char *type; char *(*describe) (xmlNode *disk); } kinds[] = {
    { "network", describe_network },
    { "volume", describe_volume },
    { "nvme", describe_nvme },
    { "vhostuser", describe_vhostuser },
  };
  g_autofree char *type = vk_xml_attribute (disk, "type");

  if (vk_xml_find (disk, "source") == NULL)
    return NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_strcmp0 (type, kinds[i].type) == 0)
      return kinds[i].describe (disk);
  return describe_path (disk);
}

char *
vk_disk_source_path (xmlNode *disk)
{
  g_autofree char *type = vk_xml_attribute (disk, "type");

  if (type == NULL || strcmp (type, "file") == 0)
    return value_of (disk, "source/@file");
  return strcmp (type, "block") == 0 ? value_of (disk, "source/@dev") : NULL;
}
