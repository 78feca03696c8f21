/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host of a domain, when that is not this one: what a backup needs there is made, looked at and
 * removed through ssh. */
#include "config.h"

#include "backup/backup-private.h"
#include "base/error.h"
#include "base/run-dir.h"

gboolean
vk_backup_has_ssh (const VkBackup *backup)
{
  g_autofree char *uri = vk_host_uri (backup->host);

  return !vk_host_is_local (backup->host) && vk_ssh_is_named (uri);
}

gboolean
vk_backup_connect_host (VkBackup *backup, GError **error)
{
  g_autofree char *uri = vk_host_uri (backup->host);

  if (backup->ssh != NULL)
    return TRUE;
  if (!vk_backup_make_run_dir (backup, error))
    return FALSE;
  backup->ssh = vk_ssh_open (uri, backup->run_dir, backup->cancellable, error);
  return backup->ssh != NULL;
}

/* A directory there that QEMU can use: mktemp(1) makes it for its owner alone, who is QEMU's user
 * then.  What killed backups have left goes: nobody else uses it, since the domain's lock in the
 * store is ours. */
static char *
make_qemu_directory (VkBackup *backup, const char *parent, GError **error)
{
  static const char script[] =
    "for d in \"$1/$2\"*; do test ! -d \"$d\" || rm -rf \"$d\" || exit 1; done; "
    "d=$(mktemp -d \"$1/$2XXXXXX\") || exit 1; "
    "test -z \"$3\" || chown \"$3\" \"$d\" || { rmdir \"$d\"; exit 1; }; "
    "printf %s \"$d\"";
  g_autofree char *prefix = vk_run_dir_prefix (backup->store->id, backup->xml->uuid);
  g_autofree char *owner = backup->xml->has_qemu_user ? g_strdup_printf ("%u:%u", backup->xml->qemu_uid, backup->xml->qemu_gid) : g_strdup ("");
  const char *const arguments[] = { parent, prefix, owner, NULL };
  g_autoptr (GError) failure = NULL;
  char *path = NULL;

  if (vk_ssh_run (backup->ssh, script, arguments, &path, backup->cancellable, &failure))
    return path;
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_propagate_error (error, g_steal_pointer (&failure));
  else
    vk_fail (error, VK_ERROR_REFUSED, "QEMU cannot be given a directory in '%s' on '%s': %s: whoever logs in there has to be root, or the user that QEMU runs as", parent, vk_ssh_host (backup->ssh), failure->message);
  return NULL;
}

static gboolean
make_qemu_directories (VkBackup *backup, GError **error)
{
  const char *chosen = backup->request->scratch_dir;

  backup->qemu_dir = make_qemu_directory (backup, VK_RUN_DIR_PARENT, error);
  if (backup->qemu_dir == NULL)
    return FALSE;
  backup->scratch_dir = chosen ? make_qemu_directory (backup, chosen, error) : g_strdup (backup->qemu_dir);
  return backup->scratch_dir != NULL;
}

/* Names that nobody else has. */
static char *
make_stem (const VkBackup *backup)
{
  const char *chosen = backup->request->scratch_dir;
  g_autofree char *prefix = vk_run_dir_prefix (backup->store->id, backup->xml->uuid);
  g_autofree char *random = g_uuid_string_random ();

  return g_strdup_printf ("%s/%s%s-", chosen ? chosen : VK_RUN_DIR_PARENT, prefix, random);
}

gboolean
vk_backup_make_remote_dirs (VkBackup *backup, GError **error)
{
  const char *chosen = backup->request->scratch_dir;
  g_autofree char *there = NULL;
  g_autofree char *here = NULL;

  if (chosen != NULL && !g_path_is_absolute (chosen))
    return vk_fail (error, VK_ERROR_USAGE, "--scratch-dir is a directory on the host of the domain: '%s' does not begin with a slash", chosen);
  if (!vk_backup_has_ssh (backup))
    {
      backup->scratch_stem = make_stem (backup);
      return TRUE;
    }
  if (!vk_backup_connect_host (backup, error) || !make_qemu_directories (backup, error))
    return FALSE;
  backup->scratch_stem = g_strconcat (backup->scratch_dir, "/", NULL);
  if (backup->request->server.transport != VK_TRANSPORT_SSH)
    return TRUE;
  there = vk_backup_server_socket (backup);
  here = vk_backup_client_socket (backup);
  return vk_ssh_forward (backup->ssh, here, there, backup->cancellable, error);
}

/* As in run-dirs.c: QEMU and libvirt take their files away a moment after the job has ended. */
static void
remove_directory (VkBackup *backup, const char *path)
{
  static const char script[] = "i=0; until rmdir \"$1\" 2>/dev/null || test ! -d \"$1\"; do i=$((i + 1)); test $i -lt 50 || exec rm -rf \"$1\"; sleep 0.1 || sleep 1; done";
  const char *const arguments[] = { path, NULL };
  g_autoptr (GError) failure = NULL;

  if (!vk_ssh_run (backup->ssh, script, arguments, NULL, NULL, &failure))
    vk_backup_warn (backup, "the directory '%s' on '%s' could not be removed (%s), the next backup does it", path, vk_ssh_host (backup->ssh), failure->message);
}

void
vk_backup_remove_remote_dirs (VkBackup *backup)
{
  if (backup->ssh == NULL)
    return;
  if (backup->scratch_dir != NULL)
    remove_directory (backup, backup->scratch_dir);
  if (backup->qemu_dir != NULL && g_strcmp0 (backup->qemu_dir, backup->scratch_dir) != 0)
    remove_directory (backup, backup->qemu_dir);
  g_clear_pointer (&backup->ssh, vk_ssh_free);
}

void
vk_backup_blame_ssh (VkBackup *backup, GError **error)
{
  g_autofree char *words = NULL;
  g_autoptr (GError) failure = NULL;

  if (backup->ssh == NULL || !g_error_matches (*error, VK_ERROR, VK_ERROR_FAILED))
    return;
  words = vk_ssh_last_words (backup->ssh);
  failure = g_steal_pointer (error);
  if (!vk_ssh_lives (backup->ssh))
    vk_fail (error, VK_ERROR_CONNECTION, "the ssh connection to '%s', through which the disks of '%s' are read, ended%s%s: nothing was stored; try again", vk_ssh_host (backup->ssh), backup->xml->name, words ? ": " : "", words ? words : "");
  else if (words != NULL)
    vk_fail (error, VK_ERROR_FAILED, "%s (ssh says: %s)", failure->message, words);
  else
    g_propagate_error (error, g_steal_pointer (&failure));
}
