/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps 4 and 5: the instant that the points show. */
#include "config.h"

#include "backup/backup-private.h"

/* Without QEMU there is no job, and where nothing has changed there need not be one. */
static gboolean
begin (VkBackup *backup, GError **error)
{
  if (backup->state == VK_STATE_SHUT_OFF || vk_backup_is_unchanged (backup))
    return TRUE;
  if (backup->guard == NULL && vk_backup_may_be_unchanged (backup))
    vk_backup_start_guard (backup);
  return vk_backup_begin_job (backup, error);
}

static gboolean
begin_all (VkBackup **backups, guint n, guint64 *spread, GError **error)
{
  gint64 first = 0, last = 0;

  for (guint i = 0; i < n; i++)
    {
      if (!begin (backups[i], error))
        return FALSE;
      last = g_get_monotonic_time ();
      first = i == 0 ? last : first;
    }
  *spread = (guint64) (last - first + 999) / 1000;
  return TRUE;
}

gboolean
vk_backup_take_instant (VkBackup **backups, guint n, VkBackupSpread *spread, GError **error)
{
  gint64 frozen_at = 0;
  gboolean begun = vk_backup_each (backups, n, vk_backup_hook_before, error);
  gboolean frozen = begun;

  if (begun)
    frozen_at = g_get_monotonic_time ();
  begun = begun
       && vk_backup_each (backups, n, vk_backup_freeze, error)
       && vk_backup_each (backups, n, vk_backup_hook_frozen, error)
       && begin_all (backups, n, &spread->begin_milliseconds, error);
  /* All are thawed, whatever happened; the first error is the one to tell. */
  for (guint i = 0; i < n; i++)
    begun = vk_backup_thaw (backups[i], begun ? error : NULL) && begun;
  if (frozen)
    spread->frozen_milliseconds = (guint64) (g_get_monotonic_time () - frozen_at + 999) / 1000;
  for (guint i = 0; i < n; i++)
    vk_backup_hook_thawed (backups[i]);
  return begun;
}
