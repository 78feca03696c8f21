/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "backup/leftovers.h"

#include <string.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "base/files.h"
#include "base/run-dir.h"
#include "host/checkpoint.h"
#include "host/job-info.h"
#include "host/monitor.h"

enum
{
  BEGUN_MILLISECONDS = 2000, /* after which a job is past its begin; that takes a tenth of it */
  POLL_MILLISECONDS = 100,
  BEGIN_SECONDS = 30, /* for libvirt to say anything about a job */
};

/* Whether there is no job that may still be about to begin; *failure is why
 * libvirt does not say. */
static gboolean
is_past_begin (virDomainPtr domain, GError **failure)
{
  VkJobInfo info;

  g_clear_error (failure);
  return vk_job_info_get (domain, &info, failure) && (!info.is_backup || info.elapsed >= BEGUN_MILLISECONDS);
}

/* libvirtd goes on with the request to begin a job when whoever sent it has been
 * killed.  Its checkpoint is listed by then, and deleting that, or aborting the
 * job, in the middle of the request makes libvirtd 9.0 crash. */
static gboolean
let_begin_finish (virDomainPtr domain, GCancellable *cancellable, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + BEGIN_SECONDS * G_USEC_PER_SEC;
  g_autoptr (GError) failure = NULL;
  gboolean never = FALSE;

  while (!is_past_begin (domain, &failure))
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (failure != NULL && g_get_monotonic_time () > deadline)
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      vk_host_run_until (&never, NULL, g_get_monotonic_time () + POLL_MILLISECONDS * 1000, cancellable);
    }
  return TRUE;
}

gboolean
vk_leftover_is_ours (const VkLeftoverPlace *place, const char *path)
{
  g_autofree char *private_part = g_strdup_printf ("/virt-keep-%s-", place->store_id);

  return strstr (path, private_part) != NULL
      || (place->directory != NULL && g_str_has_prefix (path, place->directory));
}

const char *
vk_leftover_job (const VkLeftoverPlace *place)
{
  const char *mode;
  g_auto (GStrv) targets = NULL;

  vk_job_backup_details (place->domain, &mode, &targets);
  for (gsize i = 0; targets != NULL && targets[i] != NULL; i++)
    if (vk_leftover_is_ours (place, targets[i]))
      return mode;
  return NULL;
}

gboolean
vk_leftover_job_end (const VkLeftoverPlace *place, VkBackupJob *job, const char **mode, GCancellable *cancellable, GError **error)
{
  *mode = NULL;
  if (!let_begin_finish (place->domain, cancellable, error))
    return FALSE;
  *mode = vk_leftover_job (place);
  return *mode == NULL || vk_backup_job_end_stale (job, error);
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

GPtrArray *
vk_leftover_checkpoints (const VkLeftoverPlace *place, const GPtrArray *points, GError **error)
{
  GPtrArray *names = vk_checkpoint_list (place->domain, place->store_id, error);

  for (guint i = names ? names->len : 0; i-- > 0;)
    if (belongs_to_point (points, g_ptr_array_index (names, i)))
      g_ptr_array_remove_index (names, i);
  return names;
}

GPtrArray *
vk_leftover_open_files (const VkLeftoverPlace *place, GError **error)
{
  GPtrArray *files = vk_monitor_open_files (place->domain, error);

  for (guint i = files ? files->len : 0; i-- > 0;)
    if (!vk_leftover_is_ours (place, g_ptr_array_index (files, i)))
      g_ptr_array_remove_index (files, i);
  return files;
}

gboolean
vk_leftover_close_files (const VkLeftoverPlace *place, GPtrArray *files, GError **error)
{
  g_autofree const char **paths = g_new0 (const char *, files->len + 1);
  g_autoptr (VkClosedProof) proof = NULL;
  g_autofree char *text = NULL;

  for (guint i = 0; i < files->len; i++)
    paths[i] = g_ptr_array_index (files, i);
  proof = vk_prove_closed (place->domain, paths, place->here, TRUE);
  if (proof->proven)
    return TRUE;
  text = vk_closed_proof_to_text (proof);
  g_set_error_literal (error, VK_ERROR, VK_ERROR_NOT_CLOSED, text);
  return FALSE;
}

static void
add_directories (GPtrArray *paths, const char *parent, const char *prefix)
{
  g_autoptr (GDir) directory = g_dir_open (parent, 0, NULL);
  const char *name;

  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL)
    if (g_str_has_prefix (name, prefix))
      g_ptr_array_add (paths, g_build_filename (parent, name, NULL));
}

GPtrArray *
vk_leftover_directories (const VkLeftoverPlace *place)
{
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *prefix = vk_run_dir_prefix (place->store_id, place->uuid);

  add_directories (paths, VK_RUN_DIR_PARENT, prefix);
  if (place->scratch_dir != NULL)
    add_directories (paths, place->scratch_dir, prefix);
  return paths;
}

/* --- what a backup does about them ---------------------------------------- */

static gboolean
end_stale_job (VkBackup *backup, const VkLeftoverPlace *place, GError **error)
{
  const char *mode;

  if (!vk_leftover_job_end (place, backup->job, &mode, backup->cancellable, error))
    return FALSE;
  if (mode != NULL)
    vk_backup_warn (backup, "a %s job of an earlier backup, which was killed, still ran and was aborted", mode);
  return TRUE;
}

/* What stays open is no obstacle: the new backup has files of its own. */
static void
close_open_files (VkBackup *backup, const VkLeftoverPlace *place)
{
  g_autoptr (GPtrArray) files = backup->request->use_monitor ? vk_leftover_open_files (place, NULL) : NULL;
  g_autoptr (GError) failure = NULL;

  if (files == NULL || files->len == 0)
    return;
  if (vk_leftover_close_files (place, files, &failure))
    vk_backup_warn (backup, "QEMU still had '%s' of an earlier backup open, and has closed it now", (const char *) g_ptr_array_index (files, 0));
  else
    vk_backup_warn (backup, "of an earlier backup: %s", failure->message);
}

static gboolean
delete_dead_checkpoints (VkBackup *backup, const VkLeftoverPlace *place, GError **error)
{
  g_autoptr (GPtrArray) names = vk_leftover_checkpoints (place, backup->points, error);

  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      if (!vk_checkpoint_delete (backup->domain, name, error))
        return FALSE;
      vk_backup_warn (backup, "the checkpoint '%s' of an earlier backup, which was not finished, was deleted", name);
    }
  return TRUE;
}

gboolean
vk_backup_clean_leftovers (VkBackup *backup, GError **error)
{
  const VkLeftoverPlace place = {
    .domain = backup->domain,
    .uuid = backup->xml->uuid,
    .store_id = backup->store->id,
    .directory = backup->writer->directory,
    .scratch_dir = backup->request->scratch_dir,
    .here = vk_host_is_local (backup->host),
  };
  g_autoptr (GPtrArray) directories = NULL;

  /* Without QEMU there is no job, and libvirt deletes no checkpoint. */
  if (backup->state != VK_STATE_SHUT_OFF)
    {
      if (!end_stale_job (backup, &place, error))
        return FALSE;
      close_open_files (backup, &place);
      if (!delete_dead_checkpoints (backup, &place, error))
        return FALSE;
    }
  directories = vk_leftover_directories (&place);
  for (guint i = 0; i < directories->len; i++)
    vk_tree_remove (g_ptr_array_index (directories, i), NULL);
  return TRUE;
}
