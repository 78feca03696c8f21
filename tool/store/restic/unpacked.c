/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/unpacked.h"

#include <string.h>

#include "base/error.h"
#include "store/restic/zstd.h"

static GBytes *
set_damaged_error (GError **error, VkResticType type, const char *name, const char *words)
{
  vk_fail (error, VK_ERROR_DAMAGED, "the file %s/%s is damaged: %s", vk_restic_type_directory (type), name, words);
  return NULL;
}

GBytes *
vk_unpacked_unseal (VkCrypto *crypto, GBytes *content, VkResticType type, const char *name, GError **error)
{
  gsize length;
  const guint8 *sealed = g_bytes_get_data (content, &length);
  char actual[VK_RESTIC_ID_DIGITS + 1];
  g_autofree guint8 *encoded = NULL;
  VkResticId id;

  vk_restic_id_of (sealed, length, &id);
  vk_restic_id_format (&id, actual);
  if (strcmp (actual, name) != 0)
    return set_damaged_error (error, type, name, "its content has another SHA-256 than its name");
  if (length < VK_SEAL_OVERHEAD)
    return set_damaged_error (error, type, name, "it is too short");
  encoded = g_malloc (length);
  if (!vk_crypto_unseal (crypto, sealed, length, encoded))
    return set_damaged_error (error, type, name, "it was not written with the key of this repository");
  return g_bytes_new_take (g_steal_pointer (&encoded), length - VK_SEAL_OVERHEAD);
}

GBytes *
vk_unpacked_decode (GBytes *encoded, gsize limit, GError **error)
{
  gsize length;
  const guint8 *data = g_bytes_get_data (encoded, &length);
  g_autoptr (VkZstdReader) reader = NULL;

  if (length > 0 && length <= limit && (data[0] == '{' || data[0] == '['))
    return g_bytes_ref (encoded);
  if (length == 0 || data[0] != VK_UNPACKED_ZSTD)
    {
      vk_fail (error, VK_ERROR_DAMAGED, "its content is in no known encoding");
      return NULL;
    }
  reader = vk_zstd_reader_new (data + 1, length - 1, limit);
  return vk_zstd_reader_read_all (reader, error);
}

GBytes *
vk_unpacked_load (VkBackend *backend, VkCrypto *crypto, VkResticType type, const char *name, gsize limit, GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) content = vk_backend_load (backend, type, name, 0, 0, cancellable, error);
  g_autoptr (GBytes) encoded = content ? vk_unpacked_unseal (crypto, content, type, name, error) : NULL;
  g_autoptr (GError) failure = NULL;
  GBytes *text;

  if (encoded == NULL)
    return NULL;
  text = vk_unpacked_decode (encoded, limit, &failure);
  if (text != NULL)
    return text;
  g_assert (failure != NULL);
  return set_damaged_error (error, type, name, failure->message);
}

/* The encoded text, sealed.  Returns: (transfer full). */
static GBytes *
seal (VkCrypto *crypto, const void *json, gsize length)
{
  g_autofree guint8 *encoded = g_malloc (1 + vk_zstd_bound (length));
  gsize size = 1 + vk_zstd_compress_into (json, length, VK_ZSTD_LEVEL, encoded + 1);
  guint8 *sealed = g_malloc (size + VK_SEAL_OVERHEAD);

  encoded[0] = VK_UNPACKED_ZSTD;
  vk_crypto_seal (crypto, encoded, size, sealed);
  return g_bytes_new_take (sealed, size + VK_SEAL_OVERHEAD);
}

gboolean
vk_unpacked_save (VkBackend *backend, VkCrypto *crypto, VkResticType type, const void *json, gsize length, VkResticId *id, gsize *size, GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) content = seal (crypto, json, length);
  char name[VK_RESTIC_ID_DIGITS + 1];

  vk_restic_id_of (g_bytes_get_data (content, NULL), g_bytes_get_size (content), id);
  vk_restic_id_format (id, name);
  if (size != NULL)
    *size = g_bytes_get_size (content);
  return vk_backend_save (backend, type, name, content, cancellable, error);
}
