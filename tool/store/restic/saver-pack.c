/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/saver-private.h"

#include "store/restic/index-file.h"

/* Besides those that are being uploaded: an open one of either type, and one that is being
 * hashed. */
enum { OTHER_PACKS = BLOB_TYPES + 1 };

/* Writes an index file for packs, whose blobs are found in the index in memory
 * from then on. */
static gboolean
write_index (VkResticSaver *saver, const GPtrArray *packs, GError **error)
{
  gsize size;

  if ((saver->options.lock != NULL && !vk_restic_lock_check (saver->options.lock, error))
      || !vk_index_file_save (vk_restic_backend (saver->repo), vk_restic_crypto (saver->repo), packs, &size, saver->cancellable, error))
    return FALSE;
  g_mutex_lock (&saver->lock);
  saver->stats.stored_bytes += size;
  for (guint i = 0; i < packs->len; i++)
    {
      const VkIndexPack *pack = g_ptr_array_index (packs, i);

      vk_restic_add_pack (saver->repo, &pack->id, (const VkPackBlob *) (gpointer) pack->blobs->data, pack->blobs->len);
      for (guint j = 0; j < pack->blobs->len; j++)
        g_hash_table_remove (saver->pending, &g_array_index (pack->blobs, VkPackBlob, j));
    }
  g_mutex_unlock (&saver->lock);
  return TRUE;
}

/* With the lock held: what has to be in an index file before more blobs are
 * added, or NULL.  Returns: (transfer full) of VkIndexPack. */
static GPtrArray *
take_unindexed (VkResticSaver *saver, guint more)
{
  GPtrArray *packs;

  if (saver->unindexed->len == 0 || saver->unindexed_blobs + more <= VK_INDEX_FILE_BLOBS)
    return NULL;
  packs = g_steal_pointer (&saver->unindexed);
  saver->unindexed = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_index_pack_free);
  saver->unindexed_blobs = 0;
  return packs;
}

/* The pack is durable.  Takes over blobs. */
static gboolean
note_pack (VkResticSaver *saver, const VkResticId *id, GArray *blobs, gsize size, GError **error)
{
  g_autoptr (GPtrArray) packs = NULL;
  VkIndexPack *pack = g_new0 (VkIndexPack, 1);

  pack->id = *id;
  pack->blobs = blobs;
  g_mutex_lock (&saver->lock);
  packs = take_unindexed (saver, blobs->len);
  g_ptr_array_add (saver->unindexed, pack);
  saver->unindexed_blobs += blobs->len;
  saver->stats.stored_bytes += size;
  g_mutex_unlock (&saver->lock);
  return packs == NULL || write_index (saver, packs, error);
}

/* A pack that is complete, on its way to the backend. */
struct upload
{
  VkPackBuilder *builder;
  GBytes *content; /* in its memory */
  GArray *blobs;
  VkResticId id;
};

/* But for its builder, whose memory is used again. */
static void
upload_free (struct upload *upload)
{
  g_bytes_unref (upload->content);
  g_clear_pointer (&upload->blobs, g_array_unref);
  g_free (upload);
}

static gboolean
run_upload (VkResticSaver *saver, struct upload *upload, GError **error)
{
  char name[VK_RESTIC_ID_DIGITS + 1];

  if (!vk_restic_saver_check (saver, error) || (saver->options.lock != NULL && !vk_restic_lock_check (saver->options.lock, error)))
    return FALSE;
  vk_restic_id_format (&upload->id, name);
  return vk_backend_save (vk_restic_backend (saver->repo), VK_RESTIC_DATA, name, upload->content, saver->cancellable, error)
      && note_pack (saver, &upload->id, g_steal_pointer (&upload->blobs), g_bytes_get_size (upload->content), error);
}

/* A pack's memory is kept for the next one: new memory costs more time, a fault for each
 * page, than what is done with it. */
void
vk_saver_run_upload (gpointer data, gpointer user_data)
{
  struct upload *upload = data; /* taken over */
  VkResticSaver *saver = user_data;
  VkPackBuilder *builder = upload->builder;
  GError *failure = NULL;

  if (!run_upload (saver, upload, &failure))
    vk_saver_fail (saver, failure);
  upload_free (upload);
  vk_pack_builder_reset (builder);
  g_mutex_lock (&saver->lock);
  if (saver->idle != NULL)
    g_ptr_array_add (saver->idle, g_steal_pointer (&builder));
  saver->packs--;
  saver->uploading--;
  g_cond_broadcast (&saver->changed);
  g_mutex_unlock (&saver->lock);
  vk_pack_builder_free (builder);
}

/* Takes over the pack.  It is hashed here, so that uploads have only the backend to wait
 * for, and the processors are busy meanwhile. */
static void
dispatch (VkResticSaver *saver, VkPackBuilder *builder)
{
  struct upload *upload = g_new0 (struct upload, 1);

  upload->builder = builder;
  upload->content = vk_pack_builder_finish (builder, vk_restic_crypto (saver->repo), &upload->id, &upload->blobs);
  g_mutex_lock (&saver->lock);
  saver->uploading++;
  g_mutex_unlock (&saver->lock);
  g_thread_pool_push (saver->uploaders, upload, NULL);
}

/* With the lock held, but for the time that it takes: nothing more is added to the open
 * pack.  If somebody is still at it, he dispatches it then. */
static void
close_pack (VkResticSaver *saver, VkPackBuilder **open)
{
  VkPackBuilder *full = g_steal_pointer (open);

  if (!vk_pack_builder_close (full))
    return;
  g_mutex_unlock (&saver->lock);
  dispatch (saver, full);
  g_mutex_lock (&saver->lock);
}

/* With the lock held: opens a pack, unless somebody else has meanwhile.  Waits while there
 * are enough of them, which whoever has one to dispatch has done before. */
static gboolean
begin_pack (VkResticSaver *saver, VkPackBuilder **open, GError **error)
{
  while (*open == NULL && saver->packs >= saver->options.uploads + OTHER_PACKS && vk_saver_check_locked (saver, NULL))
    g_cond_wait (&saver->changed, &saver->lock);
  if (!vk_saver_check_locked (saver, error))
    return FALSE;
  if (*open != NULL)
    return TRUE;
  if (saver->idle != NULL && saver->idle->len > 0)
    *open = g_ptr_array_steal_index_fast (saver->idle, saver->idle->len - 1);
  else
    *open = vk_pack_builder_new (saver->options.pack_size);
  saver->packs++;
  g_cond_broadcast (&saver->changed);
  return TRUE;
}

/* With the lock held, which may have been free meanwhile: an open pack that the blob fits
 * into, or NULL. */
static VkPackBuilder *
open_pack (VkResticSaver *saver, const VkPackBlob *blob, GError **error)
{
  VkPackBuilder **open = &saver->open[blob->type];

  while (*open == NULL || !vk_pack_builder_fits (*open, blob->length))
    if (*open != NULL)
      close_pack (saver, open);
    else if (!begin_pack (saver, open, error))
      return NULL;
  return *open;
}

/* Encrypting is what takes long: it is done outside the lock, and straight to where the
 * blob belongs. */
gboolean
vk_saver_append (VkResticSaver *saver, VkPackBlob *blob, const void *content, GError **error)
{
  VkPackBuilder *builder;
  guint8 *room = NULL;
  gboolean is_last;

  g_mutex_lock (&saver->lock);
  builder = open_pack (saver, blob, error);
  if (builder != NULL)
    room = vk_pack_builder_reserve (builder, blob);
  g_mutex_unlock (&saver->lock);
  if (builder == NULL)
    return FALSE;
  vk_crypto_seal (vk_restic_crypto (saver->repo), content, blob->length - VK_SEAL_OVERHEAD, room);
  g_mutex_lock (&saver->lock);
  is_last = vk_pack_builder_filled (builder);
  g_mutex_unlock (&saver->lock);
  if (is_last)
    dispatch (saver, builder);
  return TRUE;
}

gboolean
vk_saver_append_array (VkResticSaver *saver, VkPackBlob *blob, GByteArray *sealed, GError **error)
{
  VkPackBuilder *builder;

  g_mutex_lock (&saver->lock);
  builder = open_pack (saver, blob, error);
  if (builder != NULL)
    vk_pack_builder_add_array (builder, blob, sealed);
  g_mutex_unlock (&saver->lock);
  if (builder == NULL)
    g_byte_array_unref (sealed);
  return builder != NULL;
}

void
vk_restic_saver_shrink (VkResticSaver *saver)
{
  g_autoptr (GPtrArray) idle = NULL;

  g_mutex_lock (&saver->lock);
  idle = g_steal_pointer (&saver->idle);
  g_mutex_unlock (&saver->lock);
}

static gboolean
wait_for_none (VkResticSaver *saver, const guint *count, GError **error)
{
  gboolean ok;

  g_mutex_lock (&saver->lock);
  while (*count > 0 && vk_saver_check_locked (saver, NULL))
    g_cond_wait (&saver->changed, &saver->lock);
  ok = vk_saver_check_locked (saver, error);
  g_mutex_unlock (&saver->lock);
  return ok;
}

static gboolean
flush_index (VkResticSaver *saver, GError **error)
{
  g_autoptr (GPtrArray) packs = NULL;

  g_mutex_lock (&saver->lock);
  packs = take_unindexed (saver, VK_INDEX_FILE_BLOBS);
  g_mutex_unlock (&saver->lock);
  return packs == NULL || write_index (saver, packs, error);
}

gboolean
vk_saver_flush_packs (VkResticSaver *saver, GError **error)
{
  if (!wait_for_none (saver, &saver->queued, error))
    return FALSE;
  for (guint type = 0; type < BLOB_TYPES; type++)
    {
      VkPackBuilder *last = g_steal_pointer (&saver->open[type]);

      if (last != NULL)
        dispatch (saver, last);
    }
  return wait_for_none (saver, &saver->uploading, error) && flush_index (saver, error);
}
