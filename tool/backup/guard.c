/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The side of the backup: guard-run.c is that of the process. */
#include "config.h"

#include "backup/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backup/backup-private.h"
#include "backup/guard-private.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/fork-server.h"
#include "base/json.h"

struct VkGuard
{
  int socket;
  GString *said; /* by the guard, as far as it has been read */
};

static char *
order_to_text (const VkGuardOrder *order)
{
  g_autoptr (JsonObject) object = json_object_new ();

  if (order->uri != NULL)
    vk_json_set_string (object, "uri", order->uri);
  vk_json_set_string (object, "domain", order->domain);
  json_object_set_array_member (object, "files", json_array_new ());
  for (gsize i = 0; order->files[i] != NULL; i++)
    vk_json_append_string (object, "files", order->files[i]);
  if (order->scratch_dir != NULL)
    vk_json_set_string (object, "scratch_dir", order->scratch_dir);
  json_object_set_int_member (object, "scratch_reserve", (gint64) order->scratch_reserve);
  json_object_set_boolean_member (object, "guest_ran", order->guest_ran);
  json_object_set_boolean_member (object, "at_once", order->at_once);
  return vk_json_to_string (object, FALSE);
}

static void
tell (VkGuard *guard, const char *words, gsize length)
{
  gssize sent;

  /* A guard that could not do its work has gone, which is no harm to the backup. */
  do
    sent = send (guard->socket, words, length, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
}

VkGuard *
vk_guard_start (const VkGuardOrder *order, GError **error)
{
  static const char *const words[] = { PACKAGE_NAME, "guard", NULL };
  g_autofree char *text = order_to_text (order);
  g_autofree char *line = g_strconcat (text, "\n", NULL);
  g_auto (VkFd) null = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  g_auto (VkFd) ours = -1, theirs = -1;
  VkGuard *guard;
  VkFork process;
  int pair[2];

  if (null < 0 || socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    {
      vk_fail (error, VK_ERROR_FAILED, "cannot make a socket: %s", g_strerror (errno));
      return NULL;
    }
  ours = pair[0];
  theirs = pair[1];
  if (!vk_fork_start (VK_FORK_GUARD, words, (const int[]){ theirs, null, null }, &process, error))
    return NULL;
  /* It is not waited for. */
  close (process.status);
  guard = g_new0 (VkGuard, 1);
  guard->socket = vk_fd_steal (&ours);
  guard->said = g_string_new (NULL);
  tell (guard, line, strlen (line));
  return guard;
}

void
vk_guard_tell_beginning (VkGuard *guard)
{
  if (guard != NULL)
    tell (guard, &(char){ VK_GUARD_BEGINNING }, 1);
}

void
vk_guard_tell_refused (VkGuard *guard)
{
  if (guard != NULL)
    tell (guard, &(char){ VK_GUARD_REFUSED }, 1);
}

void
vk_guard_tell_begun (VkGuard *guard)
{
  if (guard != NULL)
    tell (guard, &(char){ VK_GUARD_BEGUN }, 1);
}

/* Returns what it has said first. */
static char
listen_to (VkGuard *guard)
{
  char words[256];
  gssize got;

  while ((got = recv (guard->socket, words, sizeof words, MSG_DONTWAIT)) > 0)
    g_string_append_len (guard->said, words, got);
  return *guard->said->str;
}

gboolean
vk_guard_has_acted (VkGuard *guard)
{
  return guard != NULL && listen_to (guard) == VK_GUARD_ACTED;
}

const char *
vk_guard_failure (VkGuard *guard)
{
  return guard != NULL && listen_to (guard) == VK_GUARD_FAILED ? guard->said->str + 1 : NULL;
}

void
vk_guard_dismiss (VkGuard *guard)
{
  if (guard == NULL)
    return;
  tell (guard, &(char){ VK_GUARD_DISMISSED }, 1);
  close (guard->socket);
  g_string_free (guard->said, TRUE);
  g_free (guard);
}

void
vk_backup_start_guard (VkBackup *backup)
{
  g_autoptr (GError) failure = NULL;
  g_autofree const char **files = g_new0 (const char *, backup->disks->len + 1);
  /* It does not look at places on another host. */
  gboolean here = vk_host_is_local (backup->host);
  g_autofree char *uri = vk_host_uri (backup->host);
  VkGuardOrder order = {
    .uri = vk_host_requested_uri (backup->host),
    .at_once = !here || strchr (uri, '+') != NULL,
    .domain = backup->xml->uuid,
    .files = files,
    .scratch_dir = here ? backup->scratch_dir : NULL,
    .scratch_reserve = here ? backup->scratch_reserve : 0,
    .guest_ran = backup->guest_ran,
  };

  for (guint i = 0; i < backup->disks->len; i++)
    {
      const VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      files[i] = disk->scratch ? disk->scratch : disk->image;
    }
  backup->guard = vk_guard_start (&order, &failure);
  if (backup->guard == NULL)
    vk_backup_warn (backup, "nobody ends the job should virt-keep be killed: %s", failure->message);
}

void
vk_backup_dismiss_guard (VkBackup *backup)
{
  const char *failure = vk_guard_failure (backup->guard);

  if (failure != NULL)
    vk_backup_warn (backup, "nobody would have ended the job, had virt-keep been killed: %s", failure);
  g_clear_pointer (&backup->guard, vk_guard_dismiss);
}
