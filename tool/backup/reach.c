/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether QEMU can get at the places that a backup gives it: found out before it is
 * begun, since QEMU's own words afterwards do not say which directory is in the way. */
#include "config.h"

#include "backup/backup-private.h"
#include "base/error.h"
#include "base/run-dir.h"
#include "host/qemu-reach.h"

static gboolean
check (VkBackup *backup, const char *directory, VkError code, GError **error)
{
  VkQemuReach reach = { .has_user = backup->xml->has_qemu_user, .uid = backup->xml->qemu_uid, .gid = backup->xml->qemu_gid, .uuid = backup->xml->uuid };
  g_autofree char *advice = NULL;
  g_autofree char *obstacle = vk_qemu_describe_obstacle (&reach, directory, &advice);

  if (obstacle == NULL)
    return TRUE;
  return vk_fail (error, code, "QEMU could not use '%s': %s: %s", directory, obstacle, advice);
}

gboolean
vk_backup_check_reach (VkBackup *backup, GError **error)
{
  if (backup->state == VK_STATE_SHUT_OFF || !vk_host_is_local (backup->host))
    return TRUE;
  if (backup->request->mode == VK_MODE_PUSH)
    return check (backup, backup->writer->directory, VK_ERROR_STORE, error);
  return check (backup, VK_RUN_DIR_PARENT, VK_ERROR_REFUSED, error)
      && (backup->request->scratch_dir == NULL || check (backup, backup->request->scratch_dir, VK_ERROR_REFUSED, error));
}
