/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "backup/scratch.h"

#include <glib/gi18n.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "base/room.h"
#include "host/job-info.h"

enum
{
  FULL_BYTES = 1 << 20,            /* a cluster of a qcow2 image and its tables do not fit */
  DEFAULT_RESERVE = 1 << 30,       /* at most; on small file systems: */
  DEFAULT_PART = 20,               /* a twentieth of it */
  REMOVE_ATTEMPTS = 100,
  REMOVE_STEP_MILLISECONDS = 50,
  REMOTE_LOOK_SECONDS = 2,         /* how often it is looked at another host */
  REMOTE_ATTEMPTS = 10,
};

static gboolean
is_full (const VkRoom *room)
{
  return room->left < FULL_BYTES;
}

gboolean
vk_scratch_is_full (const char *directory)
{
  VkRoom room;

  return vk_room_get (directory, &room, NULL) && is_full (&room);
}

void
vk_scratch_wait_removed (const char *const *files)
{
  for (guint i = 0; i < REMOVE_ATTEMPTS && *files != NULL; i++)
    {
      if (g_file_test (*files, G_FILE_TEST_EXISTS))
        g_usleep (REMOVE_STEP_MILLISECONDS * 1000);
      else
        files++;
    }
}

/* Whether there is room for what the guest writes to its disk; taken to be so where it
 * cannot be seen, as on another host: QEMU pauses the guest again when it is not. */
static gboolean
has_own_room (const VkDomainXml *xml, const char *target)
{
  for (guint i = 0; i < xml->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (xml->disks, i);
      const char *path = vk_domain_xml_local_path (xml, disk);
      g_autofree char *directory = path ? g_path_get_dirname (path) : NULL;

      if (strcmp (disk->target, target) == 0)
        return directory == NULL || !g_file_test (path, G_FILE_TEST_IS_REGULAR) || !vk_scratch_is_full (directory);
    }
  return TRUE;
}

/* Whether all that stopped the guest is a lack of room which is none any more. */
static gboolean
is_cured (virDomainPtr domain, const VkDomainXml *xml)
{
  gsize n_disks = xml->disks->len;
  g_autofree virDomainDiskErrorPtr errors = g_new0 (virDomainDiskError, n_disks + 1);
  int n = virDomainGetDiskErrors (domain, errors, (unsigned int) n_disks, 0);
  gboolean cured = n > 0;

  for (int i = 0; i < n; i++)
    {
      cured = cured && errors[i].error == VIR_DOMAIN_DISK_ERROR_NO_SPACE && has_own_room (xml, errors[i].disk);
      free (errors[i].disk);
    }
  return cured;
}

gboolean
vk_scratch_resume_guest (virDomainPtr domain, const VkDomainXml *xml, GError **error)
{
  const char *name = virDomainGetName (domain);
  int state, reason;

  if (virDomainGetState (domain, &state, &reason, 0) < 0 || state != VIR_DOMAIN_PAUSED || reason != VIR_DOMAIN_PAUSED_IOERROR)
    return FALSE;
  if (!is_cured (domain, xml))
    return FALSE;
  if (virDomainResume (domain) == 0)
    return TRUE;
  vk_set_libvirt_error (error, N_("let it go on with virsh resume"), "the domain '%s' was paused since the scratch files had no room left, and cannot be resumed", name);
  return FALSE;
}

/* --- in a backup ---------------------------------------------------------------- */

static gboolean
get_room (VkBackup *backup, VkRoom *room, GError **error)
{
  if (backup->ssh != NULL)
    return vk_ssh_room (backup->ssh, backup->scratch_dir, room, NULL, error);
  return vk_room_get (backup->scratch_dir, room, error);
}

/* Whether it is time to look again: on this host at every tick. */
static gboolean
is_due (VkBackup *backup)
{
  gint64 now = g_get_monotonic_time ();

  if (backup->ssh == NULL)
    return TRUE;
  if (now - backup->room_seen < REMOTE_LOOK_SECONDS * G_USEC_PER_SEC || !vk_ssh_lives (backup->ssh))
    return FALSE;
  backup->room_seen = now;
  return TRUE;
}

static gboolean
has_used_all (VkBackup *backup)
{
  VkRoom room;

  return backup->scratch_dir != NULL && get_room (backup, &room, NULL) && is_full (&room);
}

/* Waits a few seconds for the scratch files to be gone. */
static void
wait_removed (VkBackup *backup, const char *const *files)
{
  if (backup->ssh == NULL)
    vk_scratch_wait_removed (files);
  for (guint i = 0; backup->ssh != NULL && i < REMOTE_ATTEMPTS && has_used_all (backup); i++)
    g_usleep (G_USEC_PER_SEC / 2);
}

/* How much the scratch files take, as far as libvirt tells. */
static char *
describe_use (VkBackup *backup)
{
  VkJobInfo info;

  if (backup->job == NULL || !vk_job_info_get (backup->domain, &info, NULL) || !info.has_scratch)
    return g_strdup ("");
  return g_strdup_printf (", of which its scratch files took %" PRIu64, info.scratch_used);
}

static void
vk_backup_set_scratch_error (VkBackup *backup, GError **error)
{
  g_autofree char *use = describe_use (backup);

  g_clear_error (error);
  vk_fail (error, VK_ERROR_SCRATCH, "the backup of '%s' was ended before it would have stopped the guest: fewer than %" PRIu64 " bytes were left for scratch files in '%s'%s: make room, or name another place with --scratch-dir",
               backup->xml->name, backup->scratch_reserve, backup->scratch_dir, use);
}

/* Where nobody can look how much room there is. */
static gboolean
check_unseen_reserve (VkBackup *backup, GError **error)
{
  if (!backup->request->has_scratch_reserve || backup->request->scratch_reserve == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "--scratch-reserve cannot be kept on another host that is not reached through ssh: nobody can look there");
}

gboolean
vk_backup_check_scratch (VkBackup *backup, GError **error)
{
  int state, reason;
  VkRoom room;

  backup->guest_ran = virDomainGetState (backup->domain, &state, &reason, 0) == 0 && state == VIR_DOMAIN_RUNNING;
  if (backup->scratch_dir == NULL)
    return check_unseen_reserve (backup, error);
  if (!get_room (backup, &room, error))
    return FALSE;
  backup->scratch_reserve = backup->request->has_scratch_reserve ? backup->request->scratch_reserve : MIN (DEFAULT_RESERVE, room.whole / DEFAULT_PART);
  if (room.left >= backup->scratch_reserve)
    return TRUE;
  vk_fail (error, VK_ERROR_SCRATCH, "there is too little room for scratch files in '%s': %" PRIu64 " bytes are left, and %" PRIu64 " are to stay free (--scratch-reserve): make room, or name another place with --scratch-dir",
               backup->scratch_dir, room.left, backup->scratch_reserve);
  return FALSE;
}

gboolean
vk_backup_watch_scratch (VkBackup *backup, GError **error)
{
  VkRoom room;

  if (backup->scratch_reserve == 0 || !is_due (backup) || !get_room (backup, &room, NULL) || room.left >= backup->scratch_reserve)
    return TRUE;
  vk_backup_set_scratch_error (backup, error);
  return FALSE;
}

/* Of the disks.  Returns: (transfer container), NULL-terminated. */
static const char **
scratch_files (const VkBackup *backup)
{
  const char **files = g_new0 (const char *, backup->disks->len + 1);

  for (guint i = 0; i < backup->disks->len; i++)
    files[i] = ((VkBackupDisk *) g_ptr_array_index (backup->disks, i))->scratch;
  return files;
}

void
vk_backup_end_failed_pull (VkBackup *backup, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree const char **files = scratch_files (backup);
  gboolean full = has_used_all (backup);

  /* The job goes first: as long as it runs, its scratch files grow. */
  vk_backup_job_stop (backup->job);
  if (vk_guard_has_acted (backup->guard))
    vk_backup_set_scratch_error (backup, error);
  if (!full || !backup->guest_ran || vk_host_is_lost (backup->host))
    return;
  wait_removed (backup, files);
  if (vk_scratch_resume_guest (backup->domain, backup->xml, &failure))
    {
      vk_backup_warn (backup, "THE GUEST WAS PAUSED by this backup: its scratch files had no room left in '%s'. The backup was aborted, and '%s' was resumed", backup->scratch_dir, backup->xml->name);
      g_clear_error (error);
      vk_fail (error, VK_ERROR_SCRATCH, "the scratch files had no room left in '%s', and QEMU paused the domain '%s': the backup was aborted and the domain resumed; make room, or name another place with --scratch-dir",
                   backup->scratch_dir, backup->xml->name);
    }
  else if (failure != NULL)
    {
      vk_backup_warn (backup, "THE GUEST IS PAUSED: %s", failure->message);
      g_clear_error (error);
      g_propagate_error (error, g_steal_pointer (&failure));
    }
}
