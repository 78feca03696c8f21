/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/image/image-store.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file-digest.h"
#include "base/files.h"
#include "base/json.h"
#include "store/image/image-layout.h"
#include "store/image/image-place.h"
#include "store/image/image-claims.h"
#include "view/qemu-img.h"

static const char store_file_name[] = "virt-keep-store.json";
static const char store_format[] = "virt-keep image store";
enum { STORE_VERSION = 1, STORE_FILE_LIMIT = 65536 };

gboolean
vk_image_is_of_domain (const char *directory_name, const VkPoint *point, const char *domain)
{
  g_autofree char *suffix = g_strdup_printf (".%s", domain);

  if (domain == NULL || g_str_has_suffix (directory_name, suffix))
    return TRUE;
  if (point->manifest != NULL)
    return strcmp (point->manifest->domain_name, domain) == 0;
  /* Without a manifest the directory's name is all there is to go by. */
  return g_str_has_prefix (directory_name, domain) && strlen (directory_name) == strlen (domain) + 37;
}

static const VkPoint *
find_point (const GPtrArray *points, const char *id)
{
  for (guint i = 0; i < points->len; i++)
    if (strcmp (((VkPoint *) g_ptr_array_index (points, i))->id, id) == 0)
      return g_ptr_array_index (points, i);
  return NULL;
}

/* A point that builds on a missing or damaged one is damaged, too.  points are
 * those of the same domain, oldest first: damage is handed on along the chain. */
static void
check_base (const GPtrArray *points, VkPoint *point)
{
  for (guint i = 0; point->damage == NULL && i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      const VkPoint *base = disk->base ? find_point (points, disk->base) : NULL;

      if (disk->base == NULL)
        continue;
      if (base == NULL)
        point->damage = g_strdup_printf ("the restore point %s, on which it builds, is missing", disk->base);
      else if (base->damage != NULL)
        point->damage = g_strdup_printf ("the restore point %s, on which it builds, is damaged", disk->base);
      else if (vk_manifest_find_disk (base->manifest, disk->target) == NULL)
        point->damage = g_strdup_printf ("the restore point %s, on which it builds, has no disk '%s'", disk->base, disk->target);
    }
}

/* Everything in the domain's directory, with what is wrong with it. */
static GPtrArray *
read_and_check (const char *path, GError **error)
{
  GPtrArray *points = vk_image_read_points (path, error);

  for (guint i = 0; points != NULL && i < points->len; i++)
    check_base (points, g_ptr_array_index (points, i));
  return points;
}

static gboolean
any_is_damaged (const GPtrArray *points)
{
  for (guint i = 0; i < points->len; i++)
    if (((VkPoint *) g_ptr_array_index (points, i))->damage != NULL)
      return TRUE;
  return FALSE;
}

static gboolean
list_domain (const VkImageStore *store, const char *domain_directory, const char *domain, GPtrArray *points, GError **error)
{
  g_autofree char *path = g_build_filename (store->path, domain_directory, NULL);
  g_autoptr (GPtrArray) found = read_and_check (path, error);

  /* A point may have been merged or removed between two looks: look again. */
  if (found != NULL && any_is_damaged (found))
    {
      g_ptr_array_unref (found);
      found = read_and_check (path, error);
    }
  if (found == NULL)
    return FALSE;
  while (found->len > 0)
    {
      g_autoptr (VkPoint) point = g_ptr_array_steal_index (found, 0);

      if (!point->removed && vk_image_is_of_domain (domain_directory, point, domain))
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

      if (vk_image_is_directory (path) && *name != '.' && strcmp (name, "lost+found") != 0
          && !list_domain (store, name, domain, points, error))
        return NULL;
    }
  return g_steal_pointer (&points);
}

static VkPointWriter *
image_begin_point (VkStore *base, const char *domain_name, const char *domain_uuid, GCancellable *cancellable, GError **error)
{
  return vk_image_writer_new ((VkImageStore *) base, domain_name, domain_uuid, error);
}

/* An image may be replaced by a merged one, and what it built on removed,
 * between our look at the chain and QEMU's: then look again. */
enum { OPEN_ATTEMPTS = 3 };

static VkNbdServer *
open_chain (const VkPoint *point, const VkManifestDisk *disk, const char *socket_dir, GError **error)
{
  g_autoptr (GPtrArray) layers = NULL;
  g_autoptr (GPtrArray) chain = vk_image_chain (point, disk->target, &layers, error);

  if (chain == NULL)
    return NULL;
  for (guint i = 0; i < layers->len; i++)
    if (((VkPoint *) g_ptr_array_index (layers, i))->removed)
      return vk_nbd_server_read_shared ((const char *const *) chain->pdata, disk->secret, socket_dir, error);
  return vk_nbd_server_read ((const char *const *) chain->pdata, disk->secret, socket_dir, error);
}

static VkNbdServer *
image_open_disk (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, const char *socket_dir, GError **error)
{
  g_autoptr (GError) failure = NULL;

  for (guint i = 0; i < OPEN_ATTEMPTS; i++)
    {
      VkNbdServer *server;

      g_clear_error (&failure);
      server = open_chain (point, disk, socket_dir, &failure);
      if (server != NULL)
        return server;
    }
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

/* Claims the points of the chain, and looks again: it is what it was. */
static VkImageClaims *
claim_chain (const VkPoint *point, const char *disk, GPtrArray **chain, GError **error)
{
  g_autoptr (GPtrArray) layers = NULL;
  g_autoptr (GPtrArray) before = vk_image_chain (point, disk, &layers, error);
  g_autoptr (VkImageClaims) claims = before ? vk_image_claim (layers, NULL, FALSE, error) : NULL;

  if (claims == NULL)
    return NULL;
  g_clear_pointer (&layers, g_ptr_array_unref);
  *chain = vk_image_chain (point, disk, &layers, error);
  if (*chain == NULL)
    return NULL;
  if (g_strv_equal ((const char *const *) before->pdata, (const char *const *) (*chain)->pdata))
    return g_steal_pointer (&claims);
  g_clear_pointer (chain, g_ptr_array_unref);
  vk_fail (error, VK_ERROR_BUSY, "the restore point '%s' is just being merged with what it builds on: try again", point->location);
  return NULL;
}

static VkLastingDoor *
image_open_lasting (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, const VkDoorPlace *place, GError **error)
{
  g_autoptr (GPtrArray) chain = NULL;
  g_autoptr (VkImageClaims) claims = NULL;

  if (disk->secret != NULL)
    {
      vk_fail (error, VK_ERROR_REFUSED, "the disk %s of '%s' is encrypted, and what a machine writes that is started from it would lie in the clear: restore it instead", disk->target, point->location);
      return NULL;
    }
  claims = claim_chain (point, disk->target, &chain, error);
  return claims ? vk_lasting_door_read ((const char *const *) chain->pdata, vk_image_claims_fds (claims), place, error) : NULL;
}

static char *
image_describe_disk (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, GError **error)
{
  g_autoptr (GPtrArray) chain = NULL;

  /* The door gets the key. */
  if (disk->secret != NULL)
    return NULL;
  chain = vk_image_chain (point, disk->target, NULL, error);
  return chain != NULL ? vk_nbd_describe_chain ((const char *const *) chain->pdata, NULL, error) : NULL;
}

static gboolean
image_check_disk (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GPtrArray) chain = vk_image_chain (point, disk->target, &points, error);

  for (guint i = 0; chain != NULL && i < points->len; i++)
    {
      const VkPoint *layer = g_ptr_array_index (points, i);

      /* What an interrupted removal has merged into it shows through to nobody,
       * but its digest is of the time before. */
      if (!layer->removed
          && !vk_file_check_sha256 (g_ptr_array_index (chain, i), vk_manifest_find_disk (layer->manifest, disk->target)->sha256, cancellable, error))
        return FALSE;
    }
  return chain != NULL;
}

/* The secret may have got another value since: then an image that is encrypted with it
 * cannot be opened together with this one. */
static gboolean
image_check_base (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_build_filename (point->location, disk->image, NULL);

  return disk->secret == NULL || vk_qemu_img_check (path, disk->secret, cancellable, error);
}

static char *
image_load_file (VkStore *base, const VkPoint *point, const VkManifestFile *file, gsize limit, GError **error)
{
  g_autofree char *path = g_build_filename (point->location, file->name, NULL);

  return vk_file_read (path, limit, NULL, error);
}

static gboolean
image_copy_file (VkStore *base, const VkPoint *point, const VkManifestFile *file, const char *to_path, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_build_filename (point->location, file->name, NULL);

  return vk_file_copy (path, to_path, error);
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
  .lock_directory = vk_image_lock_directory,
  .lock_mode = VK_IMAGE_DIRECTORY_MODE,
  .domain_directory = vk_image_lock_directory,
  .find_leftovers = vk_image_find_leftovers,
  .clear_leftover = vk_image_clear_leftover,
  .open_disk = image_open_disk,
  .open_lasting = image_open_lasting,
  .describe_disk = image_describe_disk,
  .verify = vk_image_verify,
  .check_disk = image_check_disk,
  .check_base = image_check_base,
  .remove = vk_image_remove,
  .finish = vk_image_finish,
  .annotate = vk_image_annotate,
  .record_verdict = vk_image_record_verdict,
  .load_file = image_load_file,
  .copy_file = image_copy_file,
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
        return vk_fail (error, VK_ERROR_REFUSED, "'%s' is neither empty nor a virt-keep store: name a new or an empty directory with --store", path);
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
  return vk_fail (error, VK_ERROR_STORE, "'%s' is not the description of an image store that virt-keep %s knows", name, PACKAGE_VERSION);
}

/* What a backup is kept in has to be there the next time.  Without a note of where that is, only
 * the warning is lost. */
static void
note_place (const VkImageStore *store)
{
  g_autoptr (GError) failure = NULL;

  if (!vk_image_place_note (store->path, &failure))
    g_message ("where the store %s lies cannot be noted: %s", store->path, failure->message);
}

/* create: a store that is missing is made, and place: unless its file system is. */
static VkStore *
open_store (const char *path, gboolean create, gboolean place, GError **error)
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
  if (!g_file_test (store_file, G_FILE_TEST_EXISTS)
      && ((place && !vk_image_place_check (store->path, error)) || (create && !create_store (store->path, store_file, error))))
    return NULL;
  text = vk_file_read (store_file, STORE_FILE_LIMIT, NULL, &failure);
  if (text == NULL && g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    vk_fail (error, VK_ERROR_NOT_FOUND, "'%s' is not a virt-keep store (it has no %s); the first backup makes one", store->path, store_file_name);
  else if (text == NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  if (text == NULL || !parse_store_file (store, text, store_file, error))
    return NULL;
  return g_steal_pointer (&base);
}

VkStore *
vk_image_store_open (const char *path, gboolean create, GError **error)
{
  VkStore *store = open_store (path, create, TRUE, error);

  if (store != NULL && create)
    note_place ((VkImageStore *) store);
  return store;
}

VkStore *
vk_image_store_create_transient (const char *path, GError **error)
{
  g_autofree char *store_file = g_build_filename (path, store_file_name, NULL);

  if (!g_file_test (store_file, G_FILE_TEST_EXISTS))
    return open_store (path, TRUE, FALSE, error);
  vk_fail (error, VK_ERROR_REFUSED, "there is a virt-keep store in '%s' already", path);
  return NULL;
}

VkStore *
vk_image_store_create (const char *path, GError **error)
{
  VkStore *store = vk_image_store_create_transient (path, error);

  if (store != NULL)
    note_place ((VkImageStore *) store);
  return store;
}
