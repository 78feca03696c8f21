/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A name, a UUID and directories of the boot's own. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/state.h"
#include "boot/start-private.h"

/* QEMU's user passes through it to its own directory. */
enum { DIRECTORY_MODE = 0711 };

static gboolean
is_taken (VkBootStart *start, const char *name)
{
  g_autoptr (virDomain) domain = virDomainLookupByName (vk_host_connection (start->host), name);
  g_autoptr (VkBoot) boot = domain ? NULL : vk_boot_load_named (start->host, name, NULL);

  return domain != NULL || boot != NULL;
}

/* Returns: (transfer full). */
static char *
choose_name (VkBootStart *start, GError **error)
{
  const char *wanted = start->request->name;
  const char *original = start->point->manifest->domain_name;

  if (wanted != NULL)
    {
      if (!is_taken (start, wanted))
        return g_strdup (wanted);
      vk_fail (error, VK_ERROR_REFUSED, "there is a domain '%s' already, or what is left of a boot of that name: choose another one with --name, or see virt-keep boot --discard", wanted);
      return NULL;
    }
  if (!start->beside && !is_taken (start, original))
    return g_strdup (original);
  for (guint i = 1;; i++)
    {
      g_autofree char *name = i == 1 ? g_strdup_printf ("%s-boot", original) : g_strdup_printf ("%s-boot-%u", original, i);

      if (!is_taken (start, name))
        return g_steal_pointer (&name);
    }
}

static gboolean
give_to_qemu (VkBootStart *start, const char *path, GError **error)
{
  if (!start->has_user || start->uid == geteuid () || chown (path, start->uid, start->gid) == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "QEMU runs as user %u and cannot be given '%s': %s: run virt-keep as root", start->uid, path, g_strerror (errno));
}

/* The directory that QEMU reaches, and the one for the overlays if that is another. */
static gboolean
make_qemu_dirs (VkBootStart *start, GError **error)
{
  g_autofree char *own = g_build_filename (start->boot->directory, VK_BOOT_QEMU_DIR, NULL);
  const char *chosen = start->request->overlay_dir;

  start->boot->overlays = g_strdup (own);
  if (!vk_directory_make (own, 0700, error) || !give_to_qemu (start, own, error))
    return FALSE;
  if (chosen != NULL)
    {
      g_autofree char *parent = g_canonicalize_filename (chosen, NULL);
      char *path = vk_directory_make_private (parent, "virt-keep-boot-", "name another place with --overlay-dir", error);

      if (path == NULL)
        return FALSE;
      g_free (start->boot->overlays);
      start->boot->overlays = path;
    }
  return chosen == NULL || give_to_qemu (start, start->boot->overlays, error);
}

/* Where the firmware variables lay, if that is a directory here, too: they stay there
 * when the boot becomes a domain as any other.  Returns: (transfer full). */
static char *
choose_nvram (VkBootStart *start, GError **error)
{
  const VkManifestFile *file = vk_manifest_find_file (start->point->manifest, "nvram");
  g_autofree char *name = g_strdup_printf ("virt-keep-%s.fd", start->boot->uuid);
  g_autofree char *directory = file->source ? g_path_get_dirname (file->source) : NULL;
  g_autofree char *own = NULL;

  if (directory != NULL && g_path_is_absolute (directory) && access (directory, W_OK | X_OK) == 0)
    return g_build_filename (directory, name, NULL);
  own = vk_state_make_directory ("nvram", DIRECTORY_MODE, error);
  return own != NULL ? g_build_filename (own, name, NULL) : NULL;
}

static gboolean
fill_boot (VkBootStart *start, GError **error)
{
  VkBoot *boot = start->boot;

  boot->name = choose_name (start, error);
  boot->uuid = start->beside ? g_uuid_string_random () : g_strdup (start->point->manifest->domain_uuid);
  boot->point = vk_point_name (start->point);
  boot->store_id = g_strdup (start->store->id);
  boot->uri = vk_host_uri (start->host);
  if (boot->name == NULL)
    return FALSE;
  if (vk_manifest_find_file (start->point->manifest, "nvram") == NULL)
    return TRUE;
  boot->nvram = choose_nvram (start, error);
  return boot->nvram != NULL;
}

static gboolean
make_directories (VkBootStart *start, const char *registry, GError **error)
{
  start->boot->directory = vk_directory_make_private (registry, "", NULL, error);
  if (start->boot->directory == NULL)
    return FALSE;
  start->lock = vk_boot_lock (start->boot->directory, FALSE, error);
  if (start->lock < 0)
    return FALSE;
  if (chmod (start->boot->directory, DIRECTORY_MODE) == 0)
    return make_qemu_dirs (start, error) && vk_boot_save (start->boot, error);
  return vk_fail (error, VK_ERROR_STORE, "cannot change the mode of '%s': %s", start->boot->directory, g_strerror (errno));
}

gboolean
vk_boot_reserve (VkBootStart *start, GError **error)
{
  g_autofree char *registry = vk_boot_registry (error);
  /* Names are chosen by one after the other, and whoever looks for strays finds no
   * directory that is not locked yet. */
  int lock = registry ? vk_boot_lock (registry, TRUE, error) : -1;
  gboolean ok;

  if (lock < 0)
    return FALSE;
  ok = fill_boot (start, error) && make_directories (start, registry, error);
  close (lock);
  return ok;
}
