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
#include "host/storage-fetch.h"

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

/* --- from another host ----------------------------------------------------- */

static gboolean
fetch (VkBackup *backup, const char *path, const char *to_path, GError **error)
{
  if (!vk_backup_has_ssh (backup))
    return vk_storage_fetch (backup->host, path, to_path, backup->cancellable, error);
  return vk_backup_connect_host (backup, error) && vk_ssh_fetch (backup->ssh, path, to_path, backup->cancellable, error);
}

/* Says which file cannot be had, and goes on without it. */
static gboolean
do_without (VkBackup *backup, const char *path, GError *failure, GError **error)
{
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, failure);
      return FALSE;
    }
  vk_backup_warn (backup, "'%s' lies on another host and was not stored: %s", path, failure->message);
  g_error_free (failure);
  return TRUE;
}

/* Goes into the point by way of a private file. */
static gboolean
copy_from_host (VkBackup *backup, const char *name, const char *role, const char *target, const char *from_path, GError **error)
{
  g_autofree char *fetched = NULL;
  GError *failure = NULL;
  VkManifestFile *file;
  gboolean copied;

  if (!vk_backup_make_run_dir (backup, error))
    return FALSE;
  fetched = g_build_filename (backup->run_dir, "fetched", NULL);
  if (!fetch (backup, from_path, fetched, &failure))
    return do_without (backup, from_path, failure, error);
  file = vk_manifest_add_file (backup->manifest);
  file->role = g_strdup (role);
  file->target = g_strdup (target);
  file->source = g_strdup (from_path);
  copied = vk_point_writer_copy_file (backup->writer, name, fetched, file, error);
  unlink (fetched);
  return copied;
}

/* --- from where it lies ------------------------------------------------------ */

static gboolean
copy_from (VkBackup *backup, const char *name, const char *role, const char *target, const char *from_path, GError **error)
{
  if (vk_host_is_local (backup->host))
    return copy_file (backup, name, role, target, from_path, error);
  return copy_from_host (backup, name, role, target, from_path, error);
}

/* A file that the domain XML names, when it names one. */
static gboolean
copy_named_file (VkBackup *backup, const char *name, const char *from_path, GError **error)
{
  g_autofree char *role = NULL;
  char *dot;

  if (from_path == NULL)
    return TRUE;
  role = g_strdup (name);
  dot = strchr (role, '.');
  if (dot != NULL)
    *dot = '\0';
  return copy_from (backup, name, role, NULL, from_path, error);
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

  /* Whoever logs in at another host is at home. */
  if (strstr (uri, "/session") != NULL)
    return g_build_filename (vk_host_is_local (backup->host) ? g_get_user_config_dir () : ".config", "libvirt", "qemu", "swtpm", backup->xml->uuid, version, NULL);
  return g_build_filename ("/var/lib/libvirt/swtpm", backup->xml->uuid, version, NULL);
}

/* Adds the names of the regular files in a directory of this host. */
static void
list_here (const char *directory, GPtrArray *names)
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (directory, name, NULL);

      if (g_file_test (path, G_FILE_TEST_IS_REGULAR))
        g_ptr_array_add (names, g_strdup (name));
    }
}

/* The same on the host of the domain: swtpm's names have no line ends. */
static gboolean
list_there (VkBackup *backup, const char *directory, GPtrArray *names, GError **error)
{
  static const char script[] = "cd \"$1\" && for f in *; do test ! -f \"$f\" || printf '%s\\n' \"$f\"; done";
  const char *const arguments[] = { directory, NULL };
  g_autofree char *output = NULL;
  g_auto (GStrv) lines = NULL;

  if (!vk_backup_has_ssh (backup))
    return vk_storage_list (backup->host, directory, names, error);
  if (!vk_backup_connect_host (backup, error) || !vk_ssh_run (backup->ssh, script, arguments, &output, backup->cancellable, error))
    return FALSE;
  lines = g_strsplit (output, "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++)
    if (*lines[i] != '\0')
      g_ptr_array_add (names, g_strdup (lines[i]));
  return TRUE;
}

static gboolean
add_tpm_state (VkBackup *backup, GError **error)
{
  g_autofree char *path = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  GError *failure = NULL;
  guint files = 0;

  if (!backup->xml->has_tpm_emulator)
    return TRUE;
  path = tpm_state_dir (backup);
  if (vk_host_is_local (backup->host))
    list_here (path, names);
  else if (!list_there (backup, path, names, &failure))
    return do_without (backup, path, failure, error);
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *from = g_build_filename (path, name, NULL);
      g_autofree char *stored = g_strconcat ("swtpm-", name, NULL);

      /* Its lock and its half-written successor are no state. */
      if (*name == '.' || strncmp (name, "TMP", 3) == 0)
        continue;
      if (!copy_from (backup, stored, "swtpm", NULL, from, error))
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
      if (!copy_from (backup, name, disk->device, disk->target, disk->path, error))
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
