/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "stream/stream-private.h"

/* The instant, for the times of the members. */
static gint64
seconds_of (const VkManifest *manifest)
{
  g_autoptr (GDateTime) instant = g_date_time_new_from_iso8601 (manifest->instant, NULL);

  return instant != NULL ? g_date_time_to_unix (instant) : 0;
}

gboolean
vk_stream_write (const VkPoint *point, GOutputStream *output, const VkStreamListener *listener, GCancellable *cancellable, guint64 *bytes, GError **error)
{
  g_autofree char *path = g_build_filename (point->location, VK_STREAM_MANIFEST, NULL);
  g_autofree char *text = vk_file_read (path, VK_MANIFEST_LIMIT, NULL, error);
  g_autoptr (GArray) members = text ? vk_stream_members (point->manifest, error) : NULL;
  g_autoptr (VkTarWriter) writer = NULL;
  g_autofree char *sums = NULL;

  if (members == NULL)
    return FALSE;
  writer = vk_tar_writer_new (output, seconds_of (point->manifest), listener, cancellable, error);
  if (writer == NULL || !vk_tar_writer_add_bytes (writer, VK_STREAM_MANIFEST, text, strlen (text), error))
    return FALSE;
  for (guint i = 0; i < members->len; i++)
    {
      const VkStreamMember *member = &g_array_index (members, VkStreamMember, i);
      g_autofree char *file = g_build_filename (point->location, member->name, NULL);

      if (!vk_tar_writer_add_file (writer, member->name, file, member->size, member->sha256, error))
        return FALSE;
    }
  sums = vk_stream_sums (text, members);
  return vk_tar_writer_add_bytes (writer, VK_STREAM_SUMS, sums, strlen (sums), error)
      && vk_tar_writer_finish (writer, bytes, error);
}
