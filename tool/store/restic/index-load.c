/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/index-load.h"

#include <string.h>

#include "base/error.h"
#include "store/restic/index-file.h"
#include "store/restic/unpacked.h"

/* A prune that runs meanwhile replaces index files: then they are listed anew. */
enum { ATTEMPTS = 5 };

/* What the threads share. */
struct load
{
  VkBackend *backend;
  VkCrypto *crypto;
  VkHostCache *cache;
  VkIndex *index;
  GCancellable *cancellable;
  GMutex lock;
  GError *failure; /* the first one */
};

static gboolean
has_failed (struct load *load)
{
  gboolean failed;

  g_mutex_lock (&load->lock);
  failed = load->failure != NULL;
  g_mutex_unlock (&load->lock);
  return failed;
}

/* Takes failure. */
static void
fail (struct load *load, GError *failure)
{
  g_mutex_lock (&load->lock);
  if (load->failure == NULL)
    load->failure = g_steal_pointer (&failure);
  g_mutex_unlock (&load->lock);
  g_clear_error (&failure);
}

/* The copy, if it is what its name says.  Returns: (transfer full) or NULL. */
static GBytes *
get_copy (struct load *load, const char *name)
{
  g_autoptr (GBytes) content = load->cache ? vk_host_cache_get (load->cache, name) : NULL;
  char actual[VK_RESTIC_ID_DIGITS + 1];
  VkResticId id;

  if (content == NULL)
    return NULL;
  vk_restic_id_of (g_bytes_get_data (content, NULL), g_bytes_get_size (content), &id);
  vk_restic_id_format (&id, actual);
  if (strcmp (actual, name) == 0)
    return g_steal_pointer (&content);
  vk_host_cache_reject (load->cache, name);
  return NULL;
}

/* The file out of the cache, or out of the repository and into the cache.
 * Returns: (transfer full). */
static GBytes *
get_file (struct load *load, const char *name, GError **error)
{
  GBytes *content = get_copy (load, name);

  if (content != NULL)
    return content;
  content = vk_backend_load (load->backend, VK_RESTIC_INDEX, name, 0, 0, load->cancellable, error);
  if (content != NULL && load->cache != NULL)
    vk_host_cache_put (load->cache, name, content);
  return content;
}

static gboolean
load_file (struct load *load, const char *name, GError **error)
{
  g_autoptr (GBytes) content = get_file (load, name, error);
  g_autoptr (GBytes) encoded = content ? vk_unpacked_unseal (load->crypto, content, VK_RESTIC_INDEX, name, error) : NULL;
  g_autoptr (GError) failure = NULL;

  if (encoded == NULL)
    return FALSE;
  if (vk_index_file_read (encoded, load->index, &failure))
    return TRUE;
  return vk_fail (error, VK_ERROR_DAMAGED, "the file %s/%s is damaged: %s", vk_restic_type_directory (VK_RESTIC_INDEX), name, failure->message);
}

/* Runs on the threads of the pool. */
static void
run (gpointer name, gpointer user_data)
{
  struct load *load = user_data;
  GError *failure = NULL;

  if (!has_failed (load) && !load_file (load, name, &failure))
    fail (load, failure);
}

/* Loads entries (of VkBackendEntry) whose names are not in loaded. */
static gboolean
load_entries (struct load *load, const GPtrArray *entries, GHashTable *loaded, GError **error)
{
  guint threads = MAX (MIN (load->backend->parallel, entries->len), 1);
  GThreadPool *pool = g_thread_pool_new (run, load, (gint) threads, FALSE, error);

  if (pool == NULL)
    return FALSE;
  g_mutex_init (&load->lock);
  for (guint i = 0; i < entries->len; i++)
    {
      const VkBackendEntry *entry = g_ptr_array_index (entries, i);

      if (!g_hash_table_contains (loaded, entry->name))
        g_thread_pool_push (pool, entry->name, NULL);
    }
  g_thread_pool_free (pool, FALSE, TRUE);
  g_mutex_clear (&load->lock);
  if (load->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&load->failure));
  return FALSE;
}

/* Whether one of the files in loaded is not there any more. */
static gboolean
any_is_gone (GHashTable *loaded, const GPtrArray *entries)
{
  guint found = 0;

  for (guint i = 0; i < entries->len; i++)
    found += g_hash_table_contains (loaded, ((const VkBackendEntry *) g_ptr_array_index (entries, i))->name);
  return found < g_hash_table_size (loaded);
}

static gboolean
load_once (struct load *load, GHashTable *loaded, GError **error)
{
  g_autoptr (GPtrArray) entries = vk_backend_list (load->backend, VK_RESTIC_INDEX, load->cancellable, error);

  if (entries == NULL)
    return FALSE;
  if (any_is_gone (loaded, entries))
    {
      vk_index_clear (load->index);
      g_hash_table_remove_all (loaded);
    }
  if (!load_entries (load, entries, loaded, error))
    return FALSE;
  for (guint i = 0; i < entries->len; i++)
    {
      const VkBackendEntry *entry = g_ptr_array_index (entries, i);

      g_hash_table_add (loaded, g_strdup (entry->name));
    }
  if (load->cache != NULL)
    vk_host_cache_sweep (load->cache, loaded);
  return TRUE;
}

gboolean
vk_index_load (VkBackend *backend, VkCrypto *crypto, VkHostCache *cache, VkIndex *index, GHashTable *loaded, GCancellable *cancellable, GError **error)
{
  struct load load = { .backend = backend, .crypto = crypto, .cache = cache, .index = index, .cancellable = cancellable };
  g_autoptr (GError) failure = NULL;

  for (guint i = 0; i < ATTEMPTS; i++)
    {
      g_clear_error (&failure);
      if (load_once (&load, loaded, &failure))
        return TRUE;
      if (!g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
        break;
    }
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}
