/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the user says about a restore point, in a file of its own: the manifest
 * stays what the backup wrote. */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "store/image/image-layout.h"

static const char annotations_format[] = "virt-keep annotations";
enum { ANNOTATIONS_VERSION = 1, ANNOTATIONS_LIMIT = 65536 };

static gboolean
parse (VkPoint *point, const char *text, const char *name, GError **error)
{
  g_autoptr (JsonObject) object = vk_json_parse (text, name, error);
  g_autofree char *format = NULL;
  g_autofree char *note = NULL;
  guint64 version;

  if (object == NULL
      || !vk_json_get_string (object, "format", "", &format, error)
      || !vk_json_get_uint64 (object, "version", 0, &version, error)
      || !vk_json_get_boolean (object, "protected", FALSE, &point->is_protected, error)
      || !vk_json_get_string (object, "note", NULL, &note, error)
      || (note != NULL && !vk_note_check (note, error)))
    return FALSE;
  if (strcmp (format, annotations_format) != 0 || version != ANNOTATIONS_VERSION)
    {
      g_set_error (error, VK_ERROR, VK_ERROR_STORE, "these are not annotations that virt-keep %s knows", PACKAGE_VERSION);
      return FALSE;
    }
  point->note = g_steal_pointer (&note);
  return TRUE;
}

void
vk_image_read_annotations (VkPoint *point)
{
  g_autofree char *path = g_build_filename (point->location, VK_IMAGE_ANNOTATIONS, NULL);
  g_autoptr (GError) failure = NULL;
  g_autofree char *text = vk_file_read (path, ANNOTATIONS_LIMIT, NULL, &failure);

  if (text == NULL ? g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND) : parse (point, text, path, &failure))
    return;
  /* Nothing is removed that may have been protected. */
  point->is_protected = TRUE;
  point->annotation_damage = strstr (failure->message, path) != NULL ? g_strdup (failure->message) : g_strdup_printf ("%s: %s", path, failure->message);
}

gboolean
vk_image_annotate (VkStore *store, const VkPoint *point, gboolean is_protected, const char *note, GError **error)
{
  g_autoptr (JsonObject) object = json_object_new ();
  g_autofree char *path = g_build_filename (point->location, VK_IMAGE_ANNOTATIONS, NULL);
  g_autofree char *temporary = g_strdup_printf ("%s/" VK_IMAGE_NEW_PREFIX VK_IMAGE_ANNOTATIONS ".%08x", point->location, g_random_int ());
  g_autofree char *manifest = g_build_filename (point->location, VK_IMAGE_MANIFEST, NULL);
  g_autofree char *text = NULL;

  vk_json_set_string (object, "format", annotations_format);
  json_object_set_int_member (object, "version", ANNOTATIONS_VERSION);
  json_object_set_boolean_member (object, "protected", is_protected);
  vk_json_set_string (object, "note", note);
  text = vk_json_to_string (object, TRUE);
  if (!vk_file_write (temporary, text, strlen (text), error))
    return FALSE;
  if (!vk_file_replace (temporary, path, error))
    {
      g_unlink (temporary);
      return FALSE;
    }
  /* A removal hides the point first and looks here then: one of the two of us
   * sees the other. */
  if (g_file_test (manifest, G_FILE_TEST_EXISTS))
    return TRUE;
  g_set_error (error, VK_ERROR, VK_ERROR_NOT_FOUND, "the restore point '%s' is just being removed", point->location);
  return FALSE;
}
