/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a domain needs besides its disks to come back. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "base/files.h"
#include "host/checkpoint.h"

static gboolean
add_text (VkBackup *backup, const char *name, const char *role, const char *content, GError **error)
{
  VkManifestFile *file = vk_manifest_add_file (backup->manifest);

  file->role = g_strdup (role);
  return vk_point_writer_add_file (backup->writer, name, content, file, error);
}

static gboolean
copy_file (VkBackup *backup, const char *name, const char *role, const char *target, const char *from_path, GError **error)
{
  VkManifestFile *file = vk_manifest_add_file (backup->manifest);

  file->role = g_strdup (role);
  file->target = g_strdup (target);
  file->source = g_strdup (from_path);
  return vk_point_writer_copy_file (backup->writer, name, from_path, file, error);
}

/* A file that the domain XML names, when it names one. */
static gboolean
copy_named_file (VkBackup *backup, const char *name, const char *from_path, GError **error)
{
  g_autofree char *role = NULL;
  char *dot;

  if (from_path == NULL)
    return TRUE;
  if (!vk_host_is_local (backup->host))
    {
      vk_backup_warn (backup, "'%s' lies on another host and was not stored", from_path);
      return TRUE;
    }
  role = g_strdup (name);
  dot = strchr (role, '.');
  if (dot != NULL)
    *dot = '\0';
  return copy_file (backup, name, role, NULL, from_path, error);
}

static gboolean
add_inactive_xml (VkBackup *backup, GError **error)
{
  char *text = virDomainGetXMLDesc (backup->domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
  gboolean added;

  if (text == NULL)
    {
      vk_set_libvirt_error (error, NULL, "cannot read the persistent XML of '%s'", backup->xml->name);
      return FALSE;
    }
  added = add_text (backup, "domain-inactive.xml", "domain-inactive-xml", text, error);
  free (text);
  return added;
}

static gboolean
add_checkpoint_xml (VkBackup *backup, GError **error)
{
  g_autofree char *text = NULL;

  if (backup->checkpoint == NULL)
    return TRUE;
  text = vk_checkpoint_xml (backup->domain, backup->checkpoint, error);
  return text != NULL && add_text (backup, "checkpoint.xml", "checkpoint-xml", text, error);
}

/* libvirt's place for the state of an emulated TPM. */
static char *
tpm_state_dir (const VkBackup *backup)
{
  const char *version = g_strcmp0 (backup->xml->tpm_version, "1.2") == 0 ? "tpm1.2" : "tpm2";
  g_autofree char *uri = vk_host_uri (backup->host);

  if (strstr (uri, "/session") != NULL)
    return g_build_filename (g_get_user_config_dir (), "libvirt", "qemu", "swtpm", backup->xml->uuid, version, NULL);
  return g_build_filename ("/var/lib/libvirt/swtpm", backup->xml->uuid, version, NULL);
}

static gboolean
add_tpm_state (VkBackup *backup, GError **error)
{
  g_autofree char *path = NULL;
  g_autoptr (GDir) directory = NULL;
  const char *name;
  guint files = 0;

  if (!backup->xml->has_tpm_emulator)
    return TRUE;
  path = tpm_state_dir (backup);
  directory = vk_host_is_local (backup->host) ? g_dir_open (path, 0, NULL) : NULL;
  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL)
    {
      g_autofree char *from = g_build_filename (path, name, NULL);
      g_autofree char *stored = g_strconcat ("swtpm-", name, NULL);

      /* Its lock and its half-written successor are no state. */
      if (*name == '.' || strncmp (name, "TMP", 3) == 0 || !g_file_test (from, G_FILE_TEST_IS_REGULAR))
        continue;
      if (!copy_file (backup, stored, "swtpm", NULL, from, error))
        return FALSE;
      files++;
    }
  if (files == 0)
    vk_backup_warn (backup, "the state of the emulated TPM was not found in '%s' and was not stored", path);
  else
    vk_backup_warn (backup, "the state of the emulated TPM was copied while swtpm runs, after the instant of the disks: it may be newer than they are");
  return TRUE;
}

/* Images of cdroms and floppies that were asked for. */
static gboolean
copy_media (VkBackup *backup, GError **error)
{
  for (guint i = 0; i < backup->xml->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (backup->xml->disks, i);
      g_autofree char *name = NULL;

      if (disk->part != VK_DISK_COPIED)
        continue;
      name = g_strdup_printf ("%s.img", disk->target);
      if (!copy_file (backup, name, disk->device, disk->target, disk->path, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
vk_backup_add_guest_files (VkBackup *backup, GError **error)
{
  return add_text (backup, "domain.xml", "domain-xml", backup->live_xml, error)
      && add_inactive_xml (backup, error)
      && add_checkpoint_xml (backup, error)
      && copy_named_file (backup, "nvram.fd", backup->xml->nvram, error)
      && copy_named_file (backup, "kernel", backup->xml->kernel, error)
      && copy_named_file (backup, "initrd", backup->xml->initrd, error)
      && copy_named_file (backup, "dtb", backup->xml->dtb, error)
      && add_tpm_state (backup, error)
      && copy_media (backup, error);
}
