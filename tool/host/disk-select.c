/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/disk-select.h"

#include <string.h>

#include "base/error.h"

struct reason
{
  const char *word;
  const char *sentence;
};

static const struct reason reasons[] = {
  [VK_LEFT_OUT_NONE] = { "none", "it is not left out" },
  [VK_LEFT_OUT_EXCLUDED] = { "excluded", "the options --disk and --exclude leave it out" },
  [VK_LEFT_OUT_CDROM] = { "cdrom", "it is a CD-ROM (name it with --disk to copy its image)" },
  [VK_LEFT_OUT_FLOPPY] = { "floppy", "it is a floppy (name it with --disk to copy its image)" },
  [VK_LEFT_OUT_LUN] = { "lun", "it is a LUN handed through to the guest (device='lun'), whose SCSI commands QEMU only passes on" },
  [VK_LEFT_OUT_EMPTY] = { "empty", "there is no medium in the drive" },
  [VK_LEFT_OUT_READONLY] = { "readonly", "the guest can only read it" },
  [VK_LEFT_OUT_SHAREABLE] = { "shareable", "it is shared (<shareable/>), so other domains may write to it at the same instant" },
  [VK_LEFT_OUT_TRANSIENT] = { "transient", "it is transient (<transient/>): what the guest writes is thrown away when it stops" },
  [VK_LEFT_OUT_DIR] = { "dir", "it is a directory of the host shown as a FAT disk (type='dir')" },
  [VK_LEFT_OUT_VHOSTUSER] = { "vhostuser", "its data does not pass through QEMU but through a vhost-user server" },
  [VK_LEFT_OUT_VHOSTVDPA] = { "vhostvdpa", "its data does not pass through QEMU but through a vDPA device" },
  [VK_LEFT_OUT_UNKNOWN_TYPE] = { "unknown-type", "its type is not one that this version of virt-keep knows" },
};

/* What the type of a disk alone decides. */
static const struct { const char *type; VkLeftOutReason reason; } types[] = {
  { "file", VK_LEFT_OUT_NONE },
  { "block", VK_LEFT_OUT_NONE },
  { "network", VK_LEFT_OUT_NONE },
  { "volume", VK_LEFT_OUT_NONE },
  { "nvme", VK_LEFT_OUT_NONE },
  { "dir", VK_LEFT_OUT_DIR },
  { "vhostuser", VK_LEFT_OUT_VHOSTUSER },
  { "vhostvdpa", VK_LEFT_OUT_VHOSTVDPA },
};

const char *
vk_left_out_word (VkLeftOutReason reason)
{
  return reasons[reason].word;
}

const char *
vk_left_out_sentence (VkLeftOutReason reason)
{
  return reasons[reason].sentence;
}

const char *
vk_disk_part_word (VkDiskPart part)
{
  static const char *const words[] = {
    [VK_DISK_TAKEN] = "taken",
    [VK_DISK_COPIED] = "copied",
    [VK_DISK_LEFT_OUT] = "left-out",
  };

  return words[part];
}

static gboolean
is_removable (const VkDisk *disk)
{
  return strcmp (disk->device, "cdrom") == 0 || strcmp (disk->device, "floppy") == 0;
}

static VkLeftOutReason
reason_of_type (const VkDisk *disk)
{
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    if (strcmp (disk->type, types[i].type) == 0)
      return types[i].reason;
  return VK_LEFT_OUT_UNKNOWN_TYPE;
}

/* Why the disk cannot be in libvirt's backup job, whatever was asked for. */
static VkLeftOutReason
reason_against (const VkDisk *disk)
{
  VkLeftOutReason of_type = reason_of_type (disk);

  if (strcmp (disk->device, "lun") == 0)
    return VK_LEFT_OUT_LUN;
  if (disk->source == NULL && of_type != VK_LEFT_OUT_UNKNOWN_TYPE)
    return VK_LEFT_OUT_EMPTY;
  if (is_removable (disk))
    return strcmp (disk->device, "cdrom") == 0 ? VK_LEFT_OUT_CDROM : VK_LEFT_OUT_FLOPPY;
  if (of_type != VK_LEFT_OUT_NONE)
    return of_type;
  if (disk->readonly)
    return VK_LEFT_OUT_READONLY;
  if (disk->shareable)
    return VK_LEFT_OUT_SHAREABLE;
  return disk->transient ? VK_LEFT_OUT_TRANSIENT : VK_LEFT_OUT_NONE;
}

/* Why a disk that --disk names is neither taken nor copied; NULL when it is. */
static const char *
words_against (const VkDisk *disk)
{
  VkLeftOutReason reason = reason_against (disk);

  if (reason == VK_LEFT_OUT_NONE)
    return NULL;
  if (!is_removable (disk) || disk->source == NULL)
    return vk_left_out_sentence (reason);
  if (disk->path == NULL)
    return "its image is not a file or block device of this host, which is all that can be copied";
  if (disk->layered)
    return "its image has a backing image, so a copy of the file alone would not be complete";
  return NULL;
}

static char *
list_targets (const VkDomainXml *domain)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < domain->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (domain->disks, i);

      g_string_append_printf (text, "%s%s", i > 0 ? ", " : "it has ", disk->target);
    }
  return g_string_free (text, FALSE);
}

static const VkDisk *
find_disk (const VkDomainXml *domain, const char *target, GError **error)
{
  const VkDisk *disk = vk_domain_xml_find_disk (domain, target);
  g_autofree char *targets = NULL;

  if (disk != NULL)
    return disk;
  targets = list_targets (domain);
  vk_fail (error, VK_ERROR_NOT_FOUND, "domain '%s' has no disk '%s'; %s",
               domain->name, target, domain->disks->len > 0 ? targets : "it has no disks at all");
  return NULL;
}

/* The lists name disks that exist, once, and that can be backed up. */
static gboolean
check_lists (const VkDomainXml *domain, const char *const *only, const char *const *excluded, GError **error)
{
  for (gsize i = 0; excluded != NULL && excluded[i] != NULL; i++)
    if (find_disk (domain, excluded[i], error) == NULL)
      return FALSE;
  for (gsize i = 0; only != NULL && only[i] != NULL; i++)
    {
      const VkDisk *disk = find_disk (domain, only[i], error);
      const char *against = disk ? words_against (disk) : NULL;

      if (disk == NULL)
        return FALSE;
      if (excluded != NULL && g_strv_contains (excluded, only[i]))
        return vk_fail (error, VK_ERROR_REFUSED, "disk '%s' is named with both --disk and --exclude", only[i]);
      if (against != NULL)
        return vk_fail (error, VK_ERROR_REFUSED, "disk '%s' of domain '%s' cannot be backed up: %s", only[i], domain->name, against);
    }
  return TRUE;
}

static void
decide (VkDisk *disk, const char *const *only, const char *const *excluded)
{
  gboolean named = only != NULL && g_strv_contains (only, disk->target);

  disk->reason = reason_against (disk);
  if ((only != NULL && !named) || (excluded != NULL && g_strv_contains (excluded, disk->target)))
    disk->reason = VK_LEFT_OUT_EXCLUDED;
  disk->part = disk->reason == VK_LEFT_OUT_NONE ? VK_DISK_TAKEN : VK_DISK_LEFT_OUT;
  if (named && is_removable (disk))
    {
      disk->part = VK_DISK_COPIED;
      disk->reason = VK_LEFT_OUT_NONE;
    }
}

static gboolean
refuse_nothing_taken (const VkDomainXml *domain, GError **error)
{
  GString *text = g_string_new (NULL);
  g_autofree char *why = NULL;

  for (guint i = 0; i < domain->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (domain->disks, i);

      g_string_append_printf (text, "%s%s: %s", i > 0 ? "; " : "", disk->target,
                              disk->part == VK_DISK_COPIED ? "only its image file would be copied" : vk_left_out_sentence (disk->reason));
    }
  why = g_string_free (text, FALSE);
  vk_fail (error, VK_ERROR_REFUSED, "domain '%s' has nothing to back up: %s",
               domain->name, domain->disks->len > 0 ? why : "it has no disks");
  return FALSE;
}

gboolean
vk_domain_xml_select_disks (VkDomainXml *domain, const char *const *only, const char *const *excluded, GError **error)
{
  guint taken = 0;

  if (only != NULL && only[0] == NULL)
    only = NULL;
  if (!check_lists (domain, only, excluded, error))
    return FALSE;
  for (guint i = 0; i < domain->disks->len; i++)
    {
      VkDisk *disk = g_ptr_array_index (domain->disks, i);

      decide (disk, only, excluded);
      taken += disk->part == VK_DISK_TAKEN;
    }
  return taken > 0 ? TRUE : refuse_nothing_taken (domain, error);
}
