/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 2 of a backup: what it may build on. */
#pragma once

#include "backup/backup-private.h"

/* Decides, for each disk, whether it is copied in full or from the dirty
 * bitmap of the newest restore point's checkpoint, and so the level of the
 * whole; the reasons go into the manifest.  repair: redefine a checkpoint that
 * libvirt has forgotten.
 * VK_ERROR_REFUSED when an incremental or differential was asked for, cannot
 * be had, and no full is allowed in its place. */
gboolean vk_backup_choose_level (VkBackup *backup, gboolean repair, GError **error);

/* Bytes that the disk's backup will move, as far as libvirt can tell. */
guint64 vk_backup_estimate (VkBackup *backup, const VkBackupDisk *disk);
