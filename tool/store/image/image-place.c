/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/image/image-place.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/state.h"

enum { DIRECTORY_MODE = 0700, NOTE_LIMIT = 64 << 10, NOTE_VERSION = 1 };

static const char note_format[] = "virt-keep place of a store";
static const char directory_name[] = "stores";

/* Linux says so since 5.8; before, nothing is one. */
static gboolean
is_mount_point (const char *path)
{
  struct statx status;

  return statx (AT_FDCWD, path, 0, 0, &status) == 0 && (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* Where the file system is mounted that path, which exists, lies on.  Returns: (transfer full). */
static char *
find_mount_point (const char *path)
{
  g_autofree char *real = realpath (path, NULL);

  while (real != NULL && strcmp (real, "/") != 0 && !is_mount_point (real))
    {
      char *parent = g_path_get_dirname (real);

      g_free (real);
      real = parent;
    }
  return g_strdup (real != NULL ? real : "/");
}

/* Returns: (transfer full). */
static char *
note_name (const char *path)
{
  g_autoptr (VkDigest) digest = vk_digest_new ();
  g_autofree char *hexadecimal = NULL;

  vk_digest_update (digest, path, strlen (path));
  hexadecimal = vk_digest_finish (digest);
  return g_strconcat (hexadecimal, ".json", NULL);
}

static char *
note_path (const char *path)
{
  g_autofree char *directory = vk_state_path (directory_name);
  g_autofree char *name = note_name (path);

  return g_build_filename (directory, name, NULL);
}

/* What is noted as the mount point of the store in path.  Returns: (transfer full), or NULL: nothing,
 * or nothing that can be read. */
static char *
load_note (const char *path)
{
  g_autofree char *file = note_path (path);
  g_autofree char *text = vk_file_read (file, NOTE_LIMIT, NULL, NULL);
  g_autoptr (JsonObject) object = text ? vk_json_parse (text, file, NULL) : NULL;
  g_autofree char *format = NULL;
  g_autofree char *mount_point = NULL;
  guint64 version;

  if (object != NULL
      && vk_json_get_string (object, "format", "", &format, NULL) && strcmp (format, note_format) == 0
      && vk_json_get_uint64 (object, "version", 0, &version, NULL) && version == NOTE_VERSION
      && vk_json_get_string (object, "mount_point", NULL, &mount_point, NULL))
    return g_steal_pointer (&mount_point);
  return NULL;
}

static gboolean
save_note (const char *path, const char *mount_point, GError **error)
{
  g_autofree char *directory = vk_state_make_directory (directory_name, DIRECTORY_MODE, error);
  g_autofree char *name = note_name (path);
  g_autoptr (JsonObject) object = json_object_new ();

  vk_json_set_string (object, "format", note_format);
  json_object_set_int_member (object, "version", NOTE_VERSION);
  vk_json_set_string (object, "store", path);
  vk_json_set_string (object, "mount_point", mount_point);
  return directory != NULL && vk_state_save (directory, name, object, error);
}

gboolean
vk_image_place_note (const char *path, GError **error)
{
  g_autofree char *mount_point = find_mount_point (path);
  g_autofree char *noted = load_note (path);
  g_autofree char *file = NULL;

  /* JSON has no words for a name that is not UTF-8. */
  if (strcmp (mount_point, "/") != 0 && g_utf8_validate (mount_point, -1, NULL))
    return g_strcmp0 (mount_point, noted) == 0 || save_note (path, mount_point, error);
  if (noted == NULL)
    return TRUE;
  file = note_path (path);
  return vk_tree_remove (file, error);
}

gboolean
vk_image_place_check (const char *path, GError **error)
{
  g_autofree char *mount_point = load_note (path);

  if (mount_point == NULL || is_mount_point (mount_point))
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "the store '%s' is not there: the file system that it lies on is not mounted at '%s': mount it, or make a new store there with virt-keep init", path, mount_point);
}
