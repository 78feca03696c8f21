/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "view/lasting-door.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libnbd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "view/nbd-server-private.h"

enum
{
  BACKLOG = 16,
  POLL_MS = 100,
  LOG_LIMIT = 1 << 20,
};

struct VkLastingDoor
{
  char *program;
  char *name; /* of what is served, for messages */
  char *description; /* see vk_nbd_server_words() */
  char *log;
  VkDetached process;
  int client; /* our connection, until it is: */
  struct nbd_handle *nbd;
};

static gboolean
set_socket_error (const char *what, const char *path, GError **error)
{
  return vk_fail (error, VK_ERROR_STORE, "cannot %s the socket '%s': %s", what, path, g_strerror (errno));
}

static gboolean
set_address (struct sockaddr_un *address, const char *path, GError **error)
{
  *address = (struct sockaddr_un) { .sun_family = AF_UNIX };
  if (g_strlcpy (address->sun_path, path, sizeof address->sun_path) < sizeof address->sun_path)
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "the name '%s' is too long for a socket: choose a shorter directory", path);
}

static gboolean
listen_at (int listener, const VkDoorPlace *place, const struct sockaddr_un *address, GError **error)
{
  if (bind (listener, (const struct sockaddr *) address, sizeof *address) < 0 || listen (listener, BACKLOG) < 0)
    return set_socket_error ("make", place->socket, error);
  if (chmod (place->socket, 0600) < 0 || (place->has_owner && chown (place->socket, place->uid, place->gid) < 0))
    return set_socket_error ("give QEMU's user", place->socket, error);
  return TRUE;
}

/* Makes the socket that the server is to take its clients from, with us as the first
 * of them.  Returns: the listening descriptor, or -1. */
static int
make_socket (VkLastingDoor *door, const VkDoorPlace *place, GError **error)
{
  struct sockaddr_un address;
  int listener;

  if (!set_address (&address, place->socket, error))
    return -1;
  listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  door->client = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || door->client < 0)
    set_socket_error ("make", place->socket, error);
  else if (listen_at (listener, place, &address, error))
    {
      if (connect (door->client, (const struct sockaddr *) &address, sizeof address) == 0)
        return listener;
      set_socket_error ("connect to", place->socket, error);
    }
  if (listener >= 0)
    close (listener);
  return -1;
}

/* Starts argv with the socket and waits for nothing. */
static gboolean
launch (VkLastingDoor *door, const VkDoorPlace *place, const char *const *argv, const VkProcessSecrets *secrets, const GArray *held, GError **error)
{
  const char *variables[] = { VK_DOOR_VARIABLE, place->directory, NULL };
  int listener = make_socket (door, place, error);
  VkProcessDetached how = { .listener = listener, .log = place->log, .variables = variables, .secrets = secrets, .held = held };

  gboolean started;

  if (listener < 0)
    {
      if (secrets->fd >= 0)
        close (secrets->fd);
      return FALSE;
    }
  started = vk_process_start_detached (argv, &how, &door->process, error);
  /* From here on the server's own descriptor is the only one: when it ends, so does
   * our connection. */
  close (listener);
  return started;
}

static VkLastingDoor *
door_new (const char *program, const char *name, const VkDoorPlace *place)
{
  VkLastingDoor *door = g_new0 (VkLastingDoor, 1);

  door->program = g_strdup (program);
  door->name = g_strdup (name);
  door->log = g_strdup (place->log);
  door->client = -1;
  return door;
}

VkLastingDoor *
vk_lasting_door_read (const char *const *chain, const GArray *held, const VkDoorPlace *place, GError **error)
{
  static const VkProcessSecrets none = { .fd = -1 };
  g_autoptr (VkLastingDoor) door = door_new ("qemu-nbd", chain[0], place);
  const char *argv[] = { door->program, "--read-only", "--cache=writeback", "--shared=16", "--", NULL, NULL };

  door->description = vk_nbd_describe_chain (chain, NULL, error);
  if (door->description == NULL)
    return NULL;
  argv[G_N_ELEMENTS (argv) - 2] = door->description;
  return launch (door, place, argv, &none, held, error) ? g_steal_pointer (&door) : NULL;
}

VkLastingDoor *
vk_lasting_door_restic (const VkNbdResticFile *file, const char *name, const VkDoorPlace *place, GError **error)
{
  g_autofree char *plugin = vk_nbdkit_find_plugin (error);
  g_autoptr (VkLastingDoor) door = door_new ("nbdkit", name, place);
  g_autofree char *snapshot = g_strconcat ("snapshot=", file->snapshot, NULL);
  g_autofree char *path = g_strconcat ("file=", file->file, NULL);
  g_autofree char *chunk_size = g_strdup_printf ("chunk-size=%" PRIu64, file->chunk_size);
  g_autofree char *key = g_strdup_printf ("master-key=-%d", VK_PROCESS_DETACHED_FD);
  const char *argv[] = { door->program, "--foreground", "--readonly", "--filter=exitlast", plugin, snapshot, path, chunk_size, key, "lock=true", NULL };
  const char *environment[] = { "RESTIC_REPOSITORY", file->repository, NULL };
  VkProcessSecrets secrets = { .environment = environment, .fd = -1, .pass = VK_PASS_SERVER };

  if (plugin == NULL)
    return NULL;
  secrets.fd = vk_nbdkit_put_key (file->master_key, error);
  return secrets.fd >= 0 && launch (door, place, argv, &secrets, NULL, error) ? g_steal_pointer (&door) : NULL;
}

static gboolean
set_door_error (VkLastingDoor *door, const char *otherwise, GError **error)
{
  g_autofree char *text = vk_file_read (door->log, LOG_LIMIT, NULL, NULL);
  g_autofree char *words = NULL;

  /* A server that lets us go has said why, or is about to end: its words are complete
   * when it has ended. */
  g_clear_pointer (&door->nbd, nbd_close);
  words = vk_nbd_server_words (door->program, door->description, text ? text : "");
  return vk_fail (error, VK_ERROR_STORE, "%s does not serve '%s': %s", door->program, door->name, *words ? words : otherwise);
}

static gboolean
connect_client (VkLastingDoor *door, GCancellable *cancellable, GError **error)
{
  int client = door->client;

  door->nbd = nbd_create ();
  /* The descriptor is libnbd's from now on. */
  door->client = -1;
  if (door->nbd == NULL || nbd_aio_connect_socket (door->nbd, client) < 0)
    return set_door_error (door, nbd_get_error (), error);
  while (nbd_aio_is_connecting (door->nbd) == 1)
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (nbd_poll (door->nbd, POLL_MS) < 0)
        return set_door_error (door, nbd_get_error (), error);
    }
  return nbd_aio_is_ready (door->nbd) == 1 ? TRUE : set_door_error (door, nbd_get_error (), error);
}

gboolean
vk_lasting_door_wait (VkLastingDoor *door, guint64 size, GCancellable *cancellable, GError **error)
{
  gint64 served;

  if (!connect_client (door, cancellable, error))
    return FALSE;
  /* It has taken us in, and will end when its last client has gone. */
  vk_process_let_go (&door->process);
  served = nbd_get_size (door->nbd);
  if (served >= 0 && (guint64) served == size)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "'%s' has %" PRId64 " bytes instead of the %" PRIu64 " that the restore point says", door->name, served, size);
}

void
vk_lasting_door_free (VkLastingDoor *door)
{
  if (door == NULL)
    return;
  vk_process_give_up (&door->process);
  if (door->client >= 0)
    close (door->client);
  if (door->nbd != NULL)
    {
      nbd_shutdown (door->nbd, 0);
      nbd_close (door->nbd);
    }
  g_free (door->log);
  g_free (door->description);
  g_free (door->name);
  g_free (door->program);
  g_free (door);
}
