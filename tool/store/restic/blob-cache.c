/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/blob-cache.h"

struct blob
{
  VkResticId id;
  GBytes *content; /* NULL while it is being read */
  GList link;      /* in order of use, once it has been read */
};

struct VkBlobCache
{
  GMutex lock;
  GCond read;          /* a blob has been read, or could not be */
  GHashTable *blobs;   /* by id */
  GQueue used;         /* of struct blob, the last one used first */
  gsize size;          /* bytes */
  gsize limit;
};

static void
blob_free (struct blob *blob)
{
  g_clear_pointer (&blob->content, g_bytes_unref);
  g_free (blob);
}

VkBlobCache *
vk_blob_cache_new (gsize limit)
{
  VkBlobCache *cache = g_new0 (VkBlobCache, 1);

  g_mutex_init (&cache->lock);
  g_cond_init (&cache->read);
  cache->blobs = g_hash_table_new_full (vk_restic_id_hash, vk_restic_id_equals, NULL, (GDestroyNotify) blob_free);
  g_queue_init (&cache->used);
  cache->limit = limit;
  return cache;
}

void
vk_blob_cache_free (VkBlobCache *cache)
{
  if (cache == NULL)
    return;
  g_hash_table_unref (cache->blobs);
  g_cond_clear (&cache->read);
  g_mutex_clear (&cache->lock);
  g_free (cache);
}

static void
add_being_read (VkBlobCache *cache, const VkResticId *id)
{
  struct blob *blob = g_new0 (struct blob, 1);

  blob->id = *id;
  blob->link.data = blob;
  g_hash_table_insert (cache->blobs, &blob->id, blob);
}

static GBytes *
use (VkBlobCache *cache, struct blob *blob)
{
  g_queue_unlink (&cache->used, &blob->link);
  g_queue_push_head_link (&cache->used, &blob->link);
  return g_bytes_ref (blob->content);
}

GBytes *
vk_blob_cache_get (VkBlobCache *cache, const VkResticId *id)
{
  GBytes *content = NULL;
  struct blob *blob;

  g_mutex_lock (&cache->lock);
  while ((blob = g_hash_table_lookup (cache->blobs, id)) != NULL && blob->content == NULL)
    g_cond_wait (&cache->read, &cache->lock);
  if (blob != NULL)
    content = use (cache, blob);
  else
    add_being_read (cache, id);
  g_mutex_unlock (&cache->lock);
  return content;
}

static void
drop_oldest (VkBlobCache *cache)
{
  while (cache->size > cache->limit)
    {
      struct blob *oldest = g_queue_pop_tail_link (&cache->used)->data;

      cache->size -= g_bytes_get_size (oldest->content);
      g_hash_table_remove (cache->blobs, &oldest->id);
    }
}

void
vk_blob_cache_put (VkBlobCache *cache, const VkResticId *id, GBytes *content)
{
  struct blob *blob;

  g_mutex_lock (&cache->lock);
  blob = g_hash_table_lookup (cache->blobs, id);
  if (content == NULL)
    g_hash_table_remove (cache->blobs, id);
  else
    {
      blob->content = g_bytes_ref (content);
      cache->size += g_bytes_get_size (content);
      g_queue_push_head_link (&cache->used, &blob->link);
      drop_oldest (cache);
    }
  g_cond_broadcast (&cache->read);
  g_mutex_unlock (&cache->lock);
}

gsize
vk_blob_cache_size (VkBlobCache *cache)
{
  gsize size;

  g_mutex_lock (&cache->lock);
  size = cache->size;
  g_mutex_unlock (&cache->lock);
  return size;
}
