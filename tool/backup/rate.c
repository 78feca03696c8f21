/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --max-rate: in push mode QEMU keeps to it, elsewhere our transfers do. */
#include "config.h"

#include "backup/backup-private.h"
#include "base/error.h"
#include "host/block-info.h"

static VkBackupDisk *
find_taken (const VkBackup *backup, const char *target)
{
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      if (g_str_equal (disk->disk->target, target))
        return disk;
    }
  return NULL;
}

gboolean
vk_backup_take_rates (VkBackup *backup, GError **error)
{
  GHashTableIter iter;
  gpointer target, rate;

  if (backup->request->max_rates == NULL)
    return TRUE;
  g_hash_table_iter_init (&iter, backup->request->max_rates);
  while (g_hash_table_iter_next (&iter, &target, &rate))
    {
      VkBackupDisk *disk = find_taken (backup, target);

      if (disk == NULL)
        return vk_fail (error, VK_ERROR_NOT_FOUND, "--max-rate is about the disk '%s', and this backup of '%s' has no such disk", (const char *) target, backup->xml->name);
      disk->max_rate = *(const guint64 *) rate;
    }
  return TRUE;
}

/* What can hold of a single disk while all of them are copied. */
static guint64
strictest (guint64 own, guint64 total, guint n_disks)
{
  if (n_disks > 1 || total == 0)
    return own;
  return own == 0 ? total : MIN (own, total);
}

void
vk_backup_make_limits (VkBackup *backup)
{
  guint64 total = backup->request->max_rate;

  if (total > 0)
    backup->limit = vk_rate_limit_new (total, NULL);
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      if (disk->max_rate > 0)
        disk->limit = vk_rate_limit_new (disk->max_rate, backup->limit);
      disk->rate = strictest (disk->max_rate, total, backup->disks->len);
    }
}

static gboolean
is_copied (const VkBackup *backup, const VkBackupDisk *disk)
{
  virDomainBlockJobInfo info;

  return vk_block_job_get (backup->domain, disk->disk->target, &info);
}

static gboolean
set_speed (VkBackup *backup, VkBackupDisk *disk, guint64 rate, GError **error)
{
  g_autoptr (GError) failure = NULL;

  if (rate == disk->rate)
    return TRUE;
  if (vk_block_job_set_speed (backup->domain, disk->disk->target, rate, &failure))
    {
      disk->rate = rate;
      return TRUE;
    }
  /* It may just have come to its end. */
  if (!is_copied (backup, disk))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
vk_backup_set_speeds (VkBackup *backup, GError **error)
{
  guint64 total = backup->request->max_rate;
  guint n = 0;
  g_autofree VkBackupDisk **copied = g_new (VkBackupDisk *, backup->disks->len);
  g_autofree guint64 *caps = g_new (guint64, backup->disks->len);
  g_autofree guint64 *shares = g_new (guint64, backup->disks->len);

  if (total == 0 && (backup->request->max_rates == NULL || g_hash_table_size (backup->request->max_rates) == 0))
    return TRUE;
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      if (!is_copied (backup, disk))
        continue;
      copied[n] = disk;
      caps[n++] = disk->max_rate;
    }
  vk_rate_divide (total, caps, shares, n);
  for (guint i = 0; i < n; i++)
    if (!set_speed (backup, copied[i], shares[i], error))
      return FALSE;
  return TRUE;
}
