/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nbdkit with the plugin that reads restic repositories. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <libnbd.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "view/nbd-server-private.h"

static const char plugin_name[] = "nbdkit-virt-keep-plugin.so";

/* Of a build that is not installed, the environment says it. */
char *
vk_nbdkit_find_plugin (GError **error)
{
  const char *named = g_getenv ("VIRT_KEEP_NBDKIT_PLUGIN");
  g_autofree char *path = named && *named ? g_strdup (named) : g_build_filename (PKGLIBDIR, plugin_name, NULL);

  if (g_file_test (path, G_FILE_TEST_IS_REGULAR))
    return g_steal_pointer (&path);
  vk_fail (error, VK_ERROR_REFUSED, "'%s' is not there: disks of a restic store are read through it, so build virt-keep with nbdkit's headers (Debian: nbdkit-plugin-dev) and install it", path);
  return NULL;
}

int
vk_nbdkit_put_key (const char *key, GError **error)
{
  gsize length = strlen (key);
  int fd = memfd_create ("key", MFD_CLOEXEC);
  int number;

  if (fd >= 0 && write (fd, key, length) == (ssize_t) length && lseek (fd, 0, SEEK_SET) == 0)
    return fd;
  number = errno;
  if (fd >= 0)
    close (fd);
  vk_fail (error, VK_ERROR_FAILED, "cannot hand the key of the repository to nbdkit: %s", g_strerror (number));
  return -1;
}

/* Waits until nbdkit, which listens, has opened the file, too: it lets a client in. */
static gboolean
wait_for_file (VkNbdServer *server, GError **error)
{
  struct nbd_handle *nbd = nbd_create ();
  gboolean ok = nbd != NULL && nbd_connect_uri (nbd, vk_nbd_server_uri (server)) == 0;

  if (!ok)
    {
      vk_fail (error, VK_ERROR_STORE, "nbdkit does not serve the file: %s", nbd_get_error ());
      vk_nbd_server_explain (server, error);
    }
  else
    nbd_shutdown (nbd, 0);
  nbd_close (nbd);
  return ok;
}

static gboolean
start (VkNbdServer *server, const char *plugin, const VkNbdResticFile *file, GError **error)
{
  g_autofree char *snapshot = g_strconcat ("snapshot=", file->snapshot, NULL);
  g_autofree char *path = g_strconcat ("file=", file->file, NULL);
  g_autofree char *chunk_size = g_strdup_printf ("chunk-size=%" PRIu64, file->chunk_size);
  g_autofree char *key = g_strdup_printf ("master-key=-%d", VK_PROCESS_FD);
  const char *argv[] = { "nbdkit", "--foreground", "--readonly", "--exit-with-parent", "--unix", vk_nbd_server_socket (server),
                         "--pidfile", vk_nbd_server_pid_file (server), plugin, snapshot, path, chunk_size, key, "lock=false", NULL };
  const char *environment[] = { "RESTIC_REPOSITORY", file->repository, NULL };
  VkProcessSecrets secrets = { .environment = environment, .fd = vk_nbdkit_put_key (file->master_key, error), .pass = VK_PASS_SERVER };

  return secrets.fd >= 0 && vk_nbd_server_launch (server, argv, &secrets, error) && wait_for_file (server, error);
}

VkNbdServer *
vk_nbd_server_restic (const VkNbdResticFile *file, const char *name, const char *socket_dir, GError **error)
{
  g_autofree char *plugin = vk_nbdkit_find_plugin (error);
  g_autoptr (VkNbdServer) server = plugin ? vk_nbd_server_prepare ("nbdkit", name, socket_dir, error) : NULL;

  return server != NULL && start (server, plugin, file, error) ? g_steal_pointer (&server) : NULL;
}
