/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps 4 and 5: the instant that the point shows. */
#include "config.h"

#include "backup/backup-private.h"

gboolean
vk_backup_take_instant (VkBackup *backup, GError **error)
{
  gboolean begun = vk_backup_freeze (backup, error) && vk_backup_begin_job (backup, error);

  /* The first error is the one to tell. */
  return vk_backup_thaw (backup, begun ? error : NULL) && begun;
}
