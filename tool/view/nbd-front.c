/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "view/nbd-front.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "view/nbd-server-private.h"

enum { MAX_CLIENTS = 16 };

static const char qemu_nbd[] = "qemu-nbd";

/* The disk behind the door, with the overlay on it, for QEMU: nothing is taken
 * from what is written in the overlay. */
static char *
describe (const VkNbdFront *front, VkNbdServer *door)
{
  g_autoptr (JsonObject) node = json_object_new ();
  JsonObject *disk = json_object_new ();
  JsonObject *server = json_object_new ();
  JsonObject *file = json_object_new ();
  g_autofree char *json = NULL;

  json_object_set_string_member (server, "type", "unix");
  json_object_set_string_member (server, "path", vk_nbd_server_socket (door));
  json_object_set_string_member (disk, "driver", "nbd");
  json_object_set_object_member (disk, "server", server);
  if (front->overlay == NULL)
    {
      json_object_unref (file);
      json_object_set_string_member (node, "driver", "raw");
      json_object_set_object_member (node, "file", disk);
    }
  else
    {
      json_object_set_string_member (file, "driver", "file");
      json_object_set_string_member (file, "filename", front->overlay);
      json_object_set_string_member (node, "driver", "qcow2");
      json_object_set_object_member (node, "file", file);
      json_object_set_object_member (node, "backing", disk);
    }
  json = vk_json_to_string (node, FALSE);
  return g_strconcat ("json:", json, NULL);
}

/* QEMU's options end at a comma that is not doubled. */
static char *
double_commas (const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, ",", -1);

  return g_strjoinv (",,", parts);
}

static void
add (GPtrArray *argv, char *option)
{
  g_ptr_array_add (argv, option);
}

/* Where and how it listens.  A client without a certificate of the authority gets
 * nothing: encryption alone would give the disk to anybody who asks. */
static void
add_listening (GPtrArray *argv, const VkNbdFront *front, VkNbdServer *server)
{
  if (front->address == NULL)
    {
      add (argv, g_strconcat ("--socket=", vk_nbd_server_socket (server), NULL));
      return;
    }
  add (argv, g_strconcat ("--bind=", front->address, NULL));
  add (argv, g_strdup_printf ("--port=%u", front->port));
  if (front->tls_dir != NULL)
    {
      g_autofree char *dir = double_commas (front->tls_dir);

      add (argv, g_strdup ("--object"));
      add (argv, g_strdup_printf ("tls-creds-x509,id=tls,endpoint=server,verify-peer=on,dir=%s", dir));
      add (argv, g_strdup ("--tls-creds=tls"));
    }
}

/* Whoever listens everywhere is found under the host's name. */
static char *
network_uri (const VkNbdFront *front)
{
  gboolean everywhere = strcmp (front->address, "0.0.0.0") == 0 || strcmp (front->address, "::") == 0;
  const char *host = everywhere ? g_get_host_name () : front->address;
  gboolean ipv6 = strchr (host, ':') != NULL;

  return g_strdup_printf ("%s://%s%s%s:%u", front->tls_dir ? "nbds" : "nbd", ipv6 ? "[" : "", host, ipv6 ? "]" : "", front->port);
}

VkNbdServer *
vk_nbd_front_open (const VkNbdFront *front, VkNbdServer *door, const char *name, const char *socket_dir, GError **error)
{
  static const VkProcessSecrets none = { .fd = -1 };
  g_autoptr (VkNbdServer) server = vk_nbd_server_prepare (qemu_nbd, name, socket_dir, error);
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);

  if (server == NULL)
    return NULL;
  add (argv, g_strdup (qemu_nbd));
  add (argv, g_strdup ("--persistent"));
  add (argv, g_strdup_printf ("--shared=%d", MAX_CLIENTS));
  add (argv, g_strconcat ("--pid-file=", vk_nbd_server_pid_file (server), NULL));
  add (argv, g_strdup (front->overlay ? "--discard=unmap" : "--read-only"));
  /* An overlay need not outlive a loss of power. */
  add (argv, g_strdup (front->overlay ? "--cache=unsafe" : "--cache=writeback"));
  add_listening (argv, front, server);
  add (argv, g_strdup ("--"));
  add (argv, describe (front, door));
  add (argv, NULL);
  if (front->address != NULL)
    vk_nbd_server_set_uri (server, network_uri (front));
  return vk_nbd_server_launch (server, (const char *const *) argv->pdata, &none, error) ? g_steal_pointer (&server) : NULL;
}

char *
vk_nbd_socket_uri (const char *path)
{
  g_autofree char *escaped = g_uri_escape_string (path, "/", FALSE);

  return g_strdup_printf ("nbd+unix:///?socket=%s", escaped);
}

gboolean
vk_nbd_server_publish (VkNbdServer *server, const char *path, GError **error)
{
  int number;

  if (strlen (path) >= sizeof ((struct sockaddr_un *) NULL)->sun_path)
    return vk_fail (error, VK_ERROR_USAGE, "the name '%s' is too long for a socket: choose a shorter one", path);
  /* link(2) replaces nothing, and what it makes is ready to be connected to. */
  if (link (vk_nbd_server_socket (server), path) == 0)
    {
      vk_nbd_server_set_uri (server, vk_nbd_socket_uri (path));
      return TRUE;
    }
  number = errno;
  if (number == EEXIST)
    vk_fail (error, VK_ERROR_REFUSED, "'%s' exists already and is not overwritten: name another socket, or remove it", path);
  else
    vk_fail (error, VK_ERROR_STORE, "cannot make the socket '%s': %s", path, g_strerror (number));
  return FALSE;
}
