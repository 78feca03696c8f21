/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file "config" of a repository. */
#pragma once

#include "store/restic/backend.h"
#include "store/restic/crypto.h"
#include "store/restic/id.h"

/* More bytes than this are no config file. */
enum { VK_RESTIC_CONFIG_LIMIT = 64 << 10 };

typedef struct
{
  char id[VK_RESTIC_ID_DIGITS + 1];
  guint64 chunker_polynomial; /* restic splits its own files with it */
} VkRepoConfig;

/* text is what has been unsealed.  VK_ERROR_REFUSED for a version that is not 2,
 * VK_ERROR_DAMAGED when it is no config. */
gboolean vk_repo_config_parse (const void *text, gsize length, VkRepoConfig *config, GError **error);

/* A new id and polynomial. */
void vk_repo_config_make (VkRepoConfig *config);

/* VK_ERROR_NOT_FOUND when there is no repository. */
gboolean vk_repo_config_load (VkBackend *backend, VkCrypto *crypto, VkRepoConfig *config, GCancellable *cancellable, GError **error);

/* VK_ERROR_REFUSED when there is one already. */
gboolean vk_repo_config_save (VkBackend *backend, VkCrypto *crypto, const VkRepoConfig *config, GCancellable *cancellable, GError **error);
