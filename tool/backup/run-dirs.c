/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The private directories of a running backup.  QEMU itself creates scratch
 * files and its NBD socket, as its own user, so the directory is given to that
 * user; nobody else can look into it. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "base/files.h"
#include "base/run-dir.h"

enum { REMOVE_ATTEMPTS = 100, REMOVE_STEP_MILLISECONDS = 50 };

char *
vk_run_dir_prefix (const char *store_id, const char *domain_uuid)
{
  g_autofree char *uuid_start = g_strndup (domain_uuid, 8);

  return g_strdup_printf ("virt-keep-%s-%s-", store_id, uuid_start);
}

static char *
make_private_dir (VkBackup *backup, const char *parent, GError **error)
{
  g_autofree char *prefix = vk_run_dir_prefix (backup->store->id, backup->xml->uuid);

  return vk_directory_make_private (parent, prefix, "name another place with --scratch-dir", error);
}

static gboolean
give_to_qemu (VkBackup *backup, const char *path, GError **error)
{
  if (!backup->xml->has_qemu_user || backup->xml->qemu_uid == geteuid ()
      || chown (path, backup->xml->qemu_uid, backup->xml->qemu_gid) == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "QEMU runs as user %u and cannot be given the directory '%s': %s: run virt-keep as root, or back up in push mode", backup->xml->qemu_uid, path, g_strerror (errno));
}

gboolean
vk_backup_make_run_dir (VkBackup *backup, GError **error)
{
  if (backup->run_dir == NULL)
    backup->run_dir = make_private_dir (backup, VK_RUN_DIR_PARENT, error);
  return backup->run_dir != NULL;
}

gboolean
vk_backup_make_run_dirs (VkBackup *backup, GError **error)
{
  const char *chosen = backup->request->scratch_dir;

  if (!vk_backup_make_run_dir (backup, error))
    return FALSE;
  if (!vk_host_is_local (backup->host))
    return vk_backup_make_remote_dirs (backup, error);
  if (!give_to_qemu (backup, backup->run_dir, error))
    return FALSE;
  backup->qemu_dir = g_strdup (backup->run_dir);
  if (chosen == NULL)
    backup->scratch_dir = g_strdup (backup->run_dir);
  else
    {
      g_autofree char *absolute = g_canonicalize_filename (chosen, NULL);

      backup->scratch_dir = make_private_dir (backup, absolute, error);
    }
  if (backup->scratch_dir == NULL || (chosen != NULL && !give_to_qemu (backup, backup->scratch_dir, error)))
    return FALSE;
  backup->scratch_stem = g_strconcat (backup->scratch_dir, "/", NULL);
  return TRUE;
}

/* QEMU and libvirt take socket and scratch files away a moment after the job
 * has ended; what is still there later goes with the directory. */
static void
remove_when_empty (const char *path)
{
  for (int i = 0; i < REMOVE_ATTEMPTS; i++)
    {
      if (rmdir (path) == 0 || errno != ENOTEMPTY)
        return;
      g_usleep (REMOVE_STEP_MILLISECONDS * 1000);
    }
  vk_tree_remove (path, NULL);
}

void
vk_backup_remove_run_dirs (VkBackup *backup)
{
  vk_backup_remove_remote_dirs (backup);
  if (backup->scratch_dir != NULL && vk_host_is_local (backup->host))
    remove_when_empty (backup->scratch_dir);
  if (backup->run_dir != NULL && g_strcmp0 (backup->run_dir, backup->scratch_dir) != 0)
    remove_when_empty (backup->run_dir);
  g_clear_pointer (&backup->scratch_dir, g_free);
  g_clear_pointer (&backup->qemu_dir, g_free);
  g_clear_pointer (&backup->run_dir, g_free);
}
