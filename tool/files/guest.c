/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "files/guest-private.h"

#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "export/export.h"

/* What list-filesystems also calls a file system. */
static const char *const no_filesystems[] = { "swap", "unknown", "crypto_LUKS", "LVM2_member", "linux_raid_member", NULL };

/* The lines of "key: value", as "value" by "key" in their order.  Returns: (transfer
 * container) of char * in turn. */
static GPtrArray *
split_pairs (const char *text)
{
  GPtrArray *pairs = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (gsize i = 0; lines[i] != NULL; i++)
    {
      char *colon = strstr (lines[i], ": ");

      if (colon == NULL)
        continue;
      g_ptr_array_add (pairs, g_strndup (lines[i], (gsize) (colon - lines[i])));
      g_ptr_array_add (pairs, g_strdup (colon + 2));
    }
  return pairs;
}

/* --- an operating system -------------------------------------------------- */

typedef struct
{
  const char *place;
  const char *device;
} Mount;

static int
compare_mounts (gconstpointer a, gconstpointer b)
{
  return strcmp (((const Mount *) a)->place, ((const Mount *) b)->place);
}

/* Mounts what belongs to the system on root.  What is not its root may be missing,
 * as after a change that was never tried. */
static gboolean
mount_system (VkGuest *guest, const char *root, GCancellable *cancellable, GError **error)
{
  g_autofree char *answer = vk_fish_ask (guest->fish, cancellable, error, "inspect-get-mountpoints", root, NULL);
  g_autoptr (GPtrArray) pairs = answer ? split_pairs (answer) : NULL;
  g_autoptr (GArray) mounts = g_array_new (FALSE, FALSE, sizeof (Mount));

  if (answer == NULL)
    return FALSE;
  for (guint i = 0; i + 1 < pairs->len; i += 2)
    {
      Mount mount = { .place = g_ptr_array_index (pairs, i), .device = g_ptr_array_index (pairs, i + 1) };

      g_array_append_val (mounts, mount);
    }
  /* A directory before what is mounted in it. */
  g_array_sort (mounts, compare_mounts);
  for (guint i = 0; i < mounts->len; i++)
    {
      const Mount *mount = &g_array_index (mounts, Mount, i);
      g_autoptr (GError) failure = NULL;

      if (vk_fish_do (guest->fish, cancellable, &failure, "mount-ro", mount->device, mount->place, NULL))
        continue;
      if (strcmp (mount->place, "/") == 0 || g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
    }
  return TRUE;
}

/* --- file systems --------------------------------------------------------- */

/* The devices with file systems.  Returns: (transfer full), NULL-terminated, or NULL
 * with *error set. */
static char **
list_filesystems (VkGuest *guest, GCancellable *cancellable, GError **error)
{
  g_autofree char *answer = vk_fish_ask (guest->fish, cancellable, error, "list-filesystems", NULL);
  g_autoptr (GPtrArray) pairs = answer ? split_pairs (answer) : NULL;
  g_autoptr (GPtrArray) devices = g_ptr_array_new_with_free_func (g_free);

  if (answer == NULL)
    return NULL;
  for (guint i = 0; i + 1 < pairs->len; i += 2)
    if (!g_strv_contains (no_filesystems, g_ptr_array_index (pairs, i + 1)))
      g_ptr_array_add (devices, g_strdup (g_ptr_array_index (pairs, i)));
  g_ptr_array_add (devices, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&devices), FALSE);
}

/* The one that the user has named. */
static gboolean
mount_named (VkGuest *guest, const char *name, GCancellable *cancellable, GError **error)
{
  g_auto (GStrv) devices = list_filesystems (guest, cancellable, error);
  g_autofree char *names = devices ? g_strjoinv (", ", devices) : NULL;

  if (devices == NULL)
    return FALSE;
  if (g_strv_contains ((const char *const *) devices, name))
    return vk_fish_do (guest->fish, cancellable, error, "mount-ro", name, "/", NULL);
  return vk_fail (error, VK_ERROR_NOT_FOUND, "there is no file system '%s': there are %s", name, *names ? names : "none");
}

static gboolean
mount_only_filesystem (VkGuest *guest, GCancellable *cancellable, GError **error)
{
  g_auto (GStrv) devices = list_filesystems (guest, cancellable, error);
  g_autofree char *names = devices ? g_strjoinv (", ", devices) : NULL;

  if (devices == NULL)
    return FALSE;
  if (g_strv_length (devices) == 1)
    return vk_fish_do (guest->fish, cancellable, error, "mount-ro", devices[0], "/", NULL);
  if (devices[0] == NULL)
    vk_fail (error, VK_ERROR_REFUSED, "libguestfs finds no file system on what was opened: is it encrypted, or empty?");
  else
    vk_fail (error, VK_ERROR_REFUSED, "there is no operating system and more than one file system: name one with --filesystem, of %s", names);
  return FALSE;
}

static gboolean
mount_found (VkGuest *guest, GCancellable *cancellable, GError **error)
{
  g_autofree char *answer = vk_fish_ask (guest->fish, cancellable, error, "inspect-os", NULL);
  g_auto (GStrv) roots = NULL;
  g_autofree char *names = NULL;

  if (answer == NULL)
    return FALSE;
  roots = g_strsplit (g_strstrip (answer), "\n", -1);
  if (roots[0] == NULL || *roots[0] == '\0')
    return mount_only_filesystem (guest, cancellable, error);
  if (roots[1] == NULL)
    return mount_system (guest, roots[0], cancellable, error);
  names = g_strjoinv (", ", roots);
  return vk_fail (error, VK_ERROR_REFUSED, "there is more than one operating system: name a file system with --filesystem, of %s", names);
}

/* --- opening -------------------------------------------------------------- */

/* The paths of the private sockets behind the URIs.  Returns: (transfer full). */
static char **
socket_paths (VkExport *export)
{
  const GPtrArray *disks = vk_export_disks (export);
  GPtrArray *paths = g_ptr_array_new ();

  for (guint i = 0; i < disks->len; i++)
    g_ptr_array_add (paths, g_strdup (((const VkExportedDisk *) g_ptr_array_index (disks, i))->socket));
  g_ptr_array_add (paths, NULL);
  return (char **) g_ptr_array_free (paths, FALSE);
}

static gboolean
open_and_mount (VkGuest *guest, VkStore *store, const VkPoint *point, const char *disk, const char *filesystem, GCancellable *cancellable, GError **error)
{
  const char *disks[] = { disk, NULL };
  g_autofree char *socket = g_build_filename (guest->directory, "disk", NULL);
  VkExportRequest request = { .disks = disk ? disks : NULL, .socket = socket };
  g_auto (GStrv) sockets = NULL;

  guest->export = vk_export_open (store, point, &request, error);
  if (guest->export == NULL)
    return FALSE;
  sockets = socket_paths (guest->export);
  guest->fish = vk_fish_start ((const char *const *) sockets, cancellable, error);
  if (guest->fish == NULL)
    return FALSE;
  if (filesystem != NULL)
    return mount_named (guest, filesystem, cancellable, error);
  return mount_found (guest, cancellable, error);
}

VkGuest *
vk_guest_open (VkStore *store, const VkPoint *point, const char *disk, const char *filesystem, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkGuest) guest = g_new0 (VkGuest, 1);

  guest->directory = vk_directory_make_private ("/var/tmp", "virt-keep-files-", NULL, error);
  if (guest->directory == NULL)
    return NULL;
  return open_and_mount (guest, store, point, disk, filesystem, cancellable, error) ? g_steal_pointer (&guest) : NULL;
}

void
vk_guest_free (VkGuest *guest)
{
  if (guest == NULL)
    return;
  vk_fish_free (guest->fish);
  vk_export_free (guest->export);
  if (guest->directory != NULL)
    vk_tree_remove (guest->directory, NULL);
  g_free (guest->directory);
  g_free (guest);
}
