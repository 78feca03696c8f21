/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/image/image-layout.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"

/* A file name may have 255 bytes; this leaves room for the UUID. */
enum { NAME_BYTES = 200 };

char *
vk_image_domain_directory_name (const char *name, const char *uuid)
{
  GString *out = g_string_new (NULL);

  for (const char *c = name; *c != '\0' && out->len < NAME_BYTES; c++)
    {
      if ((guchar) *c < 0x20 || *c == 0x7f || *c == '/' || *c == '%' || (*c == '.' && c == name))
        g_string_append_printf (out, "%%%02X", (guchar) *c);
      else
        g_string_append_c (out, *c);
    }
  g_string_append_printf (out, ".%s", uuid);
  return g_string_free (out, FALSE);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GPtrArray *
vk_image_directory_names (const char *path, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GDir) directory = g_dir_open (path, 0, &failure);
  GPtrArray *names;
  const char *name;

  if (directory == NULL)
    {
      vk_fail (error, VK_ERROR_STORE, "cannot read the directory '%s': %s", path, failure->message);
      return NULL;
    }
  names = g_ptr_array_new_with_free_func (g_free);
  while ((name = g_dir_read_name (directory)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  return names;
}

char *
vk_image_find_domain_directory (const VkImageStore *store, const char *uuid, GError **error)
{
  g_autoptr (GPtrArray) names = vk_image_directory_names (store->path, error);
  g_autofree char *suffix = g_strdup_printf (".%s", uuid);

  for (guint i = 0; names != NULL && i < names->len; i++)
    if (g_str_has_suffix (g_ptr_array_index (names, i), suffix))
      {
        g_autofree char *path = g_build_filename (store->path, g_ptr_array_index (names, i), NULL);

        if (vk_image_is_directory (path))
          return g_steal_pointer (&path);
        vk_fail (error, VK_ERROR_STORE, "'%s' is not a directory, and links are not followed in a store: move it out of the way", path);
        return NULL;
      }
  return NULL;
}

char *
vk_image_lock_directory (VkStore *store, const char *domain_name, const char *domain_uuid, GError **error)
{
  const VkImageStore *image = (const VkImageStore *) store;
  g_autoptr (GError) failure = NULL;
  char *directory = vk_image_find_domain_directory (image, domain_uuid, &failure);
  g_autofree char *name = NULL;

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  if (directory != NULL)
    return directory;
  name = vk_image_domain_directory_name (domain_name, domain_uuid);
  return g_build_filename (image->path, name, NULL);
}

gboolean
vk_image_is_point_name (const char *name)
{
  static const char form[] = "ddddddddTddddddZ";

  if (strlen (name) != strlen (form))
    return FALSE;
  for (gsize i = 0; form[i] != '\0'; i++)
    if (form[i] == 'd' ? !g_ascii_isdigit (name[i]) : name[i] != form[i])
      return FALSE;
  return TRUE;
}

gboolean
vk_image_is_directory (const char *path)
{
  GStatBuf status;

  return g_lstat (path, &status) == 0 && S_ISDIR (status.st_mode);
}
