/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All index files of a repository into memory, several at a time. */
#pragma once

#include "store/restic/backend.h"
#include "store/restic/crypto.h"
#include "store/restic/host-cache.h"
#include "store/restic/index.h"

/* Adds to index what those index files list whose names are not in loaded, a set
 * of char * that they are then added to.  Where one in loaded is not there any
 * more, packs have been moved, and all of them are read again.  cache may be
 * NULL. */
gboolean vk_index_load (VkBackend *backend, VkCrypto *crypto, VkHostCache *cache, VkIndex *index, GHashTable *loaded, GCancellable *cancellable, GError **error);
