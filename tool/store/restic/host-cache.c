/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/host-cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "store/restic/id.h"

enum { DIRECTORY_MODE = 0700, FILE_MODE = 0600 };

struct VkHostCache
{
  char *directory;
  gsize file_limit;    /* bytes */
  guint64 total_limit; /* bytes */
  GMutex lock;
  guint64 total; /* bytes of what is there */
};

/* What a killed process left half-written has another name than a file. */
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

VkHostCache *
vk_host_cache_new (const char *directory, const char *repo_id, const char *kind, gsize file_limit, guint64 total_limit)
{
  VkHostCache *cache = g_new0 (VkHostCache, 1);
  g_autofree char *usual = g_build_filename (g_get_user_cache_dir (), "virt-keep", "restic", NULL);

  g_mutex_init (&cache->lock);
  cache->directory = g_build_filename (directory ? directory : usual, repo_id, kind, NULL);
  cache->file_limit = file_limit;
  cache->total_limit = total_limit;
  if (g_mkdir_with_parents (cache->directory, DIRECTORY_MODE) < 0)
    g_debug ("no copies can be kept in '%s'", cache->directory);
  cache->total = add_up (cache->directory);
  return cache;
}

void
vk_host_cache_free (VkHostCache *cache)
{
  if (cache == NULL)
    return;
  g_mutex_clear (&cache->lock);
  g_free (cache->directory);
  g_free (cache);
}

GBytes *
vk_host_cache_get (VkHostCache *cache, const char *name)
{
  g_autofree char *path = g_build_filename (cache->directory, name, NULL);
  gsize length;
  char *content = vk_file_read (path, cache->file_limit, &length, NULL);

  return content ? g_bytes_new_take (content, length) : NULL;
}

void
vk_host_cache_reject (VkHostCache *cache, const char *name)
{
  g_autofree char *path = g_build_filename (cache->directory, name, NULL);

  g_debug ("the copy '%s' has changed", path);
  unlink (path);
}

/* Whether there is room for size bytes more, which are then counted. */
static gboolean
make_room (VkHostCache *cache, gsize size)
{
  gboolean fits;

  g_mutex_lock (&cache->lock);
  fits = size <= cache->file_limit && size <= cache->total_limit - MIN (cache->total, cache->total_limit);
  if (fits)
    cache->total += size;
  g_mutex_unlock (&cache->lock);
  return fits;
}

void
vk_host_cache_put (VkHostCache *cache, const char *name, GBytes *content)
{
  g_autofree char *path = g_build_filename (cache->directory, name, NULL);
  g_autoptr (GError) failure = NULL;
  gsize size = g_bytes_get_size (content);
  /* Not synced, as there is no such file yet: whoever gets it checks it. */
  GFileSetContentsFlags flags = G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_ONLY_EXISTING;

  if (make_room (cache, size)
      && !g_file_set_contents_full (path, g_bytes_get_data (content, NULL), (gssize) size, flags, FILE_MODE, &failure))
    g_debug ("no copy can be kept: %s", failure->message);
}

void
vk_host_cache_sweep (VkHostCache *cache, GHashTable *names)
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
