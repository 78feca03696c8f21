/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/index-cache.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "store/restic/id.h"

enum { DIRECTORY_MODE = 0700, FILE_MODE = 0600 };

/* One file, and all of them together: more are read from the repository each
 * time.  In bytes; the index of 8 TiB in chunks of 1 MiB takes 400 MB. */
static const gsize file_limit = 256 << 20;
static const guint64 total_limit = G_GUINT64_CONSTANT (4) << 30;

struct VkIndexCache
{
  char *directory;
  GMutex lock;
  guint64 total; /* bytes of what is there */
};

/* What a killed process left half-written has another name than an index file. */
static guint64
add_up (const char *directory)
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const char *name;
  guint64 total = 0;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (directory, name, NULL);
      struct stat status;

      if (stat (path, &status) == 0)
        total += (guint64) status.st_size;
    }
  return total;
}

VkIndexCache *
vk_index_cache_new (const char *directory, const char *repo_id)
{
  VkIndexCache *cache = g_new0 (VkIndexCache, 1);
  g_autofree char *usual = g_build_filename (g_get_user_cache_dir (), "virt-keep", "restic", NULL);

  g_mutex_init (&cache->lock);
  cache->directory = g_build_filename (directory ? directory : usual, repo_id, "index", NULL);
  if (g_mkdir_with_parents (cache->directory, DIRECTORY_MODE) < 0)
    g_debug ("no copies of index files can be kept in '%s'", cache->directory);
  cache->total = add_up (cache->directory);
  return cache;
}

void
vk_index_cache_free (VkIndexCache *cache)
{
  if (cache == NULL)
    return;
  g_mutex_clear (&cache->lock);
  g_free (cache->directory);
  g_free (cache);
}

GBytes *
vk_index_cache_get (VkIndexCache *cache, const char *name)
{
  g_autofree char *path = g_build_filename (cache->directory, name, NULL);
  char actual[VK_RESTIC_ID_DIGITS + 1];
  gsize length;
  char *content = vk_file_read (path, file_limit, &length, NULL);
  VkResticId id;

  if (content == NULL)
    return NULL;
  vk_restic_id_of (content, length, &id);
  vk_restic_id_format (&id, actual);
  if (strcmp (actual, name) == 0)
    return g_bytes_new_take (content, length);
  g_debug ("the copy '%s' of an index file has changed", path);
  unlink (path);
  g_free (content);
  return NULL;
}

/* Whether there is room for size bytes more, which are then counted. */
static gboolean
make_room (VkIndexCache *cache, gsize size)
{
  gboolean fits;

  g_mutex_lock (&cache->lock);
  fits = size <= file_limit && size <= total_limit - MIN (cache->total, total_limit);
  if (fits)
    cache->total += size;
  g_mutex_unlock (&cache->lock);
  return fits;
}

void
vk_index_cache_put (VkIndexCache *cache, const char *name, GBytes *content)
{
  g_autofree char *path = g_build_filename (cache->directory, name, NULL);
  g_autoptr (GError) failure = NULL;
  gsize size = g_bytes_get_size (content);

  /* Not synced: after a crash the SHA-256 tells. */
  if (make_room (cache, size)
      && !g_file_set_contents_full (path, g_bytes_get_data (content, NULL), (gssize) size, G_FILE_SET_CONTENTS_CONSISTENT, FILE_MODE, &failure))
    g_debug ("no copy of an index file can be kept: %s", failure->message);
}

void
vk_index_cache_sweep (VkIndexCache *cache, GHashTable *names)
{
  g_autoptr (GDir) dir = g_dir_open (cache->directory, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (cache->directory, name, NULL);
      VkResticId id;

      /* Other names are those that another process is writing to just now. */
      if (vk_restic_id_parse (name, &id) && !g_hash_table_contains (names, name))
        unlink (path);
    }
  g_mutex_lock (&cache->lock);
  cache->total = add_up (cache->directory);
  g_mutex_unlock (&cache->lock);
}
