/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of a repository's index files on this host, as they are in the
 * repository, encrypted.  Nothing but speed depends on them: they may be deleted
 * at any time, and what goes wrong with them is passed over. */
#pragma once

#include <gio/gio.h>

typedef struct VkIndexCache VkIndexCache;

/* In directory/REPO_ID/index; directory NULL: $XDG_CACHE_HOME/virt-keep/restic.
 * Returns: (transfer full). */
VkIndexCache *vk_index_cache_new (const char *directory, const char *repo_id);
void vk_index_cache_free (VkIndexCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkIndexCache, vk_index_cache_free)

/* The file of that name, if there is a copy whose SHA-256 is its name; one that
 * has changed is removed.  Returns: (transfer full) or NULL. */
GBytes *vk_index_cache_get (VkIndexCache *cache, const char *name);

/* Keeps a copy, if all of them are not too large by then. */
void vk_index_cache_put (VkIndexCache *cache, const char *name, GBytes *content);

/* Removes what is not in names, a set of char *. */
void vk_index_cache_sweep (VkIndexCache *cache, GHashTable *names);
