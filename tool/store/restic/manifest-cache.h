/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests of restore points kept on this host: the tree that each lies in names
 * every chunk of the disks as well, megabytes for a large one. */
#pragma once

#include "store/restic/crypto.h"
#include "store/restic/host-cache.h"
#include "store/restic/id.h"

/* See vk_host_cache_new().  Returns: (transfer full). */
VkHostCache *vk_manifest_cache_new (const char *repo_id);

/* The text of the manifest in that tree.  Returns: (transfer full), or NULL when
 * there is no copy. */
char *vk_manifest_cache_get (VkHostCache *cache, VkCrypto *crypto, const VkResticId *tree);

void vk_manifest_cache_put (VkHostCache *cache, VkCrypto *crypto, const VkResticId *tree, const char *text);
