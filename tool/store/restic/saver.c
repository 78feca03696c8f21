/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/saver.h"

#include <glib/gi18n.h>

#include "base/error.h"
#include "store/restic/index-file.h"
#include "store/restic/saver-private.h"
#include "store/restic/zstd.h"

/* A blob for the workers. */
struct job
{
  VkBlobType type;
  GBytes *content;
  VkSavedFunc saved;
  gpointer user_data;
};

static void run_job (gpointer data, gpointer user_data);

/* --- failure -------------------------------------------------------------- */

/* Takes failure.  Returns FALSE. */
gboolean
vk_saver_fail (VkResticSaver *saver, GError *failure)
{
  g_mutex_lock (&saver->lock);
  if (saver->failure == NULL)
    saver->failure = g_steal_pointer (&failure);
  g_cond_broadcast (&saver->changed);
  g_mutex_unlock (&saver->lock);
  g_clear_error (&failure);
  return FALSE;
}

gboolean
vk_saver_check_locked (VkResticSaver *saver, GError **error)
{
  if (saver->failure == NULL)
    g_cancellable_set_error_if_cancelled (saver->cancellable, &saver->failure);
  if (saver->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_error_copy (saver->failure));
  return FALSE;
}

gboolean
vk_restic_saver_check (VkResticSaver *saver, GError **error)
{
  gboolean ok;

  g_mutex_lock (&saver->lock);
  ok = vk_saver_check_locked (saver, error);
  g_mutex_unlock (&saver->lock);
  return ok;
}

static void
cancelled (GCancellable *cancellable, gpointer user_data)
{
  VkResticSaver *saver = user_data;

  g_mutex_lock (&saver->lock);
  g_cond_broadcast (&saver->changed);
  g_mutex_unlock (&saver->lock);
}

/* --- making and freeing --------------------------------------------------- */

static guint
hash_blob (gconstpointer blob)
{
  return vk_restic_id_hash (&((const VkPackBlob *) blob)->id);
}

static gboolean
same_blob (gconstpointer a, gconstpointer b)
{
  const VkPackBlob *one = a;
  const VkPackBlob *other = b;

  return one->type == other->type && vk_restic_id_equal (&one->id, &other->id);
}

static void
fill_in_defaults (VkResticSaverOptions *options, const VkBackend *backend)
{
  if (options->threads == 0)
    options->threads = g_get_num_processors ();
  if (options->uploads == 0)
    options->uploads = MAX (backend->parallel, 1);
  if (options->pack_size == 0)
    options->pack_size = VK_PACK_SIZE_DEFAULT;
  options->pack_size = CLAMP (options->pack_size, VK_PACK_SIZE_MIN, VK_PACK_SIZE_MAX);
  if (options->level == 0)
    options->level = VK_ZSTD_DATA_LEVEL;
}

VkResticSaver *
vk_restic_saver_new (VkRestic *repo, const VkResticSaverOptions *options, GCancellable *cancellable)
{
  VkResticSaver *saver = g_new0 (VkResticSaver, 1);

  saver->repo = repo;
  if (options != NULL)
    saver->options = *options;
  fill_in_defaults (&saver->options, vk_restic_backend (repo));
  g_mutex_init (&saver->lock);
  g_cond_init (&saver->changed);
  saver->pending = g_hash_table_new_full (hash_blob, same_blob, g_free, NULL);
  saver->idle = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_pack_builder_free);
  saver->unindexed = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_index_pack_free);
  /* Threads that are not the pool's own are only ever missing for want of
   * memory. */
  saver->workers = g_thread_pool_new (run_job, saver, (gint) saver->options.threads, FALSE, NULL);
  saver->uploaders = g_thread_pool_new (vk_saver_run_upload, saver, (gint) saver->options.uploads, FALSE, NULL);
  if (cancellable != NULL)
    {
      saver->cancellable = g_object_ref (cancellable);
      saver->cancel_handler = g_cancellable_connect (cancellable, G_CALLBACK (cancelled), saver, NULL);
    }
  return saver;
}

void
vk_restic_saver_free (VkResticSaver *saver)
{
  if (saver == NULL)
    return;
  vk_saver_fail (saver, g_error_new_literal (VK_ERROR, VK_ERROR_FAILED, _("it was given up")));
  g_thread_pool_free (saver->workers, FALSE, TRUE);
  g_thread_pool_free (saver->uploaders, FALSE, TRUE);
  g_cancellable_disconnect (saver->cancellable, saver->cancel_handler);
  g_clear_object (&saver->cancellable);
  for (guint type = 0; type < BLOB_TYPES; type++)
    vk_pack_builder_free (saver->open[type]);
  g_clear_pointer (&saver->idle, g_ptr_array_unref);
  g_hash_table_unref (saver->pending);
  g_ptr_array_unref (saver->unindexed);
  g_clear_error (&saver->failure);
  g_cond_clear (&saver->changed);
  g_mutex_clear (&saver->lock);
  g_free (saver);
}

void
vk_restic_saver_get_stats (VkResticSaver *saver, VkResticSaverStats *stats)
{
  g_mutex_lock (&saver->lock);
  *stats = saver->stats;
  g_mutex_unlock (&saver->lock);
}

/* --- blobs ---------------------------------------------------------------- */

/* Whether nobody has saved the blob or is saving it; then the caller has to. */
static gboolean
claim (VkResticSaver *saver, VkBlobType type, const VkResticId *id, gsize length)
{
  VkPackBlob key = { .id = *id, .type = type };
  gboolean is_new;

  g_mutex_lock (&saver->lock);
  is_new = !g_hash_table_contains (saver->pending, &key) && !vk_restic_lookup (saver->repo, type, id, NULL);
  saver->stats.blobs++;
  if (is_new)
    {
      g_hash_table_add (saver->pending, g_memdup2 (&key, sizeof key));
      saver->stats.new_blobs++;
      saver->stats.new_bytes += length;
    }
  g_mutex_unlock (&saver->lock);
  return is_new;
}

static gboolean
check_length (gsize length, GError **error)
{
  if (length > 0 && length <= VK_BLOB_LIMIT - VK_SEAL_OVERHEAD)
    return TRUE;
  return vk_fail (error, VK_ERROR_FAILED, "a blob of %zu bytes cannot be saved", length);
}

/* Compresses the blob, if that makes it smaller, and puts it into a pack. */
static gboolean
pack (VkResticSaver *saver, VkBlobType type, const VkResticId *id, const void *content, gsize length, GError **error)
{
  int level = saver->options.level > 0 || type == VK_BLOB_DATA ? saver->options.level : VK_ZSTD_LEVEL;
  gsize size = length;
  const guint8 *compressed = level > 0 ? vk_zstd_compress_here (content, length, level, &size) : NULL;
  gboolean smaller = size < length;
  VkPackBlob blob = { .id = *id, .type = type, .raw_length = smaller ? (guint32) length : 0, .length = (guint32) (MIN (size, length) + VK_SEAL_OVERHEAD) };

  return vk_saver_append (saver, &blob, smaller ? compressed : content, error);
}

/* Hashes the blob and saves it unless it is there. */
static gboolean
save (VkResticSaver *saver, VkBlobType type, const void *content, gsize length, VkResticId *id, gboolean *is_new, GError **error)
{
  if (!vk_restic_saver_check (saver, error) || !check_length (length, error))
    return FALSE;
  vk_restic_id_of (content, length, id);
  *is_new = claim (saver, type, id, length);
  return !*is_new || pack (saver, type, id, content, length, error);
}

/* Runs on the threads of the pool. */
static void
run_job (gpointer data, gpointer user_data)
{
  g_autofree struct job *job = data;
  VkResticSaver *saver = user_data;
  GError *failure = NULL;
  gboolean is_new;
  VkResticId id;
  gsize length;
  const void *content = g_bytes_get_data (job->content, &length);

  if (!save (saver, job->type, content, length, &id, &is_new, &failure))
    vk_saver_fail (saver, failure);
  else if (job->saved != NULL)
    job->saved (&id, is_new, job->user_data);
  g_bytes_unref (job->content);
  g_mutex_lock (&saver->lock);
  saver->queued--;
  g_cond_broadcast (&saver->changed);
  g_mutex_unlock (&saver->lock);
}

gboolean
vk_restic_saver_push (VkResticSaver *saver, VkBlobType type, GBytes *content, VkSavedFunc saved, gpointer user_data, GError **error)
{
  struct job *job;
  gboolean ok;

  g_mutex_lock (&saver->lock);
  ok = vk_saver_check_locked (saver, error);
  if (ok)
    saver->queued++;
  g_mutex_unlock (&saver->lock);
  if (!ok)
    return FALSE;
  job = g_new (struct job, 1);
  job->type = type;
  job->content = g_bytes_ref (content);
  job->saved = saved;
  job->user_data = user_data;
  g_thread_pool_push (saver->workers, job, NULL);
  return TRUE;
}

/* A blob whose id has been taken and that was not packed is lost for whoever
 * gives it again: nothing can go on. */
static gboolean
finish_call (VkResticSaver *saver, gboolean ok, GError *failure, GError **error)
{
  if (ok)
    return TRUE;
  g_propagate_error (error, g_error_copy (failure));
  return vk_saver_fail (saver, failure);
}

gboolean
vk_restic_saver_add (VkResticSaver *saver, VkBlobType type, const void *content, gsize length, VkResticId *id, GError **error)
{
  GError *failure = NULL;
  gboolean is_new;
  gboolean ok = save (saver, type, content, length, id, &is_new, &failure);

  return finish_call (saver, ok, failure, error);
}

gboolean
vk_restic_saver_add_compressed (VkResticSaver *saver, VkBlobType type, const VkResticId *id, guint32 length, GByteArray *content, GError **error)
{
  g_autoptr (GByteArray) sealed = content;
  gsize size = content->len - VK_SEAL_IV_BYTES;
  VkPackBlob blob = { .id = *id, .type = type, .raw_length = length, .length = (guint32) (size + VK_SEAL_OVERHEAD) };
  GError *failure = NULL;
  gboolean ok = vk_restic_saver_check (saver, &failure) && check_length (length, &failure) && check_length (size, &failure);

  if (ok && claim (saver, type, id, length))
    {
      g_byte_array_set_size (sealed, blob.length);
      vk_crypto_seal (vk_restic_crypto (saver->repo), sealed->data + VK_SEAL_IV_BYTES, size, sealed->data);
      ok = vk_saver_append_array (saver, &blob, g_steal_pointer (&sealed), &failure);
    }
  return finish_call (saver, ok, failure, error);
}

gboolean
vk_restic_saver_flush (VkResticSaver *saver, GError **error)
{
  GError *failure = NULL;
  gboolean ok = vk_saver_flush_packs (saver, &failure);

  return finish_call (saver, ok, failure, error);
}
