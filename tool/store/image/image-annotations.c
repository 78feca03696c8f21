/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the user and prove say about a restore point, in a file of its own: the
 * manifest stays what the backup wrote. */
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
  g_autoptr (VkVerdict) verdict = NULL;
  JsonObject *member;
  g_autofree char *format = NULL;
  g_autofree char *note = NULL;
  guint64 version;

  if (object == NULL
      || !vk_json_get_string (object, "format", "", &format, error)
      || !vk_json_get_uint64 (object, "version", 0, &version, error)
      || !vk_json_get_boolean (object, "protected", FALSE, &point->is_protected, error)
      || !vk_json_get_string (object, "note", NULL, &note, error)
      || !vk_json_get_object (object, "verdict", &member, error)
      || (member != NULL && (verdict = vk_verdict_from_json (member, error)) == NULL)
      || (note != NULL && !vk_note_check (note, error)))
    return FALSE;
  if (strcmp (format, annotations_format) != 0 || version != ANNOTATIONS_VERSION)
    return vk_fail (error, VK_ERROR_STORE, "these are not annotations that virt-keep %s knows", PACKAGE_VERSION);
  point->note = g_steal_pointer (&note);
  point->verdict = g_steal_pointer (&verdict);
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

/* Puts the file name into the point, in the place of one that is there. */
static gboolean
replace_file (const VkPoint *point, const char *name, const void *data, gsize length, GError **error)
{
  g_autofree char *path = g_build_filename (point->location, name, NULL);
  g_autofree char *temporary = g_strdup_printf ("%s/" VK_IMAGE_NEW_PREFIX "%s.%08x", point->location, name, g_random_int ());

  if (!vk_file_write (temporary, data, length, error))
    return FALSE;
  if (vk_file_replace (temporary, path, error))
    return TRUE;
  g_unlink (temporary);
  return FALSE;
}

static gboolean
write_annotations (const VkPoint *point, gboolean is_protected, const char *note, const VkVerdict *verdict, GError **error)
{
  g_autoptr (JsonObject) object = json_object_new ();
  g_autofree char *manifest = g_build_filename (point->location, VK_IMAGE_MANIFEST, NULL);
  g_autofree char *text = NULL;

  vk_json_set_string (object, "format", annotations_format);
  json_object_set_int_member (object, "version", ANNOTATIONS_VERSION);
  json_object_set_boolean_member (object, "protected", is_protected);
  vk_json_set_string (object, "note", note);
  if (verdict != NULL)
    json_object_set_object_member (object, "verdict", vk_verdict_to_json (verdict));
  text = vk_json_to_string (object, TRUE);
  if (!replace_file (point, VK_IMAGE_ANNOTATIONS, text, strlen (text), error))
    return FALSE;
  /* A removal hides the point first and looks here then: one of the two of us
   * sees the other. */
  if (g_file_test (manifest, G_FILE_TEST_EXISTS))
    return TRUE;
  return vk_fail (error, VK_ERROR_NOT_FOUND, "the restore point '%s' is just being removed", point->location);
}

/* The annotations as they are now: point may have been read long ago.  Returns:
 * (transfer full). */
static VkPoint *
read_again (const VkPoint *point)
{
  VkPoint *now = g_new0 (VkPoint, 1);

  now->location = g_strdup (point->location);
  vk_image_read_annotations (now);
  return now;
}

gboolean
vk_image_annotate (VkStore *store, const VkPoint *point, gboolean is_protected, const char *note, GError **error)
{
  g_autoptr (VkPoint) now = read_again (point);

  return write_annotations (point, is_protected, note, now->verdict, error);
}

gboolean
vk_image_record_verdict (VkStore *store, const VkPoint *point, const VkVerdict *verdict, GBytes *screenshot, GError **error)
{
  g_autoptr (VkPoint) now = read_again (point);
  g_autofree char *path = g_build_filename (point->location, VK_IMAGE_SCREENSHOT, NULL);

  if (now->annotation_damage != NULL)
    {
      g_set_error_literal (error, VK_ERROR, VK_ERROR_STORE, now->annotation_damage);
      return FALSE;
    }
  /* One of an earlier verdict must not stand beside this one. */
  g_unlink (path);
  return (screenshot == NULL || replace_file (point, VK_IMAGE_SCREENSHOT, g_bytes_get_data (screenshot, NULL), g_bytes_get_size (screenshot), error))
      && write_annotations (point, now->is_protected, now->note, verdict, error);
}
