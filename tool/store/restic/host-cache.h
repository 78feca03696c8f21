/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies on this host of what never changes in a repository, encrypted as there.
 * Nothing but speed depends on them: they may be deleted at any time, what goes
 * wrong with them is passed over, and whoever uses one has to check it. */
#pragma once

#include <gio/gio.h>

typedef struct VkHostCache VkHostCache;

/* In directory/REPO_ID/kind; directory NULL: $XDG_CACHE_HOME/virt-keep/restic.
 * No copy of more than file_limit bytes is kept, and no more than total_limit bytes
 * together.  Returns: (transfer full). */
VkHostCache *vk_host_cache_new (const char *directory, const char *repo_id, const char *kind, gsize file_limit, guint64 total_limit);
void vk_host_cache_free (VkHostCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkHostCache, vk_host_cache_free)

/* name, here and below, is an id of 64 digits.  Returns: (transfer full), or NULL
 * when there is no copy. */
GBytes *vk_host_cache_get (VkHostCache *cache, const char *name);

/* Removes a copy that has turned out to be another thing. */
void vk_host_cache_reject (VkHostCache *cache, const char *name);

/* Keeps a copy, if all of them are not too large by then. */
void vk_host_cache_put (VkHostCache *cache, const char *name, GBytes *content);

/* Removes what is not in names, a set of char *. */
void vk_host_cache_sweep (VkHostCache *cache, GHashTable *names);
