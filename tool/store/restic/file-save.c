/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/file-save.h"

#include <gio/gio.h>

#include "base/digest.h"
#include "base/error.h"

/* A blob of a file is not larger than this, in bytes. */
enum { PIECE_BYTES = 1 << 20 };

void
vk_saved_file_clear (VkSavedFile *file)
{
  g_clear_pointer (&file->content, vk_content_unref);
  g_clear_pointer (&file->sha256, g_free);
}

static gboolean
save_piece (VkResticSaver *saver, const void *data, gsize length, VkSavedFile *file, VkDigest *digest, GError **error)
{
  VkResticId id;

  if (!vk_restic_saver_add (saver, VK_BLOB_DATA, data, length, &id, error))
    return FALSE;
  vk_content_append (file->content, &id, 1);
  vk_digest_update (digest, data, length);
  file->size += length;
  return TRUE;
}

/* Saves what stream gives. */
static gboolean
save_stream (VkResticSaver *saver, GInputStream *stream, const char *name, VkSavedFile *file, GError **error)
{
  g_autofree guint8 *piece = g_malloc (PIECE_BYTES);
  g_autoptr (VkDigest) digest = vk_digest_new ();
  gboolean ok = TRUE;
  gsize length = 1;

  *file = (VkSavedFile) { .content = vk_content_new () };
  while (ok && length > 0)
    {
      g_autoptr (GError) failure = NULL;

      if (!g_input_stream_read_all (stream, piece, PIECE_BYTES, &length, NULL, &failure))
        {
          vk_fail (error, VK_ERROR_STORE, "cannot read '%s': %s", name, failure->message);
          ok = FALSE;
        }
      else if (length > 0)
        ok = save_piece (saver, piece, length, file, digest, error);
    }
  if (ok)
    file->sha256 = vk_digest_finish (digest);
  else
    vk_saved_file_clear (file);
  return ok;
}

gboolean
vk_file_save_data (VkResticSaver *saver, const void *data, gsize length, VkSavedFile *file, GError **error)
{
  g_autoptr (GInputStream) stream = g_memory_input_stream_new_from_data (data, (gssize) length, NULL);

  return save_stream (saver, stream, "memory", file, error);
}

gboolean
vk_file_save_copy (VkResticSaver *saver, const char *path, VkSavedFile *file, GError **error)
{
  g_autoptr (GFile) source = g_file_new_for_path (path);
  g_autoptr (GError) failure = NULL;
  g_autoptr (GFileInputStream) stream = g_file_read (source, NULL, &failure);

  if (stream != NULL)
    return save_stream (saver, G_INPUT_STREAM (stream), path, file, error);
  return vk_fail (error, VK_ERROR_STORE, "cannot open '%s': %s", path, failure->message);
}
