/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blobs that were used last, up to a number of bytes.  Threads that want the
 * same blob at once wait for the first of them to read it. */
#pragma once

#include "store/restic/id.h"

typedef struct VkBlobCache VkBlobCache;

VkBlobCache *vk_blob_cache_new (gsize limit);
void vk_blob_cache_free (VkBlobCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkBlobCache, vk_blob_cache_free)

/* The blob (transfer full), or NULL: then the caller has to read it and to call
 * vk_blob_cache_put(), until which others who want it wait. */
GBytes *vk_blob_cache_get (VkBlobCache *cache, const VkResticId *id);

/* content is NULL when it could not be read. */
void vk_blob_cache_put (VkBlobCache *cache, const VkResticId *id, GBytes *content);

/* Bytes that are kept. */
gsize vk_blob_cache_size (VkBlobCache *cache);
