/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a killed backup left behind.  We hold the lock of this domain in this
 * store, so whatever carries the store's id has no owner any more. */
#include "config.h"

#include <string.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "host/checkpoint.h"
#include "host/job-info.h"

/* Whether path lies in a directory of ours. */
static gboolean
is_ours (const VkBackup *backup, const char *path)
{
  g_autofree char *private_part = g_strdup_printf ("/virt-keep-%s-", backup->store->id);

  return strstr (path, private_part) != NULL
      || (backup->writer->directory != NULL && g_str_has_prefix (path, backup->writer->directory));
}

static gboolean
end_stale_job (VkBackup *backup, GError **error)
{
  const char *mode;
  g_auto (GStrv) targets = NULL;
  gboolean ours = FALSE;

  vk_job_backup_details (backup->domain, &mode, &targets);
  for (gsize i = 0; targets != NULL && targets[i] != NULL; i++)
    ours = ours || is_ours (backup, targets[i]);
  if (!ours)
    return TRUE;
  vk_backup_warn (backup, "a %s job of an earlier backup, which was killed, still ran and was aborted", mode);
  return vk_backup_job_end_stale (backup->job, error);
}

static gboolean
belongs_to_point (const GPtrArray *points, const char *checkpoint)
{
  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      /* Nobody knows what a damaged point's checkpoint is: keep them all. */
      if (point->manifest == NULL || g_strcmp0 (point->manifest->checkpoint, checkpoint) == 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
delete_orphan_checkpoints (VkBackup *backup, GError **error)
{
  g_autoptr (GPtrArray) names = vk_checkpoint_list (backup->domain, backup->store->id, error);

  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      if (belongs_to_point (backup->points, name))
        continue;
      if (!vk_checkpoint_delete (backup->domain, name, error))
        return FALSE;
      vk_backup_warn (backup, "the checkpoint '%s' of an earlier backup, which was not finished, was deleted", name);
    }
  return TRUE;
}

gboolean
vk_backup_clean_leftovers (VkBackup *backup, GError **error)
{
  /* Without QEMU there is no job, and libvirt deletes no checkpoint. */
  if (backup->state == VK_STATE_SHUT_OFF)
    {
      vk_backup_remove_stale_run_dirs (backup);
      return TRUE;
    }
  if (!end_stale_job (backup, error) || !delete_orphan_checkpoints (backup, error))
    return FALSE;
  vk_backup_remove_stale_run_dirs (backup);
  return TRUE;
}
