/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 1: what there is to back up, before the store is touched. */
#include "config.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "host/block-info.h"
#include "host/disk-select.h"
#include "host/domains.h"
#include "host/secret.h"
#include "view/qcow2-header.h"

static gboolean
read_xml (VkBackup *backup, GError **error)
{
  g_clear_pointer (&backup->live_xml, g_free);
  g_clear_pointer (&backup->xml, vk_domain_xml_free);
  backup->xml = vk_host_read_domain (backup->host, backup->domain, VIR_DOMAIN_XML_SECURE, &backup->live_xml, error);
  return backup->xml != NULL;
}

static gboolean
read_domain (VkBackup *backup, GError **error)
{
  int active;

  backup->domain = vk_host_find_domain (backup->host, backup->request->domain, error);
  if (backup->domain == NULL || !read_xml (backup, error))
    return FALSE;
  active = virDomainIsActive (backup->domain);
  if (active < 0)
    vk_set_libvirt_error (error, NULL, "cannot ask for the state of '%s'", backup->xml->name);
  backup->state = active == 0 ? VK_STATE_SHUT_OFF : VK_STATE_RUNNING;
  return active >= 0;
}

/* With QEMU there, even if the guest never runs, libvirt can make a backup job
 * and a checkpoint. */
static gboolean
start_paused (VkBackup *backup, GError **error)
{
  /* Starting would use the saved memory up, and stopping throw it away. */
  if (virDomainHasManagedSaveImage (backup->domain, 0) == 1)
    return vk_fail (error, VK_ERROR_REFUSED, "'%s' has a saved state (virsh managedsave), which --start-paused would lose: leave the option out, or start the domain", backup->xml->name);
  if (virDomainCreateWithFlags (backup->domain, VIR_DOMAIN_START_PAUSED) < 0)
    {
      vk_set_libvirt_error (error, NULL, "cannot start '%s' paused", backup->xml->name);
      return FALSE;
    }
  backup->state = VK_STATE_STARTED_PAUSED;
  return read_xml (backup, error);
}

void
vk_backup_stop_paused (VkBackup *backup)
{
  int state, reason;

  if (backup->state != VK_STATE_STARTED_PAUSED)
    return;
  if (virDomainGetState (backup->domain, &state, &reason, 0) == 0 && state == VIR_DOMAIN_PAUSED)
    {
      if (virDomainDestroyFlags (backup->domain, VIR_DOMAIN_DESTROY_GRACEFUL) < 0)
        vk_backup_warn (backup, "'%s' was started paused and could not be stopped again: %s", backup->xml->name, virGetLastErrorMessage ());
    }
  else
    vk_backup_warn (backup, "'%s' was started paused for the backup, but somebody resumed it: it is left alone", backup->xml->name);
}

static const char *const state_words[] = { "running", "shut-off", "started-paused" };

static void
describe_source (VkBackup *backup)
{
  VkManifest *manifest = backup->manifest;

  manifest->store_id = g_strdup (backup->store->id);
  manifest->domain_name = g_strdup (backup->xml->name);
  manifest->domain_uuid = g_strdup (backup->xml->uuid);
  manifest->host = vk_host_name (backup->host);
  manifest->uri = vk_host_uri (backup->host);
  manifest->started = vk_time_now ();
  manifest->domain_state = g_strdup (state_words[backup->state]);
  manifest->mode = g_strdup (backup->state == VK_STATE_SHUT_OFF ? "direct" : vk_mode_words[backup->request->mode]);
  manifest->requested = g_strdup (vk_level_words[backup->request->level]);
  manifest->virt_keep_version = g_strdup (PACKAGE_VERSION);
  manifest->libvirt_version = vk_host_libvirt_version (backup->host);
}

/* Whether QEMU can keep a dirty bitmap in the disk: in qcow2 of version 3.  An
 * image that cannot be looked at from here is taken for one. */
static gboolean
can_have_bitmap (const VkDomainXml *xml, const VkDisk *disk)
{
  const char *path = vk_domain_xml_local_path (xml, disk);
  VkQcow2Header header;

  if (strcmp (disk->format, "qcow2") != 0)
    return FALSE;
  if (path == NULL || !vk_qcow2_header_read (path, &header, NULL))
    return TRUE;
  return header.version >= 3;
}

/* Why the file of a disk is not to be read without QEMU, as if it were what the
 * guest sees; NULL when it is. */
static const char *
only_qemu_reads (const VkDomainXml *xml, const VkDisk *disk)
{
  if (vk_domain_xml_local_path (xml, disk) == NULL)
    return xml->elsewhere ? "lies on another host" : "is not a local file or device";
  if (disk->encrypted)
    return "is encrypted";
  return disk->sliced ? "is only a part of that image (<slices>)" : NULL;
}

static gboolean
add_disk (VkBackup *backup, const VkDisk *disk, GError **error)
{
  VkBackupDisk *taken;
  virDomainBlockInfo info;

  if (backup->state == VK_STATE_SHUT_OFF && only_qemu_reads (backup->xml, disk) != NULL)
    return vk_fail (error, VK_ERROR_REFUSED, "the domain '%s' is shut off and its disk '%s' (%s) %s: back it up with --start-paused, or while it runs", backup->xml->name, disk->target, disk->source, only_qemu_reads (backup->xml, disk));
  if (!vk_block_info_get (backup->domain, disk->target, &info, error))
    return FALSE;
  taken = g_new0 (VkBackupDisk, 1);
  taken->disk = disk;
  taken->size = info.capacity;
  taken->bitmap = backup->request->level != VK_LEVEL_COPY && can_have_bitmap (backup->xml, disk);
  g_ptr_array_add (backup->disks, taken);
  return TRUE;
}

static void
add_left_out (VkBackup *backup, const VkDisk *disk)
{
  VkManifestLeftOut *left_out = vk_manifest_add_left_out (backup->manifest);

  left_out->target = g_strdup (disk->target);
  left_out->reason = g_strdup (vk_left_out_word (disk->reason));
  left_out->message = g_strdup (vk_left_out_sentence (disk->reason));
}

/* The image in the store gets the disk's own key. */
static gboolean
take_secret (VkBackup *backup, const VkDisk *disk, GError **error)
{
  VkBackupDisk *taken = g_ptr_array_index (backup->disks, backup->disks->len - 1);
  g_autoptr (GBytes) key = NULL;

  taken->secret = disk->secret_uuid ? g_strdup (disk->secret_uuid) : vk_secret_find (backup->host, disk->secret_usage, error);
  key = taken->secret ? vk_secret_value (backup->host, taken->secret, error) : NULL;
  return key != NULL;
}

/* What the guest's host encrypts is not to lie in the clear anywhere. */
static gboolean
check_stays_encrypted (VkBackup *backup, const VkDisk *disk, GError **error)
{
  const char *obstacle = NULL;

  if (disk->secret_uuid == NULL && disk->secret_usage == NULL)
    obstacle = "names no secret of libvirt's with which its backup could be encrypted, too: leave it out with --exclude";
  else if (!backup->store->ops->encrypted && backup->request->level == VK_LEVEL_DIFFERENTIAL)
    obstacle = "an image store has no differentials of such disks: use --level incremental or full";
  if (obstacle == NULL && !backup->store->ops->encrypted)
    return take_secret (backup, disk, error);
  if (obstacle == NULL)
    {
      vk_backup_warn (backup, "the disk '%s' is encrypted; the restore point holds what the guest sees of it, encrypted as all of its store: a restored image is not encrypted", disk->target);
      return TRUE;
    }
  return vk_fail (error, VK_ERROR_REFUSED, "the disk '%s' of '%s' is encrypted, and %s", disk->target, backup->xml->name, obstacle);
}

static gboolean
choose_disks (VkBackup *backup, GError **error)
{
  if (!vk_domain_xml_select_disks (backup->xml, backup->request->disks, backup->request->excluded, error))
    return FALSE;
  for (guint i = 0; i < backup->xml->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (backup->xml->disks, i);

      if (disk->part == VK_DISK_LEFT_OUT)
        add_left_out (backup, disk);
      if (disk->part == VK_DISK_TAKEN && !add_disk (backup, disk, error))
        return FALSE;
      if (disk->part == VK_DISK_TAKEN && disk->encrypted && !check_stays_encrypted (backup, disk, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
vk_backup_inspect (VkBackup *backup, gboolean may_start, GError **error)
{
  vk_reporter_phase (backup->reporter, "inspect", "looking at the domain");
  if (!read_domain (backup, error)
      || (may_start && backup->request->start_paused && backup->state == VK_STATE_SHUT_OFF && !start_paused (backup, error)))
    return FALSE;
  describe_source (backup);
  return choose_disks (backup, error) && vk_backup_take_rates (backup, error);
}
