/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading manifests, which may come from anybody. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "store/manifest.h"

static gboolean
require_string (JsonObject *object, const char *member, char **value, GError **error)
{
  if (!vk_json_get_string (object, member, NULL, value, error))
    return FALSE;
  if (*value != NULL && **value != '\0')
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "\"%s\" is missing", member);
}

/* A name that stays in the directory it is used in. */
static gboolean
require_file_name (JsonObject *object, const char *member, char **value, GError **error)
{
  if (!require_string (object, member, value, error))
    return FALSE;
  if ((*value)[0] != '.' && strchr (*value, '/') == NULL && strlen (*value) <= 255)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "\"%s\" is '%s', which is not a plain file name", member, *value);
}

/* The id of another point: it becomes the name of a directory. */
static gboolean
optional_point_id (JsonObject *object, const char *member, char **value, GError **error)
{
  if (!vk_json_get_string (object, member, NULL, value, error))
    return FALSE;
  if (*value == NULL || (strlen (*value) == 16 && strspn (*value, "0123456789TZ") == 16))
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "\"%s\" is '%s', which is not the time of a restore point", member, *value);
}

static gboolean
require_sha256 (JsonObject *object, const char *member, char **value, GError **error)
{
  if (!require_string (object, member, value, error))
    return FALSE;
  if (strlen (*value) == 64 && strspn (*value, "0123456789abcdef") == 64)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "\"%s\" is '%s', which is not 64 hexadecimal digits", member, *value);
}

/* What a disk is made of: an image file, or since version 2 chunks. */
static gboolean
parse_digest (VkManifestDisk *disk, JsonObject *object, GError **error)
{
  if (!vk_json_get_uint64 (object, "chunk_size", 0, &disk->chunk_size, error))
    return FALSE;
  if (disk->chunk_size == 0)
    return require_sha256 (object, "sha256", &disk->sha256, error);
  /* A power of two that a store can have cut the disk into. */
  if ((disk->chunk_size & (disk->chunk_size - 1)) != 0 || disk->chunk_size < VK_CHUNK_SIZE_MIN || disk->chunk_size > VK_CHUNK_SIZE_MAX)
    return vk_fail (error, VK_ERROR_STORE, "\"chunk_size\" is %" PRIu64 ", which is no size of chunks", disk->chunk_size);
  return vk_json_get_uint64 (object, "bytes_added", 0, &disk->bytes_added, error)
      && require_sha256 (object, "content_sha256", &disk->content_sha256, error);
}

/* With what the image is encrypted, if it is. */
static gboolean
parse_encryption (VkManifestDisk *disk, JsonObject *object, GError **error)
{
  JsonObject *encryption = NULL;
  g_autofree char *format = NULL;

  if (!vk_json_get_object (object, "encryption", &encryption, error))
    return FALSE;
  if (encryption == NULL)
    return TRUE;
  if (!require_string (encryption, "format", &format, error) || !require_string (encryption, "secret", &disk->secret, error))
    return FALSE;
  if (strcmp (format, "luks") == 0 && g_uuid_string_is_valid (disk->secret))
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "\"encryption\" has the format '%s' and the secret '%s' instead of luks and a UUID", format, disk->secret);
}

/* The disk is the last one.  Two that are one would get in each other's way. */
static gboolean
check_disk_is_new (const VkManifest *manifest, GError **error)
{
  const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, manifest->disks->len - 1);

  for (guint i = 0; i + 1 < manifest->disks->len; i++)
    {
      const VkManifestDisk *other = g_ptr_array_index (manifest->disks, i);

      if (strcmp (other->target, disk->target) != 0 && strcmp (other->image, disk->image) != 0)
        continue;
      return vk_fail (error, VK_ERROR_STORE, "two disks have the target '%s' or the image '%s'", disk->target, disk->image);
    }
  return TRUE;
}

static gboolean
parse_disk (VkManifest *manifest, JsonObject *object, GError **error)
{
  VkManifestDisk *disk = vk_manifest_add_disk (manifest);

  return require_file_name (object, "target", &disk->target, error)
      && vk_json_get_string (object, "type", NULL, &disk->type, error)
      && vk_json_get_string (object, "source", NULL, &disk->source, error)
      && vk_json_get_string (object, "format", NULL, &disk->format, error)
      && vk_json_get_uint64 (object, "virtual_size", 0, &disk->virtual_size, error)
      && require_string (object, "level", &disk->level, error)
      && optional_point_id (object, "base", &disk->base, error)
      && vk_json_get_string (object, "reason", NULL, &disk->reason, error)
      && vk_json_get_boolean (object, "bitmap", FALSE, &disk->bitmap, error)
      && vk_json_get_uint64 (object, "bytes_moved", 0, &disk->bytes_moved, error)
      && require_file_name (object, "image", &disk->image, error)
      && vk_json_get_uint64 (object, "size", 0, &disk->size, error)
      && parse_digest (disk, object, error)
      && parse_encryption (disk, object, error)
      && check_disk_is_new (manifest, error);
}

static gboolean
check_file_is_new (const VkManifest *manifest, GError **error)
{
  const VkManifestFile *file = g_ptr_array_index (manifest->files, manifest->files->len - 1);

  for (guint i = 0; i + 1 < manifest->files->len; i++)
    if (strcmp (((const VkManifestFile *) g_ptr_array_index (manifest->files, i))->name, file->name) == 0)
      return vk_fail (error, VK_ERROR_STORE, "two files are called '%s'", file->name);
  return TRUE;
}

static gboolean
parse_file (VkManifest *manifest, JsonObject *object, GError **error)
{
  VkManifestFile *file = vk_manifest_add_file (manifest);

  return require_file_name (object, "name", &file->name, error)
      && require_string (object, "role", &file->role, error)
      && vk_json_get_string (object, "target", NULL, &file->target, error)
      && vk_json_get_string (object, "source", NULL, &file->source, error)
      && vk_json_get_uint64 (object, "size", 0, &file->size, error)
      && require_sha256 (object, "sha256", &file->sha256, error)
      && check_file_is_new (manifest, error);
}

static gboolean
parse_left_out (VkManifest *manifest, JsonObject *object, GError **error)
{
  VkManifestLeftOut *left_out = vk_manifest_add_left_out (manifest);

  return require_string (object, "target", &left_out->target, error)
      && require_string (object, "reason", &left_out->reason, error)
      && vk_json_get_string (object, "message", "", &left_out->message, error);
}

typedef gboolean (*ParseEntry) (VkManifest *manifest, JsonObject *object, GError **error);

static gboolean
parse_entries (VkManifest *manifest, JsonObject *root, const char *member, ParseEntry parse, GError **error)
{
  JsonArray *array;

  if (!vk_json_get_array (root, member, &array, error))
    return FALSE;
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      JsonNode *node = json_array_get_element (array, i);

      if (!JSON_NODE_HOLDS_OBJECT (node))
        return vk_fail (error, VK_ERROR_STORE, "\"%s\"[%u] is not an object", member, i);
      if (!parse (manifest, json_node_get_object (node), error))
        {
          g_prefix_error (error, "\"%s\"[%u]: ", member, i);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
parse_warnings (VkManifest *manifest, JsonObject *root, GError **error)
{
  JsonArray *array;

  if (!vk_json_get_array (root, "warnings", &array, error))
    return FALSE;
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      JsonNode *node = json_array_get_element (array, i);

      if (json_node_get_value_type (node) != G_TYPE_STRING)
        return vk_fail (error, VK_ERROR_STORE, "\"warnings\"[%u] is not a string", i);
      g_ptr_array_add (manifest->warnings, g_strdup (json_node_get_string (node)));
    }
  return TRUE;
}

static gboolean
parse_quiesce (VkManifest *manifest, JsonObject *root, GError **error)
{
  VkManifestQuiesce *quiesce;
  JsonObject *object;

  if (!vk_json_get_object (root, "quiesce", &object, error))
    return FALSE;
  if (object == NULL)
    return TRUE;
  quiesce = vk_manifest_make_quiesce (manifest);
  return vk_json_get_string (object, "requested", NULL, &quiesce->requested, error)
      && vk_json_get_boolean (object, "frozen", FALSE, &quiesce->frozen, error)
      && vk_json_get_uint64 (object, "filesystems", 0, &quiesce->filesystems, error)
      && vk_json_get_uint64 (object, "milliseconds", 0, &quiesce->milliseconds, error)
      && vk_json_get_string (object, "reason", NULL, &quiesce->reason, error);
}

static gboolean
require_object (JsonObject *root, const char *member, JsonObject **object, GError **error)
{
  if (!vk_json_get_object (root, member, object, error))
    return FALSE;
  if (*object != NULL)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "\"%s\" is missing", member);
}

static gboolean
check_version (JsonObject *root, GError **error)
{
  g_autofree char *format = NULL;
  g_autofree char *writer = NULL;
  JsonObject *versions;
  guint64 version;

  if (!vk_json_get_string (root, "format", "", &format, error)
      || !vk_json_get_uint64 (root, "version", 0, &version, error)
      || !vk_json_get_object (root, "versions", &versions, error)
      || (versions != NULL && !vk_json_get_string (versions, "virt_keep", NULL, &writer, error)))
    return FALSE;
  if (strcmp (format, VK_MANIFEST_FORMAT) != 0 || version == 0)
    return vk_fail (error, VK_ERROR_STORE, "this is not a virt-keep manifest");
  if (version > VK_MANIFEST_VERSION)
    {
      vk_fail (error, VK_ERROR_STORE, "manifest version %" PRIu64 " was written by virt-keep %s, this one (%s) reads up to version %d: use the newer virt-keep",
                   version, writer ? writer : "of a later version", PACKAGE_VERSION, VK_MANIFEST_VERSION);
      return FALSE;
    }
  return version < VK_MANIFEST_SEALED || vk_json_check_seal (root, error);
}

static gboolean
parse_head (VkManifest *manifest, JsonObject *root, GError **error)
{
  JsonObject *domain, *times, *versions;

  return require_object (root, "domain", &domain, error)
      && require_object (root, "times", &times, error)
      && require_object (root, "versions", &versions, error)
      && require_file_name (root, "id", &manifest->id, error)
      && require_string (root, "store", &manifest->store_id, error)
      && require_string (domain, "name", &manifest->domain_name, error)
      && require_string (domain, "uuid", &manifest->domain_uuid, error)
      && vk_json_get_string (root, "host", NULL, &manifest->host, error)
      && vk_json_get_string (root, "uri", NULL, &manifest->uri, error)
      && vk_json_get_string (times, "started", NULL, &manifest->started, error)
      && require_string (times, "instant", &manifest->instant, error)
      && vk_json_get_string (times, "finished", NULL, &manifest->finished, error)
      && vk_json_get_string (root, "domain_state", "running", &manifest->domain_state, error)
      && require_string (root, "mode", &manifest->mode, error)
      && require_string (root, "level", &manifest->level, error)
      && optional_point_id (root, "base", &manifest->base, error)
      && vk_json_get_string (root, "requested", NULL, &manifest->requested, error)
      && vk_json_get_string (root, "reason", NULL, &manifest->reason, error)
      && vk_json_get_string (root, "checkpoint", NULL, &manifest->checkpoint, error)
      && vk_json_get_string (root, "merged", NULL, &manifest->merged, error)
      && vk_json_get_boolean (root, "synthetic", FALSE, &manifest->synthetic, error)
      && vk_json_get_string (versions, "virt_keep", NULL, &manifest->virt_keep_version, error)
      && vk_json_get_string (versions, "libvirt", NULL, &manifest->libvirt_version, error)
      && vk_json_get_string (versions, "qemu", NULL, &manifest->qemu_version, error);
}

VkManifest *
vk_manifest_parse (const char *text, const char *name, GError **error)
{
  g_autoptr (JsonObject) root = vk_json_parse (text, name, error);
  g_autoptr (VkManifest) manifest = vk_manifest_new ();
  JsonObject *closed, *guest;

  if (root == NULL)
    return NULL;
  if (!check_version (root, error)
      || !parse_head (manifest, root, error)
      || !parse_entries (manifest, root, "disks", parse_disk, error)
      || !parse_entries (manifest, root, "files", parse_file, error)
      || !parse_entries (manifest, root, "left_out", parse_left_out, error)
      || !parse_warnings (manifest, root, error)
      || !parse_quiesce (manifest, root, error)
      || !vk_json_get_object (root, "guest", &guest, error)
      || !vk_json_get_object (root, "closed", &closed, error))
    {
      g_prefix_error (error, "%s: ", name);
      return NULL;
    }
  if (guest != NULL)
    manifest->guest = json_object_ref (guest);
  if (closed != NULL)
    manifest->closed = json_object_ref (closed);
  return g_steal_pointer (&manifest);
}
