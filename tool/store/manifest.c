/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/manifest.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"

static void
disk_free (VkManifestDisk *disk)
{
  g_free (disk->target);
  g_free (disk->type);
  g_free (disk->source);
  g_free (disk->format);
  g_free (disk->level);
  g_free (disk->base);
  g_free (disk->reason);
  g_free (disk->image);
  g_free (disk->sha256);
  g_free (disk->secret);
  g_free (disk->content_sha256);
  g_free (disk);
}

static void
file_free (VkManifestFile *file)
{
  g_free (file->name);
  g_free (file->role);
  g_free (file->target);
  g_free (file->source);
  g_free (file->sha256);
  g_free (file);
}

static void
left_out_free (VkManifestLeftOut *left_out)
{
  g_free (left_out->target);
  g_free (left_out->reason);
  g_free (left_out->message);
  g_free (left_out);
}

static void
quiesce_free (VkManifestQuiesce *quiesce)
{
  g_free (quiesce->requested);
  g_free (quiesce->reason);
  g_free (quiesce);
}

VkManifest *
vk_manifest_new (void)
{
  VkManifest *manifest = g_new0 (VkManifest, 1);

  manifest->disks = g_ptr_array_new_with_free_func ((GDestroyNotify) disk_free);
  manifest->files = g_ptr_array_new_with_free_func ((GDestroyNotify) file_free);
  manifest->left_out = g_ptr_array_new_with_free_func ((GDestroyNotify) left_out_free);
  manifest->warnings = g_ptr_array_new_with_free_func (g_free);
  return manifest;
}

void
vk_manifest_free (VkManifest *manifest)
{
  g_free (manifest->id);
  g_free (manifest->store_id);
  g_free (manifest->domain_name);
  g_free (manifest->domain_uuid);
  g_free (manifest->host);
  g_free (manifest->uri);
  g_free (manifest->started);
  g_free (manifest->instant);
  g_free (manifest->finished);
  g_free (manifest->domain_state);
  g_free (manifest->mode);
  g_free (manifest->level);
  g_free (manifest->base);
  g_free (manifest->requested);
  g_free (manifest->reason);
  g_free (manifest->checkpoint);
  g_free (manifest->merged);
  g_free (manifest->virt_keep_version);
  g_free (manifest->libvirt_version);
  g_free (manifest->qemu_version);
  g_ptr_array_unref (manifest->disks);
  g_ptr_array_unref (manifest->files);
  g_ptr_array_unref (manifest->left_out);
  g_ptr_array_unref (manifest->warnings);
  g_clear_pointer (&manifest->quiesce, quiesce_free);
  g_clear_pointer (&manifest->guest, json_object_unref);
  g_clear_pointer (&manifest->closed, json_object_unref);
  g_free (manifest);
}

VkManifestDisk *
vk_manifest_add_disk (VkManifest *manifest)
{
  VkManifestDisk *disk = g_new0 (VkManifestDisk, 1);

  g_ptr_array_add (manifest->disks, disk);
  return disk;
}

VkManifestFile *
vk_manifest_add_file (VkManifest *manifest)
{
  VkManifestFile *file = g_new0 (VkManifestFile, 1);

  g_ptr_array_add (manifest->files, file);
  return file;
}

VkManifestLeftOut *
vk_manifest_add_left_out (VkManifest *manifest)
{
  VkManifestLeftOut *left_out = g_new0 (VkManifestLeftOut, 1);

  g_ptr_array_add (manifest->left_out, left_out);
  return left_out;
}

VkManifestQuiesce *
vk_manifest_make_quiesce (VkManifest *manifest)
{
  if (manifest->quiesce == NULL)
    manifest->quiesce = g_new0 (VkManifestQuiesce, 1);
  return manifest->quiesce;
}

const VkManifestFile *
vk_manifest_find_file (const VkManifest *manifest, const char *role)
{
  for (guint i = 0; i < manifest->files->len; i++)
    {
      const VkManifestFile *file = g_ptr_array_index (manifest->files, i);

      if (strcmp (file->role, role) == 0)
        return file;
    }
  return NULL;
}

const VkManifestDisk *
vk_manifest_find_disk (const VkManifest *manifest, const char *target)
{
  for (guint i = 0; i < manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);

      if (strcmp (disk->target, target) == 0)
        return disk;
    }
  return NULL;
}

guint64
vk_manifest_image_bytes (const VkManifest *manifest)
{
  guint64 bytes = 0;

  for (guint i = 0; i < manifest->disks->len; i++)
    bytes += ((const VkManifestDisk *) g_ptr_array_index (manifest->disks, i))->size;
  return bytes;
}

static void
set_bytes (JsonObject *object, const char *member, guint64 bytes)
{
  json_object_set_int_member (object, member, (gint64) bytes);
}

JsonArray *
vk_manifest_disks_to_json (const VkManifest *manifest)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);
      JsonObject *object = json_object_new ();

      vk_json_set_string (object, "target", disk->target);
      vk_json_set_string (object, "type", disk->type);
      vk_json_set_string (object, "source", disk->source);
      vk_json_set_string (object, "format", disk->format);
      set_bytes (object, "virtual_size", disk->virtual_size);
      vk_json_set_string (object, "level", disk->level);
      vk_json_set_string (object, "base", disk->base);
      vk_json_set_string (object, "reason", disk->reason);
      json_object_set_boolean_member (object, "bitmap", disk->bitmap);
      set_bytes (object, "bytes_moved", disk->bytes_moved);
      vk_json_set_string (object, "image", disk->image);
      set_bytes (object, "size", disk->size);
      if (disk->secret != NULL)
        {
          JsonObject *encryption = json_object_new ();

          vk_json_set_string (encryption, "format", "luks");
          vk_json_set_string (encryption, "secret", disk->secret);
          json_object_set_object_member (object, "encryption", encryption);
        }
      if (disk->chunk_size > 0)
        {
          set_bytes (object, "chunk_size", disk->chunk_size);
          set_bytes (object, "bytes_added", disk->bytes_added);
          vk_json_set_string (object, "content_sha256", disk->content_sha256);
        }
      else
        vk_json_set_string (object, "sha256", disk->sha256);
      json_array_add_object_element (array, object);
    }
  return array;
}

static JsonArray *
files_to_json (const VkManifest *manifest)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < manifest->files->len; i++)
    {
      const VkManifestFile *file = g_ptr_array_index (manifest->files, i);
      JsonObject *object = json_object_new ();

      vk_json_set_string (object, "name", file->name);
      vk_json_set_string (object, "role", file->role);
      if (file->target != NULL)
        vk_json_set_string (object, "target", file->target);
      if (file->source != NULL)
        vk_json_set_string (object, "source", file->source);
      set_bytes (object, "size", file->size);
      vk_json_set_string (object, "sha256", file->sha256);
      json_array_add_object_element (array, object);
    }
  return array;
}

JsonArray *
vk_manifest_left_out_to_json (const VkManifest *manifest)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < manifest->left_out->len; i++)
    {
      const VkManifestLeftOut *left_out = g_ptr_array_index (manifest->left_out, i);
      JsonObject *object = json_object_new ();

      vk_json_set_string (object, "target", left_out->target);
      vk_json_set_string (object, "reason", left_out->reason);
      vk_json_set_string (object, "message", left_out->message);
      json_array_add_object_element (array, object);
    }
  return array;
}

JsonObject *
vk_manifest_quiesce_to_json (const VkManifest *manifest)
{
  const VkManifestQuiesce *quiesce = manifest->quiesce;
  JsonObject *object;

  if (quiesce == NULL)
    return NULL;
  object = json_object_new ();
  vk_json_set_string (object, "requested", quiesce->requested);
  json_object_set_boolean_member (object, "frozen", quiesce->frozen);
  json_object_set_int_member (object, "filesystems", (gint64) quiesce->filesystems);
  json_object_set_int_member (object, "milliseconds", (gint64) quiesce->milliseconds);
  vk_json_set_string (object, "reason", quiesce->reason);
  return object;
}

static JsonObject *
times_to_json (const VkManifest *manifest)
{
  JsonObject *times = json_object_new ();

  vk_json_set_string (times, "started", manifest->started);
  vk_json_set_string (times, "instant", manifest->instant);
  vk_json_set_string (times, "finished", manifest->finished);
  return times;
}

static JsonObject *
domain_to_json (const VkManifest *manifest)
{
  JsonObject *domain = json_object_new ();

  vk_json_set_string (domain, "name", manifest->domain_name);
  vk_json_set_string (domain, "uuid", manifest->domain_uuid);
  return domain;
}

static JsonObject *
versions_to_json (const VkManifest *manifest)
{
  JsonObject *versions = json_object_new ();

  vk_json_set_string (versions, "virt_keep", manifest->virt_keep_version);
  vk_json_set_string (versions, "libvirt", manifest->libvirt_version);
  vk_json_set_string (versions, "qemu", manifest->qemu_version);
  return versions;
}

JsonObject *
vk_manifest_to_json (const VkManifest *manifest)
{
  JsonObject *object = json_object_new ();
  JsonArray *warnings = json_array_new ();

  vk_json_set_string (object, "format", VK_MANIFEST_FORMAT);
  json_object_set_int_member (object, "version", VK_MANIFEST_VERSION);
  vk_json_set_string (object, "id", manifest->id);
  vk_json_set_string (object, "store", manifest->store_id);
  json_object_set_object_member (object, "domain", domain_to_json (manifest));
  vk_json_set_string (object, "host", manifest->host);
  vk_json_set_string (object, "uri", manifest->uri);
  json_object_set_object_member (object, "times", times_to_json (manifest));
  vk_json_set_string (object, "domain_state", manifest->domain_state);
  vk_json_set_string (object, "mode", manifest->mode);
  vk_json_set_string (object, "level", manifest->level);
  vk_json_set_string (object, "base", manifest->base);
  vk_json_set_string (object, "requested", manifest->requested);
  vk_json_set_string (object, "reason", manifest->reason);
  vk_json_set_string (object, "checkpoint", manifest->checkpoint);
  vk_json_set_string (object, "merged", manifest->merged);
  json_object_set_boolean_member (object, "synthetic", manifest->synthetic);
  json_object_set_object_member (object, "versions", versions_to_json (manifest));
  json_object_set_array_member (object, "disks", vk_manifest_disks_to_json (manifest));
  json_object_set_array_member (object, "left_out", vk_manifest_left_out_to_json (manifest));
  json_object_set_array_member (object, "files", files_to_json (manifest));
  if (manifest->quiesce != NULL)
    json_object_set_object_member (object, "quiesce", vk_manifest_quiesce_to_json (manifest));
  if (manifest->guest != NULL)
    json_object_set_object_member (object, "guest", json_object_ref (manifest->guest));
  if (manifest->closed != NULL)
    json_object_set_object_member (object, "closed", json_object_ref (manifest->closed));
  for (guint i = 0; i < manifest->warnings->len; i++)
    json_array_add_string_element (warnings, g_ptr_array_index (manifest->warnings, i));
  json_object_set_array_member (object, "warnings", warnings);
  vk_json_seal (object);
  return object;
}

VkManifest *
vk_manifest_copy (const VkManifest *manifest, GError **error)
{
  g_autoptr (JsonObject) object = vk_manifest_to_json (manifest);
  g_autofree char *text = vk_json_to_string (object, FALSE);

  return vk_manifest_parse (text, manifest->id, error);
}

void
vk_manifest_set_synthetic (VkManifest *manifest, const char *reason)
{
  manifest->synthetic = TRUE;
  g_free (manifest->level);
  manifest->level = g_strdup ("full");
  g_free (manifest->reason);
  manifest->reason = g_strdup (reason);
  g_clear_pointer (&manifest->base, g_free);
}

char *
vk_time_now (void)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();

  return g_date_time_format (now, "%Y-%m-%dT%H:%M:%S.%fZ");
}
