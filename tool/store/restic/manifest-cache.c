/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/manifest-cache.h"

#include <string.h>

#include "store/manifest.h"

/* In bytes: of all of them together. */
static const guint64 copies_limit = 256 << 20;

VkHostCache *
vk_manifest_cache_new (const char *repo_id)
{
  return vk_host_cache_new (NULL, repo_id, "manifest", VK_MANIFEST_LIMIT + sizeof (VkResticId) + VK_SEAL_OVERHEAD, copies_limit);
}

/* The sealed text follows the id of its tree, so that one copy under the name of
 * another is found out. */
char *
vk_manifest_cache_get (VkHostCache *cache, VkCrypto *crypto, const VkResticId *tree)
{
  g_autofree char *name = vk_restic_id_to_string (tree);
  g_autoptr (GBytes) copy = vk_host_cache_get (cache, name);
  g_autofree guint8 *plain = NULL;
  gsize length;

  if (copy == NULL)
    return NULL;
  length = g_bytes_get_size (copy);
  plain = g_malloc (MAX (length, 1));
  if (length > VK_SEAL_OVERHEAD + sizeof *tree && vk_crypto_unseal (crypto, g_bytes_get_data (copy, NULL), length, plain) && memcmp (plain, tree, sizeof *tree) == 0)
    return g_strndup ((const char *) plain + sizeof *tree, length - VK_SEAL_OVERHEAD - sizeof *tree);
  vk_host_cache_reject (cache, name);
  return NULL;
}

void
vk_manifest_cache_put (VkHostCache *cache, VkCrypto *crypto, const VkResticId *tree, const char *text)
{
  g_autofree char *name = vk_restic_id_to_string (tree);
  gsize length = sizeof *tree + strlen (text);
  guint8 *sealed = g_malloc (length + VK_SEAL_OVERHEAD);
  g_autoptr (GBytes) copy = g_bytes_new_take (sealed, length + VK_SEAL_OVERHEAD);
  guint8 *plain = sealed + VK_SEAL_IV_BYTES;

  memcpy (plain, tree, sizeof *tree);
  memcpy (plain + sizeof *tree, text, strlen (text)); /* NOLINT(bugprone-not-null-terminated-result): its length goes with it */
  vk_crypto_seal (crypto, plain, length, sealed);
  vk_host_cache_put (cache, name, copy);
}
