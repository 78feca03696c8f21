/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/freeze-marker.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/state.h"
#include "host/freeze.h"

enum { DIRECTORY_MODE = 0700, MARKER_LIMIT = 64 << 10, MARKER_VERSION = 1 };

static const char marker_format[] = "virt-keep frozen guest";
static const char directory_name[] = "frozen";

void
vk_freeze_marker_free (VkFreezeMarker *marker)
{
  g_free (marker->path);
  g_free (marker->uuid);
  g_free (marker->name);
  g_free (marker->uri);
  g_free (marker->time);
  g_free (marker->process);
  g_free (marker);
}

static gboolean
save (const VkFreezeMarker *marker, GError **error)
{
  g_autofree char *directory = vk_state_make_directory (directory_name, DIRECTORY_MODE, error);
  g_autofree char *name = g_path_get_basename (marker->path);
  g_autoptr (JsonObject) object = json_object_new ();

  vk_json_set_string (object, "format", marker_format);
  json_object_set_int_member (object, "version", MARKER_VERSION);
  vk_json_set_string (object, "uuid", marker->uuid);
  vk_json_set_string (object, "name", marker->name);
  vk_json_set_string (object, "uri", marker->uri);
  vk_json_set_string (object, "time", marker->time);
  vk_json_set_string (object, "process", marker->process);
  return directory != NULL && vk_state_save (directory, name, object, error);
}

VkFreezeMarker *
vk_freeze_marker_new (VkHost *host, virDomainPtr domain, GError **error)
{
  g_autoptr (VkFreezeMarker) marker = g_new0 (VkFreezeMarker, 1);
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *directory = vk_state_path (directory_name);
  g_autofree char *file = NULL;
  char uuid[VIR_UUID_STRING_BUFLEN] = "";

  virDomainGetUUIDString (domain, uuid);
  file = g_strdup_printf ("%s-%d.json", uuid, (int) getpid ());
  marker->path = g_build_filename (directory, file, NULL);
  marker->uuid = g_strdup (uuid);
  marker->name = g_strdup (virDomainGetName (domain));
  marker->uri = vk_host_uri (host);
  marker->time = g_date_time_format (now, "%Y-%m-%dT%H:%M:%S.%fZ");
  marker->process = vk_process_identity ();
  return save (marker, error) ? g_steal_pointer (&marker) : NULL;
}

gboolean
vk_freeze_marker_remove (const VkFreezeMarker *marker, GError **error)
{
  return vk_tree_remove (marker->path, error);
}

gboolean
vk_freeze_marker_is_in_use (const VkFreezeMarker *marker)
{
  return vk_process_lives (marker->process);
}

gboolean
vk_freeze_marker_is_ours (const VkFreezeMarker *marker)
{
  g_autofree char *process = vk_process_identity ();

  return g_strcmp0 (marker->process, process) == 0;
}

static gboolean
parse (VkFreezeMarker *marker, const char *text, GError **error)
{
  g_autoptr (JsonObject) object = vk_json_parse (text, marker->path, error);
  g_autofree char *format = NULL;
  guint64 version;

  if (object == NULL
      || !vk_json_get_string (object, "format", "", &format, error)
      || !vk_json_get_uint64 (object, "version", 0, &version, error)
      || !vk_json_get_string (object, "uuid", NULL, &marker->uuid, error)
      || !vk_json_get_string (object, "name", "", &marker->name, error)
      || !vk_json_get_string (object, "uri", "", &marker->uri, error)
      || !vk_json_get_string (object, "time", "", &marker->time, error)
      || !vk_json_get_string (object, "process", "", &marker->process, error))
    return FALSE;
  if (strcmp (format, marker_format) == 0 && version == MARKER_VERSION && marker->uuid != NULL)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "'%s' is not the note of a frozen guest that virt-keep %s knows: thaw the guest with virsh domfsthaw, and remove the file", marker->path, PACKAGE_VERSION);
}

/* Adds the marker when it is about what was asked for.  One that has gone meanwhile is
 * none. */
static gboolean
add (GPtrArray *found, const char *path, const char *uri, const char *uuid, GError **error)
{
  g_autoptr (VkFreezeMarker) marker = g_new0 (VkFreezeMarker, 1);
  g_autoptr (GError) failure = NULL;
  g_autofree char *text = vk_file_read (path, MARKER_LIMIT, NULL, &failure);

  marker->path = g_strdup (path);
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    return TRUE;
  if (text == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (!parse (marker, text, error))
    return FALSE;
  if (strcmp (marker->uri, uri) == 0 && (uuid == NULL || strcmp (marker->uuid, uuid) == 0))
    g_ptr_array_add (found, g_steal_pointer (&marker));
  return TRUE;
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(VkFreezeMarker *const *) a)->time, (*(VkFreezeMarker *const *) b)->time);
}

GPtrArray *
vk_freeze_marker_list (VkHost *host, const char *uuid, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_freeze_marker_free);
  g_autofree char *path = vk_state_path (directory_name);
  g_autofree char *uri = vk_host_uri (host);
  g_autoptr (GError) failure = NULL;
  g_autoptr (GDir) directory = g_dir_open (path, 0, &failure);
  const char *name;

  if (directory == NULL && !g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    {
      vk_fail (error, VK_ERROR_STORE, "cannot read '%s': %s", path, failure->message);
      return NULL;
    }
  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      /* What begins with a dot was not finished, and its guest not frozen. */
      if (*name != '.' && !add (found, file, uri, uuid, error))
        return NULL;
    }
  g_ptr_array_sort (found, compare_times);
  return g_steal_pointer (&found);
}

gboolean
vk_freeze_marker_thaw (VkHost *host, const VkFreezeMarker *marker, guint *filesystems, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (virDomain) domain = vk_host_find_domain (host, marker->uuid, &failure);

  *filesystems = 0;
  if (domain == NULL && !g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (domain != NULL && !vk_thaw (domain, filesystems, error))
    return FALSE;
  return vk_freeze_marker_remove (marker, error);
}
