/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a killed backup left behind.  We hold the lock of this domain in this
 * store, so whatever carries the store's id has no owner any more. */
#include "config.h"

#include <string.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "host/checkpoint.h"
#include "host/job-info.h"

enum
{
  BEGUN_MILLISECONDS = 2000, /* after which a job is past its begin; that takes a tenth of it */
  POLL_MILLISECONDS = 100,
  BEGIN_SECONDS = 30, /* for libvirt to say anything about a job */
};

/* Whether there is no job that may still be about to begin; *failure is why
 * libvirt does not say. */
static gboolean
is_past_begin (VkBackup *backup, GError **failure)
{
  VkJobInfo info;

  g_clear_error (failure);
  return vk_job_info_get (backup->domain, &info, failure) && (!info.is_backup || info.elapsed >= BEGUN_MILLISECONDS);
}

/* libvirtd goes on with the request to begin a job when whoever sent it has been
 * killed.  Its checkpoint is listed by then, and deleting that, or aborting the
 * job, in the middle of the request makes libvirtd 9.0 crash. */
static gboolean
let_begin_finish (VkBackup *backup, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + BEGIN_SECONDS * G_USEC_PER_SEC;
  g_autoptr (GError) failure = NULL;
  gboolean never = FALSE;

  while (!is_past_begin (backup, &failure))
    {
      if (g_cancellable_set_error_if_cancelled (backup->cancellable, error))
        return FALSE;
      if (failure != NULL && g_get_monotonic_time () > deadline)
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      vk_host_run_until (&never, NULL, g_get_monotonic_time () + POLL_MILLISECONDS * 1000, backup->cancellable);
    }
  return TRUE;
}

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
  if (!let_begin_finish (backup, error) || !end_stale_job (backup, error) || !delete_orphan_checkpoints (backup, error))
    return FALSE;
  vk_backup_remove_stale_run_dirs (backup);
  return TRUE;
}
