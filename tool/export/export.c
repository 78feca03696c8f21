/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "export/export.h"

#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "view/nbd-front.h"
#include "view/qemu-img.h"

enum
{
  COMMAND_END_SECONDS = 10,
  POLLS_PER_SECOND = 50,
  SIGNAL_STATUS = 128, /* what a shell adds to the number of a signal */
};

struct VkExport
{
  char *socket_dir;
  char *overlay_dir;   /* or NULL */
  GPtrArray *servers;  /* of VkNbdServer, each before what it stands on */
  GPtrArray *disks;    /* of VkExportedDisk */
  GPtrArray *sockets;  /* of char *: names that were given to sockets */
  gboolean closed;
};

static gboolean
is_wanted (const VkExportRequest *request, const char *target)
{
  return request->disks == NULL || g_strv_contains (request->disks, target);
}

static gboolean
check_disks_exist (const VkPoint *point, const VkExportRequest *request, GError **error)
{
  for (gsize i = 0; request->disks != NULL && request->disks[i] != NULL; i++)
    if (vk_manifest_find_disk (point->manifest, request->disks[i]) == NULL)
      return vk_fail (error, VK_ERROR_NOT_FOUND, "the restore point has no disk '%s': see virt-keep show", request->disks[i]);
  return TRUE;
}

/* The disks that are wanted, in the order of the point.  Returns: (transfer
 * container) of VkManifestDisk. */
static GPtrArray *
choose_disks (const VkPoint *point, const VkExportRequest *request)
{
  GPtrArray *chosen = g_ptr_array_new ();

  for (guint i = 0; i < point->manifest->disks->len; i++)
    {
      VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);

      if (is_wanted (request, disk->target))
        g_ptr_array_add (chosen, disk);
    }
  return chosen;
}

static gboolean
check_ports (const VkExportRequest *request, guint n_disks, GError **error)
{
  if (request->address == NULL || request->port + n_disks - 1 <= G_MAXUINT16)
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "there are no %u ports from %u on: give a lower --port", n_disks, request->port);
}

/* A socket that is given another name has to lie in the same file system. */
static gboolean
make_directories (VkExport *export, const VkExportRequest *request, GError **error)
{
  g_autofree char *parent = request->socket ? g_path_get_dirname (request->socket) : g_strdup ("/var/tmp");

  export->socket_dir = vk_directory_make_private (parent, request->socket ? ".virt-keep-" : "virt-keep-export-", NULL, error);
  if (export->socket_dir == NULL || !request->writable)
    return export->socket_dir != NULL;
  export->overlay_dir = vk_directory_make_private ("/var/tmp", "virt-keep-overlay-", NULL, error);
  return export->overlay_dir != NULL;
}

/* Puts what listens on TCP, speaks TLS or takes writes before the door. */
static gboolean
open_front (VkExport *export, const VkExportRequest *request, const VkManifestDisk *disk, const char *name, GError **error)
{
  g_autofree char *overlay = request->writable ? g_build_filename (export->overlay_dir, disk->target, NULL) : NULL;
  VkNbdFront front = { .overlay = overlay, .address = request->address, .port = request->port + export->disks->len, .tls_dir = request->tls_dir };
  VkNbdServer *server;

  if (overlay == NULL && request->address == NULL)
    return TRUE;
  if (overlay != NULL && !vk_qemu_img_create (overlay, disk->virtual_size, error))
    return FALSE;
  server = vk_nbd_front_open (&front, g_ptr_array_index (export->servers, 0), name, export->socket_dir, error);
  if (server == NULL)
    return FALSE;
  g_ptr_array_insert (export->servers, 0, server);
  return TRUE;
}

static gboolean
publish (VkExport *export, const VkExportRequest *request, const char *target, gboolean several, GError **error)
{
  g_autofree char *path = several ? g_strconcat (request->socket, ".", target, NULL) : g_strdup (request->socket);

  if (!vk_nbd_server_publish (g_ptr_array_index (export->servers, 0), path, error))
    return FALSE;
  g_ptr_array_add (export->sockets, g_steal_pointer (&path));
  return TRUE;
}

static gboolean
open_disk (VkExport *export, VkStore *store, const VkPoint *point, const VkExportRequest *request, const VkManifestDisk *disk, gboolean several, GError **error)
{
  g_autofree char *point_name = vk_point_name (point);
  g_autofree char *name = g_strdup_printf ("%s of %s", disk->target, point_name);
  VkNbdServer *door;
  VkExportedDisk *exported;

  if (request->writable && disk->secret != NULL)
    return vk_fail (error, VK_ERROR_REFUSED, "the disk %s is encrypted, and what is written to it would lie in the clear: leave --writable out, or restore it", disk->target);
  door = vk_store_open_disk (store, point, disk, export->socket_dir, error);
  if (door == NULL)
    return FALSE;
  g_ptr_array_insert (export->servers, 0, door);
  if (!open_front (export, request, disk, name, error)
      || (request->socket != NULL && !publish (export, request, disk->target, several, error)))
    return FALSE;
  exported = g_new0 (VkExportedDisk, 1);
  exported->target = disk->target;
  exported->size = disk->virtual_size;
  exported->uri = vk_nbd_server_uri (g_ptr_array_index (export->servers, 0));
  exported->socket = request->socket ? g_ptr_array_index (export->sockets, export->sockets->len - 1) : NULL;
  g_ptr_array_add (export->disks, exported);
  return TRUE;
}

VkExport *
vk_export_open (VkStore *store, const VkPoint *point, const VkExportRequest *request, GError **error)
{
  g_autoptr (VkExport) export = g_new0 (VkExport, 1);
  g_autoptr (GPtrArray) chosen = NULL;
  gboolean ok;

  export->servers = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_nbd_server_free);
  export->disks = g_ptr_array_new_with_free_func (g_free);
  export->sockets = g_ptr_array_new_with_free_func (g_free);
  if (!check_disks_exist (point, request, error))
    return NULL;
  chosen = choose_disks (point, request);
  if (!check_ports (request, chosen->len, error))
    return NULL;
  ok = make_directories (export, request, error);
  for (guint i = 0; ok && i < chosen->len; i++)
    ok = open_disk (export, store, point, request, g_ptr_array_index (chosen, i), chosen->len > 1, error);
  return ok ? g_steal_pointer (&export) : NULL;
}

const GPtrArray *
vk_export_disks (VkExport *export)
{
  return export->disks;
}

/* --- waiting -------------------------------------------------------------- */

typedef struct
{
  guint pending; /* servers whose end is still waited for */
  gboolean ended;
} Watch;

static void
note_end (GObject *process, GAsyncResult *result, gpointer user_data)
{
  Watch *watch = user_data;

  watch->pending--;
  if (g_subprocess_wait_finish (G_SUBPROCESS (process), result, NULL))
    watch->ended = TRUE;
}

static void
wake_up (GCancellable *cancellable, gpointer user_data)
{
  g_main_context_wakeup (NULL);
}

gboolean
vk_export_wait (VkExport *export, GCancellable *cancellable, GError **error)
{
  g_autoptr (GCancellable) stop = g_cancellable_new ();
  Watch watch = { 0 };
  gulong handler;

  for (guint i = 0; i < export->servers->len; i++)
    {
      g_subprocess_wait_async (vk_nbd_server_process (g_ptr_array_index (export->servers, i)), stop, note_end, &watch);
      watch.pending++;
    }
  handler = g_cancellable_connect (cancellable, G_CALLBACK (wake_up), NULL, NULL);
  while (!watch.ended && !g_cancellable_is_cancelled (cancellable))
    g_main_context_iteration (NULL, TRUE);
  g_cancellable_disconnect (cancellable, handler);
  g_cancellable_cancel (stop);
  while (watch.pending > 0)
    g_main_context_iteration (NULL, TRUE);
  return !watch.ended || vk_export_close (export, error);
}

/* --- the command ---------------------------------------------------------- */

/* Names and values in turn.  Returns: (transfer full), NULL-terminated. */
static GPtrArray *
make_environment (VkExport *export, const char *point_name)
{
  GPtrArray *environment = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (environment, g_strdup ("VIRT_KEEP_POINT"));
  g_ptr_array_add (environment, g_strdup (point_name));
  for (guint i = 0; i < export->disks->len; i++)
    {
      const VkExportedDisk *disk = g_ptr_array_index (export->disks, i);
      g_autofree char *upper = g_ascii_strup (disk->target, -1);

      if (i == 0)
        {
          g_ptr_array_add (environment, g_strdup ("VIRT_KEEP_NBD_URI"));
          g_ptr_array_add (environment, g_strdup (disk->uri));
        }
      g_ptr_array_add (environment, g_strconcat ("VIRT_KEEP_NBD_URI_", upper, NULL));
      g_ptr_array_add (environment, g_strdup (disk->uri));
    }
  g_ptr_array_add (environment, NULL);
  return environment;
}

/* Asks the command to end, and waits for that, or kills it. */
static void
end_command (GSubprocess *process)
{
  g_subprocess_send_signal (process, SIGTERM);
  for (guint i = 0; i < COMMAND_END_SECONDS * POLLS_PER_SECOND && g_subprocess_get_identifier (process) != NULL; i++)
    g_usleep (G_USEC_PER_SEC / POLLS_PER_SECOND);
  g_subprocess_force_exit (process);
  g_subprocess_wait (process, NULL, NULL);
}

gboolean
vk_export_run (VkExport *export, const char *point_name, const char *const *argv, int *status, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) environment = make_environment (export, point_name);
  g_autoptr (GSubprocess) process = vk_process_start_command (argv, (const char *const *) environment->pdata, error);

  if (process == NULL)
    return FALSE;
  if (!g_subprocess_wait (process, cancellable, error))
    {
      end_command (process);
      return FALSE;
    }
  if (g_subprocess_get_if_signaled (process))
    *status = SIGNAL_STATUS + g_subprocess_get_term_sig (process);
  else
    *status = g_subprocess_get_exit_status (process);
  return TRUE;
}

/* --- the end -------------------------------------------------------------- */

gboolean
vk_export_close (VkExport *export, GError **error)
{
  g_autoptr (GError) failure = NULL;

  for (guint i = 0; !export->closed && i < export->servers->len; i++)
    vk_nbd_server_stop (g_ptr_array_index (export->servers, i), failure ? NULL : &failure);
  export->closed = TRUE;
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

void
vk_export_free (VkExport *export)
{
  if (export == NULL)
    return;
  for (guint i = 0; i < export->sockets->len; i++)
    unlink (g_ptr_array_index (export->sockets, i));
  g_ptr_array_unref (export->servers);
  g_ptr_array_unref (export->disks);
  g_ptr_array_unref (export->sockets);
  if (export->socket_dir != NULL)
    vk_tree_remove (export->socket_dir, NULL);
  if (export->overlay_dir != NULL)
    vk_tree_remove (export->overlay_dir, NULL);
  g_free (export->socket_dir);
  g_free (export->overlay_dir);
  g_free (export);
}
