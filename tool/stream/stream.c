/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "stream/stream-private.h"

/* Names that mean something else in a point of an image store. */
static gboolean
is_reserved (const char *name)
{
  static const char *const reserved[] = { VK_STREAM_SUMS, "annotations.json", "screenshot.png", NULL };

  return g_strv_contains (reserved, name) || g_str_has_prefix (name, "manifest");
}

static gboolean
add_member (GArray *members, const char *name, guint64 size, const char *sha256, GError **error)
{
  const VkStreamMember member = { .name = name, .size = size, .sha256 = sha256 };
  gboolean is_plain = g_str_is_ascii (name) && strpbrk (name, "\n\\") == NULL && !is_reserved (name);

  for (guint i = 0; is_plain && i < members->len; i++)
    is_plain = strcmp (g_array_index (members, VkStreamMember, i).name, name) != 0;
  if (!is_plain || size > G_MAXINT64)
    return vk_fail (error, VK_ERROR_STORE, "the manifest names a file '%s' of %" PRIu64 " bytes, which cannot be in a stream", name, size);
  g_array_append_val (members, member);
  return TRUE;
}

GArray *
vk_stream_members (const VkManifest *manifest, GError **error)
{
  g_autoptr (GArray) members = g_array_new (FALSE, FALSE, sizeof (VkStreamMember));

  for (guint i = 0; i < manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);

      if (disk->base != NULL || disk->sha256 == NULL)
        {
          vk_fail (error, VK_ERROR_STORE, "the manifest has the disk '%s', which is not one whole image", disk->target);
          return NULL;
        }
      if (!add_member (members, disk->image, disk->size, disk->sha256, error))
        return NULL;
    }
  for (guint i = 0; i < manifest->files->len; i++)
    {
      const VkManifestFile *file = g_ptr_array_index (manifest->files, i);

      if (!add_member (members, file->name, file->size, file->sha256, error))
        return NULL;
    }
  return g_steal_pointer (&members);
}

char *
vk_stream_sums (const char *manifest_text, const GArray *members)
{
  GString *text = g_string_new (NULL);
  g_autoptr (VkDigest) digest = vk_digest_new ();
  g_autofree char *sha256 = NULL;

  vk_digest_update (digest, manifest_text, strlen (manifest_text));
  sha256 = vk_digest_finish (digest);
  g_string_append_printf (text, "%s  " VK_STREAM_MANIFEST "\n", sha256);
  for (guint i = 0; i < members->len; i++)
    {
      const VkStreamMember *member = &g_array_index (members, VkStreamMember, i);

      g_string_append_printf (text, "%s  %s\n", member->sha256, member->name);
    }
  return g_string_free (text, FALSE);
}

gboolean
vk_stream_size (const VkManifest *manifest, guint64 *bytes, GError **error)
{
  g_autoptr (GArray) members = vk_stream_members (manifest, error);

  *bytes = 0;
  for (guint i = 0; members != NULL && i < members->len; i++)
    if (!g_uint64_checked_add (bytes, *bytes, g_array_index (members, VkStreamMember, i).size))
      return vk_fail (error, VK_ERROR_STORE, "the manifest names more bytes than there can be");
  return members != NULL;
}
