/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/domain-xml.h"

#include <errno.h>
#include <glib-unix.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "base/error.h"
#include "host/disk-source.h"

static void
disk_free (VkDisk *disk)
{
  g_free (disk->target);
  g_free (disk->device);
  g_free (disk->type);
  g_free (disk->format);
  g_free (disk->source);
  g_free (disk->path);
  g_free (disk->alias);
  g_free (disk->secret_uuid);
  g_free (disk->secret_usage);
  g_free (disk->node);
  g_free (disk);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkDisk, disk_free)

void
vk_domain_xml_free (VkDomainXml *domain)
{
  g_free (domain->name);
  g_free (domain->uuid);
  g_ptr_array_unref (domain->disks);
  g_free (domain->loader);
  g_free (domain->nvram);
  g_free (domain->kernel);
  g_free (domain->initrd);
  g_free (domain->dtb);
  g_free (domain->tpm_version);
  g_free (domain);
}

const VkDisk *
vk_domain_xml_find_disk (const VkDomainXml *domain, const char *target)
{
  for (guint i = 0; i < domain->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (domain->disks, i);

      if (strcmp (disk->target, target) == 0)
        return disk;
    }
  return NULL;
}

xmlNode *
vk_domain_xml_root (xmlDoc *doc, GError **error)
{
  xmlNode *root = xmlDocGetRootElement (doc);

  if (root == NULL || !xmlStrEqual (root->name, BAD_CAST "domain"))
    {
      vk_fail (error, VK_ERROR_FAILED, "%s is not a domain document: it begins with <%s>, not with <domain>",
                   (const char *) doc->URL, root ? (const char *) root->name : "");
      return NULL;
    }
  return root;
}

char *
vk_domain_xml_disk_target (xmlNode *disk, GError **error)
{
  g_autofree char *target = vk_xml_text (disk, "target/@dev");
  gsize good = target ? strspn (target, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_:") : 0;

  if (good == 0 || target[good] != '\0')
    {
      vk_fail (error, VK_ERROR_FAILED, "%s:%ld: the target of a disk is \"%s\", not a name that libvirt gives, such as \"vda\"",
                   (const char *) disk->doc->URL, xmlGetLineNo (disk), target ? target : "");
      return NULL;
    }
  return g_steal_pointer (&target);
}

static char *
text_or (xmlNode *node, const char *expression, const char *otherwise)
{
  char *text = vk_xml_text (node, expression);

  return text ? text : g_strdup (otherwise);
}

/* Text without white space around it; NULL when there is nothing else. */
static char *
stripped_text (xmlNode *node, const char *expression)
{
  g_autofree char *text = vk_xml_text (node, expression);

  return text != NULL && g_strstrip (text)[0] != '\0' ? g_steal_pointer (&text) : NULL;
}

/* libvirt numbers the images it has opened, and calls QEMU's nodes after that. */
static char *
node_name (xmlNode *disk)
{
  g_autofree char *number = vk_xml_text (disk, "source/@index");

  return number ? g_strdup_printf ("libvirt-%s-format", number) : NULL;
}

static VkDisk *
parse_disk (xmlNode *element, GError **error)
{
  g_autoptr (VkDisk) disk = g_new0 (VkDisk, 1);

  disk->target = vk_domain_xml_disk_target (element, error);
  if (disk->target == NULL)
    return NULL;
  disk->device = text_or (element, "@device", "disk");
  disk->type = text_or (element, "@type", "file");
  disk->format = text_or (element, "driver/@type", "raw");
  disk->source = vk_disk_source_describe (element);
  disk->path = vk_disk_source_path (element);
  disk->alias = vk_xml_text (element, "alias/@name");
  disk->node = node_name (element);
  disk->readonly = vk_xml_find (element, "readonly") != NULL;
  disk->shareable = vk_xml_find (element, "shareable") != NULL;
  disk->transient = vk_xml_find (element, "transient") != NULL;
  disk->encrypted = vk_xml_find (element, "source/encryption | encryption | backingStore//encryption") != NULL;
  disk->secret_uuid = vk_xml_text (element, "(source/encryption | encryption | backingStore//encryption)/secret/@uuid");
  disk->secret_usage = vk_xml_text (element, "(source/encryption | encryption | backingStore//encryption)/secret/@usage");
  disk->sliced = vk_xml_find (element, "source/slices") != NULL;
  disk->layered = vk_xml_find (element, "backingStore/source") != NULL;
  return g_steal_pointer (&disk);
}

static gboolean
parse_disks (VkDomainXml *domain, xmlNode *root, GError **error)
{
  g_autoptr (GPtrArray) elements = vk_xml_find_all (root, "devices/disk");
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < elements->len; i++)
    {
      VkDisk *disk = parse_disk (g_ptr_array_index (elements, i), error);

      if (disk == NULL)
        return FALSE;
      g_ptr_array_add (domain->disks, disk);
      if (!g_hash_table_add (seen, disk->target))
        return vk_fail (error, VK_ERROR_FAILED, "domain '%s': two disks have the target '%s'", domain->name, disk->target);
    }
  return TRUE;
}

static gboolean
parse_number (const char *text, guint *id)
{
  guint64 number = 0;

  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT32 - 1, &number, NULL))
    return FALSE;
  *id = (guint) number;
  return TRUE;
}

/* As libvirt reads them: "+N" is a number, anything else a name, or a number
 * when there is no such name. */
static gboolean
parse_user (const char *text, guint *uid)
{
  g_autofree struct passwd *entry = text[0] == '+' ? NULL : g_unix_get_passwd_entry (text, NULL);

  if (entry == NULL)
    return parse_number (text[0] == '+' ? text + 1 : text, uid);
  *uid = entry->pw_uid;
  return TRUE;
}

/* GLib asks for users only. */
static gboolean
find_group (const char *name, guint *gid)
{
  g_autofree char *buffer = NULL;
  struct group space, *entry = NULL;
  gsize size = 512;
  int number;

  do
    {
      size *= 2;
      buffer = g_realloc (buffer, size);
      number = getgrnam_r (name, &space, buffer, size, &entry);
    }
  while (number == ERANGE);
  if (entry != NULL)
    *gid = entry->gr_gid;
  return entry != NULL;
}

static gboolean
parse_group (const char *text, guint *gid)
{
  return text[0] == '+' ? parse_number (text + 1, gid) : find_group (text, gid) || parse_number (text, gid);
}

gboolean
vk_domain_xml_parse_label (const char *label, guint *uid, guint *gid)
{
  g_auto (GStrv) parts = g_strsplit (label, ":", 2);

  return g_strv_length (parts) == 2 && parse_user (parts[0], uid) && parse_group (parts[1], gid);
}

static void
parse_qemu_user (VkDomainXml *domain, xmlNode *root)
{
  g_autofree char *label = stripped_text (root, "seclabel[@model='dac']/label");

  domain->has_qemu_user = label != NULL && vk_domain_xml_parse_label (label, &domain->qemu_uid, &domain->qemu_gid);
}

static void
parse_boot_files (VkDomainXml *domain, xmlNode *root)
{
  domain->loader = stripped_text (root, "os/loader");
  domain->nvram = stripped_text (root, "os/nvram/source/@file | os/nvram/source/@dev");
  if (domain->nvram == NULL)
    domain->nvram = stripped_text (root, "os/nvram");
  domain->kernel = stripped_text (root, "os/kernel");
  domain->initrd = stripped_text (root, "os/initrd");
  domain->dtb = stripped_text (root, "os/dtb");
}

static void
parse_tpm (VkDomainXml *domain, xmlNode *root)
{
  xmlNode *backend = vk_xml_find (root, "devices/tpm/backend[@type='emulator']");

  domain->has_tpm_emulator = backend != NULL;
  if (backend != NULL)
    domain->tpm_version = vk_xml_attribute (backend, "version");
}

static gboolean
parse_identity (VkDomainXml *domain, xmlNode *root, GError **error)
{
  g_autofree char *id = vk_xml_attribute (root, "id");
  guint number = 0;

  domain->id = id != NULL && parse_number (id, &number) && number <= G_MAXINT ? (int) number : -1;
  domain->name = vk_xml_text (root, "name");
  if (domain->name == NULL || domain->name[0] == '\0')
    return vk_fail (error, VK_ERROR_FAILED, "the domain document has no <name>");
  domain->uuid = stripped_text (root, "uuid");
  if (domain->uuid != NULL && !g_uuid_string_is_valid (domain->uuid))
    return vk_fail (error, VK_ERROR_FAILED, "domain '%s': '%s' is not a UUID", domain->name, domain->uuid);
  return TRUE;
}

VkDomainXml *
vk_domain_xml_parse (const char *xml, GError **error)
{
  g_autoptr (VkDomainXml) domain = NULL;
  g_autoptr (xmlDoc) doc = vk_xml_parse (xml, "domain XML", error);
  xmlNode *root = doc ? vk_domain_xml_root (doc, error) : NULL;

  if (root == NULL)
    return NULL;
  domain = g_new0 (VkDomainXml, 1);
  domain->disks = g_ptr_array_new_with_free_func ((GDestroyNotify) disk_free);
  if (!parse_identity (domain, root, error) || !parse_disks (domain, root, error))
    return NULL;
  parse_qemu_user (domain, root);
  parse_boot_files (domain, root);
  parse_tpm (domain, root);
  return g_steal_pointer (&domain);
}

const char *
vk_domain_xml_local_path (const VkDomainXml *domain, const VkDisk *disk)
{
  return domain->elsewhere ? NULL : disk->path;
}
