/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The directories of boots, and what stands in them. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/state.h"
#include "boot/boot-private.h"

/* QEMU's user passes through. */
enum { REGISTRY_MODE = 0711, STATE_LIMIT = 1 << 20, STATE_VERSION = 1 };

static const char state_format[] = "virt-keep boot";

char *
vk_boot_registry (GError **error)
{
  return vk_state_make_directory ("boots", REGISTRY_MODE, error);
}

int
vk_boot_lock (const char *directory, gboolean wait, GError **error)
{
  int fd = open (directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int number;

  if (fd >= 0 && flock (fd, LOCK_EX | (wait ? 0 : LOCK_NB)) == 0)
    return fd;
  number = errno;
  if (fd >= 0)
    close (fd);
  if (fd >= 0 && number == EWOULDBLOCK)
    vk_fail (error, VK_ERROR_BUSY, "another virt-keep is at work on '%s': wait for it", directory);
  else
    vk_fail (error, number == ENOENT ? VK_ERROR_NOT_FOUND : VK_ERROR_STORE, "cannot lock '%s': %s", directory, g_strerror (number));
  return -1;
}

gboolean
vk_boot_save (const VkBoot *boot, GError **error)
{
  g_autoptr (JsonObject) object = json_object_new ();

  vk_json_set_string (object, "format", state_format);
  json_object_set_int_member (object, "version", STATE_VERSION);
  vk_json_set_string (object, "name", boot->name);
  vk_json_set_string (object, "uuid", boot->uuid);
  vk_json_set_string (object, "uri", boot->uri);
  vk_json_set_string (object, "point", boot->point);
  vk_json_set_string (object, "store", boot->store_id);
  vk_json_set_string (object, "overlays", boot->overlays);
  vk_json_set_string (object, "nvram", boot->nvram);
  vk_json_set_string (object, "finishing", boot->finishing);
  return vk_state_save (boot->directory, "boot.json", object, error);
}

static gboolean
parse (VkBoot *boot, const char *text, const char *path, GError **error)
{
  g_autoptr (JsonObject) object = vk_json_parse (text, path, error);
  g_autofree char *format = NULL;
  guint64 version;

  if (object == NULL
      || !vk_json_get_string (object, "format", "", &format, error)
      || !vk_json_get_uint64 (object, "version", 0, &version, error)
      || !vk_json_get_string (object, "name", NULL, &boot->name, error)
      || !vk_json_get_string (object, "uuid", NULL, &boot->uuid, error)
      || !vk_json_get_string (object, "uri", "", &boot->uri, error)
      || !vk_json_get_string (object, "point", "", &boot->point, error)
      || !vk_json_get_string (object, "store", "", &boot->store_id, error)
      || !vk_json_get_string (object, "overlays", NULL, &boot->overlays, error)
      || !vk_json_get_string (object, "nvram", NULL, &boot->nvram, error)
      || !vk_json_get_string (object, "finishing", NULL, &boot->finishing, error))
    return FALSE;
  if (strcmp (format, state_format) == 0 && version == STATE_VERSION && boot->name != NULL && boot->uuid != NULL
      && boot->overlays != NULL && g_path_is_absolute (boot->overlays) && (boot->nvram == NULL || g_path_is_absolute (boot->nvram)))
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "'%s' is not the description of a boot that virt-keep %s knows", path, PACKAGE_VERSION);
}

VkBoot *
vk_boot_load (const char *directory, GError **error)
{
  g_autofree char *path = g_build_filename (directory, "boot.json", NULL);
  g_autofree char *text = vk_file_read (path, STATE_LIMIT, NULL, error);
  g_autoptr (VkBoot) boot = NULL;

  if (text == NULL)
    return NULL;
  boot = g_new0 (VkBoot, 1);
  boot->directory = g_strdup (directory);
  boot->disks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  boot->warnings = g_ptr_array_new_with_free_func (g_free);
  return parse (boot, text, path, error) ? g_steal_pointer (&boot) : NULL;
}

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

GPtrArray *
vk_boot_directories (GError **error)
{
  g_autofree char *registry = vk_boot_registry (error);
  g_autoptr (GDir) directory = registry ? g_dir_open (registry, 0, NULL) : NULL;
  GPtrArray *found;
  const char *name;

  if (registry == NULL)
    return NULL;
  found = g_ptr_array_new_with_free_func (g_free);
  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL)
    g_ptr_array_add (found, g_build_filename (registry, name, NULL));
  g_ptr_array_sort (found, compare_paths);
  return found;
}

VkBoot *
vk_boot_load_named (VkHost *host, const char *name, GError **error)
{
  g_autoptr (GPtrArray) directories = vk_boot_directories (error);
  g_autofree char *uri = vk_host_uri (host);

  for (guint i = 0; directories != NULL && i < directories->len; i++)
    {
      /* One without a description is of a boot that never came to life. */
      g_autoptr (VkBoot) boot = vk_boot_load (g_ptr_array_index (directories, i), NULL);

      if (boot != NULL && strcmp (boot->uri, uri) == 0 && (strcmp (boot->name, name) == 0 || strcmp (boot->uuid, name) == 0))
        return g_steal_pointer (&boot);
    }
  return NULL;
}
