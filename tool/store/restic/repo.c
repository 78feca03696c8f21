/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/repo.h"

#include <glib/gi18n.h>

#include "base/error.h"
#include "store/restic/blob-cache.h"
#include "store/restic/host-cache.h"
#include "store/restic/index-load.h"
#include "store/restic/index.h"
#include "store/restic/key.h"
#include "store/restic/repo-config.h"
#include "store/restic/zstd.h"

static const gsize default_cache_bytes = 64 << 20;

/* Of copies of index files: larger ones are read from the repository each time.  The
 * index of 8 TiB in chunks of 1 MiB takes 400 MB. */
static const gsize index_copy_limit = 256 << 20;
static const guint64 index_copies_limit = G_GUINT64_CONSTANT (4) << 30;

struct VkRestic
{
  VkBackend *backend;
  VkCrypto *crypto;
  VkRepoConfig config;
  VkIndex *index;
  VkHostCache *index_cache;    /* or NULL */
  GMutex lock;                 /* over the loading of index files */
  GHashTable *loaded;          /* names of those that have been */
  gboolean index_is_loaded;
  VkBlobCache *blobs;
};

/* --- opening -------------------------------------------------------------- */

/* Takes over backend. */
static VkRestic *
restic_new (VkBackend *backend)
{
  VkRestic *repo = g_new0 (VkRestic, 1);

  repo->backend = backend;
  g_mutex_init (&repo->lock);
  repo->loaded = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  repo->index = vk_index_new ();
  return repo;
}

void
vk_restic_close (VkRestic *repo)
{
  if (repo == NULL)
    return;
  vk_backend_free (repo->backend);
  vk_crypto_free (repo->crypto);
  vk_index_free (repo->index);
  vk_host_cache_free (repo->index_cache);
  vk_blob_cache_free (repo->blobs);
  g_hash_table_unref (repo->loaded);
  g_mutex_clear (&repo->lock);
  g_free (repo);
}

static void
prepare (VkRestic *repo, const VkResticOptions *options)
{
  gsize cache_bytes = options ? options->cache_bytes : 0;

  repo->blobs = vk_blob_cache_new (cache_bytes ? cache_bytes : default_cache_bytes);
  if (options == NULL || !options->no_cache)
    repo->index_cache = vk_host_cache_new (options ? options->cache_directory : NULL, repo->config.id, "index", index_copy_limit, index_copies_limit);
}

/* Tells "no repository" from a repository whose keys are gone. */
static gboolean
check_presence (VkBackend *backend, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failure = NULL;
  guint64 size;

  if (vk_backend_stat (backend, VK_RESTIC_CONFIG, NULL, &size, cancellable, &failure))
    return TRUE;
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    vk_fail (error, VK_ERROR_NOT_FOUND, "there is no restic repository in %s: `virt-keep init' or `restic init' makes one", backend->location);
  else
    g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
open_config (VkRestic *repo, const VkResticKey *master, const VkResticOptions *options, GCancellable *cancellable, GError **error)
{
  repo->crypto = vk_crypto_new (master);
  if (!vk_repo_config_load (repo->backend, repo->crypto, &repo->config, cancellable, error))
    {
      g_prefix_error (error, "%s: ", repo->backend->location);
      return FALSE;
    }
  prepare (repo, options);
  return TRUE;
}

VkRestic *
vk_restic_open (VkBackend *backend, const char *password, const VkResticOptions *options, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkRestic) repo = restic_new (backend);
  g_auto (VkResticKey) master = { 0 };

  if (check_presence (backend, cancellable, error)
      && vk_restic_key_find (backend, password, &master, cancellable, error)
      && open_config (repo, &master, options, cancellable, error))
    return g_steal_pointer (&repo);
  return NULL;
}

VkRestic *
vk_restic_open_with_key (VkBackend *backend, const VkResticKey *master, const VkResticOptions *options, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkRestic) repo = restic_new (backend);

  if (check_presence (backend, cancellable, error) && open_config (repo, master, options, cancellable, error))
    return g_steal_pointer (&repo);
  return NULL;
}

/* FALSE, with *error, when there is a repository or that cannot be found out. */
static gboolean
check_absence (VkBackend *backend, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failure = NULL;
  guint64 size;

  if (vk_backend_stat (backend, VK_RESTIC_CONFIG, NULL, &size, cancellable, &failure))
    vk_fail (error, VK_ERROR_REFUSED, "there is a restic repository in %s already", backend->location);
  else if (g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    return TRUE;
  else
    g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

/* A new master key, unless there is the key of a repository that was begun and not finished, which
 * has no config yet: a second key for the same password would not open what the first one is
 * tried for. */
static gboolean
choose_master (VkBackend *backend, const char *password, VkResticKey *master, gboolean *has_key, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failure = NULL;

  *has_key = vk_restic_key_find (backend, password, master, cancellable, &failure);
  if (*has_key)
    return TRUE;
  if (!g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND) && !g_error_matches (failure, VK_ERROR, VK_ERROR_REFUSED) && !g_error_matches (failure, VK_ERROR, VK_ERROR_DAMAGED))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  vk_restic_random (master, sizeof *master);
  return TRUE;
}

/* After a failure: without a config, or beside that of somebody who was faster, our key opens
 * nothing, and would only be in the way of others. */
static void
take_back_key (VkBackend *backend, VkCrypto *crypto, const char *name)
{
  g_autoptr (GError) failure = NULL;
  VkRepoConfig found;

  if (vk_repo_config_load (backend, crypto, &found, NULL, &failure))
    return;
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND) || g_error_matches (failure, VK_ERROR, VK_ERROR_DAMAGED))
    vk_backend_remove (backend, VK_RESTIC_KEY, name, NULL, NULL);
}

VkRestic *
vk_restic_create (VkBackend *backend, const char *password, const VkResticOptions *options, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkRestic) repo = restic_new (backend);
  g_auto (VkResticKey) master = { 0 };
  g_autofree char *key_name = NULL;
  gboolean has_key;

  if (!check_absence (backend, cancellable, error)
      || !vk_backend_create (backend, cancellable, error)
      || !choose_master (backend, password, &master, &has_key, cancellable, error))
    return NULL;
  repo->crypto = vk_crypto_new (&master);
  vk_repo_config_make (&repo->config);
  /* The config comes last: with it the repository is there. */
  if ((!has_key && !vk_restic_key_add (backend, &master, password, &key_name, cancellable, error))
      || !vk_repo_config_save (backend, repo->crypto, &repo->config, cancellable, error))
    {
      if (key_name != NULL)
        take_back_key (backend, repo->crypto, key_name);
      return NULL;
    }
  prepare (repo, options);
  return g_steal_pointer (&repo);
}

const char *
vk_restic_repo_id (VkRestic *repo)
{
  return repo->config.id;
}

VkBackend *
vk_restic_backend (VkRestic *repo)
{
  return repo->backend;
}

VkCrypto *
vk_restic_crypto (VkRestic *repo)
{
  return repo->crypto;
}

/* --- the index ------------------------------------------------------------ */

/* Loads what is new, or only what has to be there at all. */
static gboolean
load_index (VkRestic *repo, gboolean again, GCancellable *cancellable, GError **error)
{
  gboolean ok = TRUE;

  g_mutex_lock (&repo->lock);
  if (again || !repo->index_is_loaded)
    ok = vk_index_load (repo->backend, repo->crypto, repo->index_cache, repo->index, repo->loaded, cancellable, error);
  repo->index_is_loaded = repo->index_is_loaded || ok;
  g_mutex_unlock (&repo->lock);
  return ok;
}

gboolean
vk_restic_load_index (VkRestic *repo, GCancellable *cancellable, GError **error)
{
  return load_index (repo, TRUE, cancellable, error);
}

void
vk_restic_forget_index (VkRestic *repo)
{
  g_mutex_lock (&repo->lock);
  vk_index_free (repo->index);
  repo->index = vk_index_new ();
  g_hash_table_remove_all (repo->loaded);
  repo->index_is_loaded = FALSE;
  g_mutex_unlock (&repo->lock);
}

gboolean
vk_restic_lookup (VkRestic *repo, VkBlobType type, const VkResticId *id, VkBlobLocation *location)
{
  return vk_index_lookup (repo->index, type, id, location);
}

gboolean
vk_restic_blob_length (VkRestic *repo, VkBlobType type, const VkResticId *id, guint32 *length)
{
  VkBlobLocation location;

  if (!vk_index_lookup (repo->index, type, id, &location))
    return FALSE;
  *length = vk_blob_content_length (location.length, location.raw_length);
  return TRUE;
}

void
vk_restic_index_stats (VkRestic *repo, guint64 *blobs, gsize *memory)
{
  *blobs = vk_index_count (repo->index);
  *memory = vk_index_memory (repo->index);
}

void
vk_restic_add_pack (VkRestic *repo, const VkResticId *pack, const VkPackBlob *blobs, guint count)
{
  vk_index_add_pack (repo->index, pack, blobs, count);
}

/* --- reading blobs -------------------------------------------------------- */

/* What messages say of a blob. */
static char *
describe (VkBlobType type, const VkResticId *id, const VkBlobLocation *location)
{
  char blob[VK_RESTIC_ID_DIGITS + 1];
  char pack[VK_RESTIC_ID_DIGITS + 1];

  vk_restic_id_format (id, blob);
  vk_restic_id_format (&location->pack, pack);
  return g_strdup_printf ("the %s blob %s (pack %s, %u bytes at %u)", vk_blob_type_name (type), blob, pack, location->length, location->offset);
}

static gpointer
set_damaged_error (GError **error, VkBlobType type, const VkResticId *id, const VkBlobLocation *location, const char *words)
{
  g_autofree char *blob = describe (type, id, location);

  vk_fail (error, VK_ERROR_DAMAGED, "%s is damaged: %s", blob, words);
  return NULL;
}

/* Replaces what the backend says by what it means for the blob: a pack that is
 * gone or too short is found out, anything else may be a matter of the way there. */
static void
explain_failure (VkRestic *repo, VkBlobType type, const VkResticId *id, const VkBlobLocation *location, GCancellable *cancellable, GError **error)
{
  g_autofree char *blob = describe (type, id, location);
  char name[VK_RESTIC_ID_DIGITS + 1];
  guint64 size;

  vk_restic_id_format (&location->pack, name);
  if (g_error_matches (*error, VK_ERROR, VK_ERROR_NOT_FOUND))
    {
      g_clear_error (error);
      vk_fail (error, VK_ERROR_NOT_FOUND, "%s is missing: there is no such pack", blob);
    }
  else if (g_error_matches (*error, VK_ERROR, VK_ERROR_STORE) && vk_backend_stat (repo->backend, VK_RESTIC_DATA, name, &size, cancellable, NULL)
           && size < (guint64) location->offset + location->length)
    {
      g_clear_error (error);
      set_damaged_error (error, type, id, location, "the pack has been cut off");
    }
  else
    g_prefix_error (error, _("%s cannot be read: "), blob);
}

/* Returns: (transfer full) the sealed blob. */
static gpointer
load_sealed (VkRestic *repo, VkBlobType type, const VkResticId *id, const VkBlobLocation *location, GCancellable *cancellable, GError **error)
{
  char name[VK_RESTIC_ID_DIGITS + 1];
  g_autoptr (GError) failure = NULL;
  g_autoptr (GBytes) content = NULL;
  gsize length;

  vk_restic_id_format (&location->pack, name);
  content = vk_backend_load (repo->backend, VK_RESTIC_DATA, name, location->offset, location->length, cancellable, &failure);
  if (content == NULL)
    {
      explain_failure (repo, type, id, location, cancellable, &failure);
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  if (g_bytes_get_size (content) != location->length)
    return set_damaged_error (error, type, id, location, "the pack has been cut off");
  /* Without a copy, as nobody else has it. */
  return g_bytes_unref_to_data (g_steal_pointer (&content), &length);
}

static gboolean
find_blob (VkRestic *repo, VkBlobType type, const VkResticId *id, VkBlobLocation *location, GCancellable *cancellable, GError **error)
{
  char name[VK_RESTIC_ID_DIGITS + 1];

  if (!load_index (repo, FALSE, cancellable, error))
    return FALSE;
  if (vk_index_lookup (repo->index, type, id, location))
    return TRUE;
  vk_restic_id_format (id, name);
  return vk_fail (error, VK_ERROR_NOT_FOUND, "the %s blob %s is missing: no index file lists it", vk_blob_type_name (type), name);
}

/* The same as vk_restic_load_stored(); *location is set on success. */
static GBytes *
load_stored (VkRestic *repo, VkBlobType type, const VkResticId *id, VkBlobLocation *location, GCancellable *cancellable, GError **error)
{
  g_autofree guint8 *sealed = NULL;
  guint8 *plain;
  gsize length;

  if (!find_blob (repo, type, id, location, cancellable, error))
    return NULL;
  sealed = load_sealed (repo, type, id, location, cancellable, error);
  if (sealed == NULL)
    return NULL;
  length = location->length - VK_SEAL_OVERHEAD;
  plain = sealed + VK_SEAL_IV_BYTES;
  if (!vk_crypto_unseal (repo->crypto, sealed, location->length, plain))
    return set_damaged_error (error, type, id, location, "its bytes have changed");
  return g_bytes_new_with_free_func (plain, length, g_free, g_steal_pointer (&sealed));
}

GBytes *
vk_restic_load_stored (VkRestic *repo, VkBlobType type, const VkResticId *id, guint32 *raw_length, GCancellable *cancellable, GError **error)
{
  VkBlobLocation location;
  GBytes *stored = load_stored (repo, type, id, &location, cancellable, error);

  if (stored != NULL)
    *raw_length = location.raw_length;
  return stored;
}

/* stored decompressed, if it is compressed.  Returns: (transfer full). */
static GBytes *
decompress (GBytes *stored, guint32 raw_length, GError **error)
{
  g_autofree guint8 *content = NULL;

  if (raw_length == 0)
    return g_bytes_ref (stored);
  content = g_malloc (raw_length);
  if (!vk_zstd_decompress_into (g_bytes_get_data (stored, NULL), g_bytes_get_size (stored), content, raw_length, error))
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&content), raw_length);
}

static GBytes *
read_blob (VkRestic *repo, VkBlobType type, const VkResticId *id, GCancellable *cancellable, GError **error)
{
  VkBlobLocation location;
  g_autoptr (GBytes) stored = load_stored (repo, type, id, &location, cancellable, error);
  g_autoptr (GBytes) content = NULL;
  g_autoptr (GError) failure = NULL;
  VkResticId actual;

  if (stored == NULL)
    return NULL;
  content = decompress (stored, location.raw_length, &failure);
  if (failure != NULL)
    return set_damaged_error (error, type, id, &location, failure->message);
  vk_restic_id_of (g_bytes_get_data (content, NULL), g_bytes_get_size (content), &actual);
  if (!vk_restic_id_equal (&actual, id))
    return set_damaged_error (error, type, id, &location, "its content has another SHA-256 than its id");
  return g_steal_pointer (&content);
}

GBytes *
vk_restic_load_blob (VkRestic *repo, VkBlobType type, const VkResticId *id, GCancellable *cancellable, GError **error)
{
  GBytes *content = vk_blob_cache_get (repo->blobs, id);

  if (content != NULL)
    return content;
  content = read_blob (repo, type, id, cancellable, error);
  vk_blob_cache_put (repo->blobs, id, content);
  return content;
}
