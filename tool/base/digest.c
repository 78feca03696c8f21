/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/digest.h"

#ifdef HAVE_LIBCRYPTO

#include <openssl/evp.h>

struct VkDigest
{
  EVP_MD_CTX *context;
};

/* libcrypto's digest calls fail only for want of memory or of the algorithm,
 * and GLib aborts on the former too. */
#define must_succeed(call) \
  G_STMT_START { if ((call) != 1) g_error ("libcrypto has no working SHA-256"); } G_STMT_END

VkDigest *
vk_digest_new (void)
{
  VkDigest *digest = g_new0 (VkDigest, 1);

  digest->context = EVP_MD_CTX_new ();
  must_succeed (EVP_DigestInit_ex (digest->context, EVP_sha256 (), NULL));
  return digest;
}

void
vk_digest_update (VkDigest *digest, const void *data, gsize length)
{
  must_succeed (EVP_DigestUpdate (digest->context, data, length));
}

char *
vk_digest_finish (VkDigest *digest)
{
  guint8 raw[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  GString *hex = g_string_new (NULL);

  must_succeed (EVP_DigestFinal_ex (digest->context, raw, &length));
  for (unsigned int i = 0; i < length; i++)
    g_string_append_printf (hex, "%02x", raw[i]);
  return g_string_free (hex, FALSE);
}

void
vk_digest_free (VkDigest *digest)
{
  EVP_MD_CTX_free (digest->context);
  g_free (digest);
}

#else

struct VkDigest
{
  GChecksum *checksum;
};

VkDigest *
vk_digest_new (void)
{
  VkDigest *digest = g_new0 (VkDigest, 1);

  digest->checksum = g_checksum_new (G_CHECKSUM_SHA256);
  return digest;
}

void
vk_digest_update (VkDigest *digest, const void *data, gsize length)
{
  g_checksum_update (digest->checksum, data, (gssize) length);
}

char *
vk_digest_finish (VkDigest *digest)
{
  return g_strdup (g_checksum_get_string (digest->checksum));
}

void
vk_digest_free (VkDigest *digest)
{
  g_checksum_free (digest->checksum);
  g_free (digest);
}

#endif
