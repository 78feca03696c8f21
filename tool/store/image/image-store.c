/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/image/image-store.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "store/image/image-layout.h"

static const char store_file_name[] = "virt-keep-store.json";
static const char store_format[] = "virt-keep image store";
enum { STORE_VERSION = 1, STORE_FILE_LIMIT = 65536 };

/* A domain's directory is called NAME.UUID. */
static char *
uuid_of_directory (const char *domain_directory)
{
  const char *dot = strrchr (domain_directory, '.');

  return g_strdup (dot ? dot + 1 : domain_directory);
}

VkPoint *
vk_image_read_point (const char *domain_directory, const char *id)
{
  g_autofree char *directory = g_build_filename (domain_directory, id, NULL);
  g_autofree char *path = g_build_filename (directory, VK_IMAGE_MANIFEST, NULL);
  g_autoptr (GError) failure = NULL;
  g_autofree char *text = vk_file_read (path, VK_MANIFEST_LIMIT, NULL, &failure);
  VkPoint *point = g_new0 (VkPoint, 1);

  point->location = g_strdup (directory);
  point->id = g_strdup (id);
  if (text != NULL)
    point->manifest = vk_manifest_parse (text, path, &failure);
  point->domain = point->manifest ? g_strdup (point->manifest->domain_name) : uuid_of_directory (domain_directory);
  if (point->manifest == NULL)
    point->damage = g_strdup (failure->message);
  else if (strcmp (point->manifest->id, id) != 0)
    point->damage = g_strdup_printf ("%s: it says that it is the point %s: was the directory renamed?", path, point->manifest->id);
  for (guint i = 0; point->damage == NULL && i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      g_autofree char *image = g_build_filename (directory, disk->image, NULL);
      GStatBuf status;

      if (g_lstat (image, &status) < 0)
        point->damage = g_strdup_printf ("the image '%s' is missing", image);
      else if (!S_ISREG (status.st_mode) || (guint64) status.st_size != disk->size)
        point->damage = g_strdup_printf ("the image '%s' is not the file of %" G_GUINT64_FORMAT " bytes that was stored", image, disk->size);
    }
  return point;
}

/* Symbolic links are none: what they lead to is not the store's. */
static gboolean
is_directory (const char *path)
{
  GStatBuf status;

  return g_lstat (path, &status) == 0 && S_ISDIR (status.st_mode);
}

static gboolean
is_of_domain (const VkPoint *point, const char *domain_directory, const char *domain)
{
  g_autofree char *suffix = g_strdup_printf (".%s", domain);

  if (domain == NULL || g_str_has_suffix (domain_directory, suffix))
    return TRUE;
  if (point->manifest != NULL)
    return strcmp (point->manifest->domain_name, domain) == 0;
  /* Without a manifest the directory's name is all there is to go by. */
  return g_str_has_prefix (domain_directory, domain) && strlen (domain_directory) == strlen (domain) + 37;
}

/* A point that builds on a missing or damaged one is damaged, too.  points
 * from the index first on are those of the same domain, oldest first, so that
 * damage is handed on along the chain. */
static void
check_base (const GPtrArray *points, guint first, VkPoint *point)
{
  for (guint i = 0; point->damage == NULL && i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      const VkPoint *base = NULL;

      if (disk->base == NULL)
        continue;
      for (guint k = first; base == NULL && k < points->len; k++)
        if (strcmp (((VkPoint *) g_ptr_array_index (points, k))->id, disk->base) == 0)
          base = g_ptr_array_index (points, k);
      if (base == NULL)
        point->damage = g_strdup_printf ("the restore point %s, on which it builds, is missing", disk->base);
      else if (base->damage != NULL)
        point->damage = g_strdup_printf ("the restore point %s, on which it builds, is damaged", disk->base);
      else if (vk_manifest_find_disk (base->manifest, disk->target) == NULL)
        point->damage = g_strdup_printf ("the restore point %s, on which it builds, has no disk '%s'", disk->base, disk->target);
    }
}

static gboolean
list_domain (const VkImageStore *store, const char *domain_directory, const char *domain, GPtrArray *points, GError **error)
{
  g_autofree char *path = g_build_filename (store->path, domain_directory, NULL);
  g_autoptr (GPtrArray) names = vk_image_directory_names (path, error);
  guint first = points->len;

  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *directory = g_build_filename (path, name, NULL);
      g_autoptr (VkPoint) point = NULL;

      if (!vk_image_is_point_name (name) || !is_directory (directory))
        continue;
      point = vk_image_read_point (path, name);
      if (!is_of_domain (point, domain_directory, domain))
        continue;
      check_base (points, first, point);
      g_ptr_array_add (points, g_steal_pointer (&point));
    }
  return TRUE;
}

static GPtrArray *
image_list (VkStore *base, const char *domain, GError **error)
{
  const VkImageStore *store = (const VkImageStore *) base;
  g_autoptr (GPtrArray) names = vk_image_directory_names (store->path, error);
  g_autoptr (GPtrArray) points = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_point_free);

  if (names == NULL)
    return NULL;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *path = g_build_filename (store->path, name, NULL);

      if (is_directory (path) && *name != '.' && strcmp (name, "lost+found") != 0
          && !list_domain (store, name, domain, points, error))
        return NULL;
    }
  return g_steal_pointer (&points);
}

static VkPointWriter *
image_begin_point (VkStore *base, const char *domain_name, const char *domain_uuid, GError **error)
{
  return vk_image_writer_new ((VkImageStore *) base, domain_name, domain_uuid, error);
}

static VkNbdServer *
image_open_disk (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, const char *socket_dir, GError **error)
{
  g_autoptr (GPtrArray) chain = vk_image_chain (point, disk->target, NULL, error);

  return chain ? vk_nbd_server_read ((const char *const *) chain->pdata, socket_dir, error) : NULL;
}

static gboolean
image_check_disk (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GPtrArray) chain = vk_image_chain (point, disk->target, &points, error);

  for (guint i = 0; chain != NULL && i < points->len; i++)
    {
      const VkPoint *layer = g_ptr_array_index (points, i);
      g_autofree char *found = vk_file_sha256 (g_ptr_array_index (chain, i), NULL, cancellable, error);

      if (found == NULL)
        return FALSE;
      if (strcmp (found, vk_manifest_find_disk (layer->manifest, disk->target)->sha256) != 0)
        {
          g_set_error (error, VK_ERROR, VK_ERROR_STORE, "the image '%s' is damaged: its SHA-256 is not the one in the manifest", (char *) g_ptr_array_index (chain, i));
          return FALSE;
        }
    }
  return chain != NULL;
}

static char *
image_file_path (VkStore *base, const VkPoint *point, const VkManifestFile *file)
{
  return g_build_filename (point->location, file->name, NULL);
}

static void
image_free (VkStore *base)
{
  VkImageStore *store = (VkImageStore *) base;

  g_free (store->base.url);
  g_free (store->base.id);
  g_free (store->path);
  g_free (store);
}

static const VkStoreOps image_ops = {
  .list = image_list,
  .begin_point = image_begin_point,
  .open_disk = image_open_disk,
  .verify = vk_image_verify,
  .check_disk = image_check_disk,
  .file_path = image_file_path,
  .free = image_free,
};

/* Refuses a directory that somebody uses for something else. */
static gboolean
check_is_empty (const char *path, GError **error)
{
  g_autoptr (GPtrArray) names = vk_image_directory_names (path, error);

  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      if (strcmp (name, "lost+found") != 0 && !g_str_has_prefix (name, store_file_name))
        {
          g_set_error (error, VK_ERROR, VK_ERROR_REFUSED, "'%s' is neither empty nor a virt-keep store: name a new or an empty directory with --store", path);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
create_store (const char *path, const char *store_file, GError **error)
{
  g_autoptr (JsonObject) object = json_object_new ();
  g_autofree char *id = g_strdup_printf ("%08x", g_random_int ());
  g_autofree char *temporary = g_strdup_printf ("%s.%s", store_file, id);
  g_autofree char *text = NULL;
  g_autoptr (GError) failure = NULL;

  if (!vk_directory_make (path, VK_IMAGE_DIRECTORY_MODE, error) || !check_is_empty (path, error))
    return FALSE;
  vk_json_set_string (object, "format", store_format);
  json_object_set_int_member (object, "version", STORE_VERSION);
  vk_json_set_string (object, "id", id);
  text = vk_json_to_string (object, TRUE);
  if (!vk_file_write (temporary, text, strlen (text), error))
    return FALSE;
  if (vk_file_rename (temporary, store_file, &failure))
    return TRUE;
  unlink (temporary);
  /* Two first backups at once: the other one's store is as good. */
  if (g_file_test (store_file, G_FILE_TEST_EXISTS))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
parse_store_file (VkImageStore *store, const char *text, const char *name, GError **error)
{
  g_autoptr (JsonObject) object = vk_json_parse (text, name, error);
  g_autofree char *format = NULL;
  guint64 version;

  if (object == NULL
      || !vk_json_get_string (object, "format", "", &format, error)
      || !vk_json_get_uint64 (object, "version", 0, &version, error)
      || !vk_json_get_string (object, "id", "", &store->base.id, error))
    return FALSE;
  if (strcmp (format, store_format) == 0 && version == STORE_VERSION
      && strlen (store->base.id) == 8 && strspn (store->base.id, "0123456789abcdef") == 8)
    return TRUE;
  g_set_error (error, VK_ERROR, VK_ERROR_STORE, "'%s' is not the description of an image store that virt-keep %s knows", name, PACKAGE_VERSION);
  return FALSE;
}

VkStore *
vk_image_store_open (const char *path, gboolean create, GError **error)
{
  VkImageStore *store = g_new0 (VkImageStore, 1);
  g_autoptr (VkStore) base = &store->base;
  g_autofree char *store_file = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GError) failure = NULL;

  store->base.ops = &image_ops;
  store->path = g_canonicalize_filename (path, NULL);
  store->base.url = g_strdup (store->path);
  store_file = g_build_filename (store->path, store_file_name, NULL);
  if (create && !g_file_test (store_file, G_FILE_TEST_EXISTS) && !create_store (store->path, store_file, error))
    return NULL;
  text = vk_file_read (store_file, STORE_FILE_LIMIT, NULL, &failure);
  if (text == NULL && g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    g_set_error (error, VK_ERROR, VK_ERROR_NOT_FOUND, "'%s' is not a virt-keep store (it has no %s); the first backup makes one", store->path, store_file_name);
  else if (text == NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  if (text == NULL || !parse_store_file (store, text, store_file, error))
    return NULL;
  return g_steal_pointer (&base);
}
