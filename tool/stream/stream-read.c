/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "base/room.h"
#include "store/image/image-store.h"
#include "stream/stream-private.h"
#include "stream/tar-reader.h"

/* A stream that is being read. */
typedef struct
{
  VkTarReader *tar;
  const char *name;
  char *text;           /* of the manifest */
  VkManifest *manifest;
  GArray *members;      /* those that it names, of VkStreamMember */
  gboolean *seen;       /* which of them there were */
  char *place;          /* the directory of the point */
} Reading;

static void
reading_clear (Reading *reading)
{
  g_clear_pointer (&reading->tar, vk_tar_reader_free);
  g_free (reading->text);
  g_clear_pointer (&reading->manifest, vk_manifest_free);
  g_clear_pointer (&reading->members, g_array_unref);
  g_free (reading->seen);
  g_free (reading->place);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reading, reading_clear)

static gboolean
read_manifest (Reading *reading, GError **error)
{
  const char *member;
  guint64 size;

  if (!vk_tar_reader_next (reading->tar, &member, &size, error))
    return FALSE;
  if (member == NULL)
    return vk_tar_reader_refuse (reading->tar, error, "it is a tar archive in which there is nothing");
  if (strcmp (member, VK_STREAM_MANIFEST) != 0)
    return vk_tar_reader_refuse (reading->tar, error, "its first member is '%s' instead of %s", member, VK_STREAM_MANIFEST);
  reading->text = vk_tar_reader_text (reading->tar, VK_MANIFEST_LIMIT, error);
  if (reading->text == NULL)
    return FALSE;
  reading->manifest = vk_manifest_parse (reading->text, VK_STREAM_MANIFEST, error);
  reading->members = reading->manifest ? vk_stream_members (reading->manifest, error) : NULL;
  if (reading->members == NULL)
    {
      g_prefix_error (error, _("%s is not a whole stream of virt-keep: "), reading->name);
      return FALSE;
    }
  reading->seen = g_new0 (gboolean, reading->members->len);
  return TRUE;
}

static gboolean
check_room (const Reading *reading, const char *path, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (path);
  guint64 needed;
  VkRoom room;

  if (!vk_stream_size (reading->manifest, &needed, error) || !vk_room_get (directory, &room, error))
    return FALSE;
  if (room.left >= needed)
    return TRUE;
  vk_fail (error, VK_ERROR_SCRATCH, "there is too little room in '%s' for what is in %s: %" PRIu64 " bytes are left, and %" PRIu64 " are needed: make room, or name another place with --scratch-dir",
               directory, reading->name, room.left, needed);
  return FALSE;
}

static gboolean
save_member (Reading *reading, const char *name, guint64 size, GError **error)
{
  for (guint i = 0; i < reading->members->len; i++)
    {
      const VkStreamMember *member = &g_array_index (reading->members, VkStreamMember, i);
      g_autofree char *path = NULL;

      if (strcmp (member->name, name) != 0)
        continue;
      if (reading->seen[i])
        return vk_tar_reader_refuse (reading->tar, error, "its member '%s' is there twice", name);
      if (member->size != size)
        return vk_tar_reader_refuse (reading->tar, error, "its member '%s' has %" PRIu64 " bytes instead of %" PRIu64, name, size, member->size);
      reading->seen[i] = TRUE;
      path = g_build_filename (reading->place, member->name, NULL);
      return vk_tar_reader_save (reading->tar, path, member->sha256, error);
    }
  return vk_tar_reader_refuse (reading->tar, error, "it has a member '%s', of which its manifest does not know", name);
}

/* SHA256SUMS, the last member. */
static gboolean
check_sums (Reading *reading, guint64 size, GError **error)
{
  g_autofree char *sums = vk_stream_sums (reading->text, reading->members);
  g_autofree char *found = NULL;
  const char *next;

  for (guint i = 0; i < reading->members->len; i++)
    if (!reading->seen[i])
      return vk_tar_reader_refuse (reading->tar, error, "its member '%s' is missing", g_array_index (reading->members, VkStreamMember, i).name);
  found = vk_tar_reader_text (reading->tar, strlen (sums), error);
  if (found == NULL)
    return FALSE;
  if (strcmp (found, sums) != 0)
    return vk_tar_reader_refuse (reading->tar, error, "%s is not what belongs to its manifest", VK_STREAM_SUMS);
  if (!vk_tar_reader_next (reading->tar, &next, &size, error))
    return FALSE;
  return next == NULL || vk_tar_reader_refuse (reading->tar, error, "its member '%s' stands behind %s, its end", next, VK_STREAM_SUMS);
}

static gboolean
read_members (Reading *reading, GError **error)
{
  const char *member;
  guint64 size;

  do
    {
      if (!vk_tar_reader_next (reading->tar, &member, &size, error))
        return FALSE;
      if (member == NULL)
        return vk_tar_reader_refuse (reading->tar, error, "it ends before %s, its last member", VK_STREAM_SUMS);
      if (strcmp (member, VK_STREAM_SUMS) == 0)
        return check_sums (reading, size, error);
    }
  while (save_member (reading, member, size, error));
  return FALSE;
}

/* Makes what has been read the only point of the store. */
static VkPoint *
take_point (const Reading *reading, VkStore *store, GError **error)
{
  g_autofree char *path = g_build_filename (reading->place, VK_STREAM_MANIFEST, NULL);
  g_autofree char *name = NULL;

  if (!vk_file_write (path, reading->text, strlen (reading->text), error))
    return NULL;
  name = g_strdup_printf ("%s@%s", reading->manifest->domain_uuid, reading->manifest->id);
  return vk_store_find_point (store, name, error);
}

VkPoint *
vk_stream_read (GInputStream *input, const char *name, const char *path, const VkStreamListener *listener, GCancellable *cancellable, VkStore **store, guint64 *bytes, GError **error)
{
  g_auto (Reading) reading = { .tar = vk_tar_reader_new (input, name, listener, cancellable), .name = name };

  *store = NULL;
  if (!read_manifest (&reading, error) || !check_room (&reading, path, error))
    return NULL;
  *store = vk_image_store_create_transient (path, error);
  reading.place = *store ? vk_image_store_make_place (*store, reading.manifest, error) : NULL;
  if (reading.place == NULL || !read_members (&reading, error) || !vk_tar_reader_finish (reading.tar, bytes, error))
    return NULL;
  return take_point (&reading, *store, error);
}
