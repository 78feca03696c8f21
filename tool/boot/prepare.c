/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the domain of a boot is made of: doors, overlays, and copies of files. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "boot/start-private.h"
#include "view/qemu-img.h"

/* In the directory of QEMU's user, which is short enough for a socket. */
static char *
socket_path (const VkBootStart *start, const char *target)
{
  g_autofree char *name = g_strconcat (target, ".nbd", NULL);

  return g_build_filename (start->boot->directory, VK_BOOT_QEMU_DIR, name, NULL);
}

static gboolean
open_door (VkBootStart *start, const VkManifestDisk *disk, GError **error)
{
  g_autofree char *socket = socket_path (start, disk->target);
  g_autofree char *log_name = g_strdup_printf ("door-%s.log", disk->target);
  g_autofree char *log = g_build_filename (start->boot->directory, log_name, NULL);
  VkDoorPlace place = {
    .directory = start->boot->directory,
    .socket = socket,
    .log = log,
    .has_owner = start->has_user,
    .uid = start->uid,
    .gid = start->gid,
  };
  VkLastingDoor *door = vk_store_open_lasting (start->store, start->point, disk, &place, error);

  if (door == NULL)
    return FALSE;
  g_ptr_array_add (start->doors, door);
  g_hash_table_insert (start->sockets, g_strdup (disk->target), g_steal_pointer (&socket));
  return TRUE;
}

static gboolean
make_overlay (VkBootStart *start, const VkManifestDisk *disk, GError **error)
{
  g_autofree char *name = g_strconcat (disk->target, ".qcow2", NULL);
  g_autofree char *path = g_build_filename (start->boot->overlays, name, NULL);
  g_autofree char *socket = g_uri_escape_string (g_hash_table_lookup (start->sockets, disk->target), "/", FALSE);
  g_autofree char *uri = g_strconcat ("nbd+unix:///?socket=", socket, NULL);

  if (!vk_qemu_img_create_overlay (path, disk->virtual_size, uri, error))
    return FALSE;
  g_hash_table_insert (start->boot->disks, g_strdup (disk->target), g_steal_pointer (&path));
  return TRUE;
}

static gboolean
copy_file (VkBootStart *start, const VkManifestFile *file, const char *path, GError **error)
{
  if (!vk_store_copy_file (start->store, start->point, file, path, start->cancellable, error))
    return FALSE;
  if (!start->has_user || start->uid == geteuid () || chown (path, start->uid, start->gid) == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "cannot give '%s' to QEMU's user: %s", path, g_strerror (errno));
}

static gboolean
copy_files (VkBootStart *start, GError **error)
{
  const GPtrArray *files = start->point->manifest->files;

  for (guint i = 0; i < files->len; i++)
    {
      const VkManifestFile *file = g_ptr_array_index (files, i);
      gboolean is_nvram = strcmp (file->role, "nvram") == 0;
      gboolean is_needed = is_nvram || file->target != NULL || strcmp (file->role, "kernel") == 0 || strcmp (file->role, "initrd") == 0 || strcmp (file->role, "dtb") == 0;
      g_autofree char *path = is_nvram ? g_strdup (start->boot->nvram) : g_build_filename (start->boot->overlays, file->name, NULL);

      if (!is_needed)
        continue;
      if (!copy_file (start, file, path, error))
        return FALSE;
      if (file->target != NULL)
        g_hash_table_insert (start->copied, g_strdup (file->target), g_steal_pointer (&path));
      else
        g_hash_table_insert (start->files, g_strdup (file->role), g_steal_pointer (&path));
    }
  return TRUE;
}

/* The doors open beside each other. */
gboolean
vk_boot_prepare (VkBootStart *start, GError **error)
{
  const GPtrArray *disks = start->point->manifest->disks;

  for (guint i = 0; i < disks->len; i++)
    if (!open_door (start, g_ptr_array_index (disks, i), error))
      return FALSE;
  for (guint i = 0; i < disks->len; i++)
    if (!make_overlay (start, g_ptr_array_index (disks, i), error))
      return FALSE;
  if (!copy_files (start, error))
    return FALSE;
  for (guint i = 0; i < disks->len; i++)
    if (!vk_lasting_door_wait (g_ptr_array_index (start->doors, i), ((const VkManifestDisk *) g_ptr_array_index (disks, i))->virtual_size, start->cancellable, error))
      return FALSE;
  return TRUE;
}
