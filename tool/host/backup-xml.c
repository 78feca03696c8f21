/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/backup-xml.h"

#include "base/xml-edit.h"
#include "host/xml-template.h"

/* Rows of values, in the order of the lists of names beside them. */
static const char *const no_names[] = { NULL };
static const char *const pull_names[] = { "socket", NULL };
static const char *const push_disk_names[] = { "disk", "backupmode", "incremental", "target-file", "target-format", NULL };
static const char *const pull_disk_names[] = { "disk", "backupmode", "incremental", "scratch-file", "export-name", NULL };
static const char *const checkpoint_names[] = { "checkpoint", "description", NULL };
static const char *const checkpoint_disk_names[] = { "disk", NULL };
static const char *const pull_needed[] = { "incremental", "socket", NULL };
static const char *const push_needed[] = { "incremental", "target-file", "target-format", NULL };
static const char *const checkpoint_needed[] = { "checkpoint", NULL };

#define MAX_DISK_HOLES 5

static void
add_row (GPtrArray *rows, const char *const (*values)[MAX_DISK_HOLES])
{
  g_ptr_array_add (rows, g_memdup2 (values, sizeof *values));
}

/* What the guest encrypts must not lie in the clear in a scratch file or an image.  Not a matter of
 * templates: no site can want that otherwise. */
static void
encrypt_file (xmlDoc *doc, const VkBackupXmlDisk *disk)
{
  g_autoptr (GPtrArray) files = vk_xml_find_all (xmlDocGetRootElement (doc), "/domainbackup/disks/disk/scratch | /domainbackup/disks/disk/target");

  for (guint i = 0; i < files->len; i++)
    {
      xmlNode *file = g_ptr_array_index (files, i);
      g_autofree char *name = vk_xml_attribute (file->parent, "name");
      xmlNode *encryption, *secret;

      if (g_strcmp0 (name, disk->disk) != 0 || vk_xml_find (file, "encryption") != NULL)
        continue;
      encryption = xmlNewChild (file, NULL, BAD_CAST "encryption", NULL);
      xmlNewProp (encryption, BAD_CAST "format", BAD_CAST "luks");
      secret = xmlNewChild (encryption, NULL, BAD_CAST "secret", NULL);
      xmlNewProp (secret, BAD_CAST "type", BAD_CAST "passphrase");
      xmlNewProp (secret, BAD_CAST (disk->secret_uuid ? "uuid" : "usage"), BAD_CAST (disk->secret_uuid ? disk->secret_uuid : disk->secret_usage));
    }
}

/* Templates are for the unix socket, whose place this takes. */
static void
set_server (xmlDoc *doc, const VkBackupXmlServer *server)
{
  xmlNode *element = vk_xml_find (xmlDocGetRootElement (doc), "/domainbackup/server");
  g_autofree char *port = g_strdup_printf ("%u", server->port);

  xmlUnsetProp (element, BAD_CAST "socket");
  vk_xml_set_attribute (element, "transport", "tcp");
  vk_xml_set_attribute (element, "name", server->address);
  vk_xml_set_attribute (element, "port", port);
  if (server->tls)
    vk_xml_set_attribute (element, "tls", "yes");
}

/* What is not for templates to say. */
static char *
complete (char *text, const VkBackupXml *backup, GError **error)
{
  g_autofree char *plain = text;
  g_autoptr (xmlDoc) doc = plain ? vk_xml_parse (plain, "domainbackup", error) : NULL;

  if (doc == NULL)
    return NULL;
  for (gsize i = 0; i < backup->n_disks; i++)
    if (!backup->disks[i].left_out && (backup->disks[i].secret_uuid != NULL || backup->disks[i].secret_usage != NULL))
      encrypt_file (doc, &backup->disks[i]);
  if (backup->server != NULL)
    set_server (doc, backup->server);
  return vk_xml_to_string (doc);
}

char *
vk_backup_xml_build (const VkBackupXml *backup, const char *templates_dir, GError **error)
{
  const char *const values[] = { backup->socket };
  g_autoptr (GPtrArray) taken = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) left_out = g_ptr_array_new ();
  VkXmlTemplate what = {
    .file = backup->pull ? "domainbackup-pull.xml" : "domainbackup-push.xml",
    .schema = "domainbackup.rng",
    .names = backup->pull ? pull_names : no_names,
    .values = values,
    .disk_names = backup->pull ? pull_disk_names : push_disk_names,
    .needed = backup->pull ? pull_needed : push_needed,
    .taken = taken,
    .left_out = left_out,
  };

  for (gsize i = 0; i < backup->n_disks; i++)
    {
      const VkBackupXmlDisk *disk = &backup->disks[i];
      const char *const row[MAX_DISK_HOLES] = {
        disk->disk,
        disk->incremental ? "incremental" : "full",
        disk->incremental,
        backup->pull ? disk->scratch_file : disk->target_file,
        backup->pull ? disk->export_name : disk->target_format,
      };

      if (disk->left_out)
        g_ptr_array_add (left_out, (char *) disk->disk);
      else
        add_row (taken, &row);
    }
  return complete (vk_xml_template_build (&what, templates_dir, LIBVIRT_SCHEMA_DIR, error), backup, error);
}

char *
vk_checkpoint_xml_build (const VkCheckpointXml *checkpoint, const char *templates_dir, GError **error)
{
  const char *const values[] = { checkpoint->name, checkpoint->description };
  g_autoptr (GPtrArray) taken = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) left_out = g_ptr_array_new ();
  VkXmlTemplate what = {
    .file = "domaincheckpoint.xml",
    .schema = "domaincheckpoint.rng",
    .names = checkpoint_names,
    .values = values,
    .disk_names = checkpoint_disk_names,
    .needed = checkpoint_needed,
    .taken = taken,
    .left_out = left_out,
  };

  for (gsize i = 0; i < checkpoint->n_disks; i++)
    {
      const VkCheckpointXmlDisk *disk = &checkpoint->disks[i];
      const char *const row[MAX_DISK_HOLES] = { disk->disk };

      if (disk->bitmap)
        add_row (taken, &row);
      else
        g_ptr_array_add (left_out, (char *) disk->disk);
    }
  return vk_xml_template_build (&what, templates_dir, LIBVIRT_SCHEMA_DIR, error);
}
