/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/crypto.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "store/restic/id.h"

/* An attacker who can write to the store can write any number into a key file.
 * restic itself calibrates to 60 MiB and half a second. */
static const guint64 scrypt_memory_limit = 256 << 20; /* bytes */
static const guint64 scrypt_table_limit = 128 << 20;  /* bytes, of several lanes at once */
static const guint64 scrypt_work_limit = 1 << 24;     /* N x r x p: 16 times restic's usual */

const VkScryptCost vk_scrypt_cost_default = { .n = 32768, .r = 8, .p = 6 };

/* What one thread needs at a time, with the keys set up. */
struct cipher
{
  EVP_CIPHER_CTX *stream;  /* AES-256-CTR with the encryption key */
  EVP_CIPHER_CTX *one_time; /* AES-128 with the key k: makes Poly1305's one-time key from the IV */
  EVP_MAC_CTX *mac;        /* Poly1305 */
};

struct VkCrypto
{
  VkResticKey key;
  EVP_MAC *poly1305;
  EVP_CIPHER *aes_256_ctr;
  EVP_CIPHER *aes_128_ecb;
  GMutex lock;
  GPtrArray *idle; /* of struct cipher, those that no thread is using */
};

/* With valid arguments libcrypto's calls fail only for want of memory or of the
 * algorithm, and GLib aborts on the former too. */
static void
must (int result)
{
  if (result != 1)
    g_error ("libcrypto has no working AES or Poly1305");
}

static void
must_have (const void *thing)
{
  must (thing != NULL);
}

static void
cipher_free (struct cipher *cipher)
{
  EVP_CIPHER_CTX_free (cipher->stream);
  EVP_CIPHER_CTX_free (cipher->one_time);
  EVP_MAC_CTX_free (cipher->mac);
  g_free (cipher);
}

static struct cipher *
cipher_new (const VkCrypto *crypto)
{
  struct cipher *cipher = g_new0 (struct cipher, 1);

  must_have (cipher->stream = EVP_CIPHER_CTX_new ());
  must (EVP_EncryptInit_ex2 (cipher->stream, crypto->aes_256_ctr, crypto->key.encrypt, NULL, NULL));
  must_have (cipher->one_time = EVP_CIPHER_CTX_new ());
  must (EVP_EncryptInit_ex2 (cipher->one_time, crypto->aes_128_ecb, crypto->key.mac_k, NULL, NULL));
  must_have (cipher->mac = EVP_MAC_CTX_new (crypto->poly1305));
  return cipher;
}

static struct cipher *
borrow_cipher (VkCrypto *crypto)
{
  struct cipher *cipher = NULL;

  g_mutex_lock (&crypto->lock);
  if (crypto->idle->len > 0)
    cipher = g_ptr_array_steal_index_fast (crypto->idle, crypto->idle->len - 1);
  g_mutex_unlock (&crypto->lock);
  return cipher ? cipher : cipher_new (crypto);
}

static void
return_cipher (VkCrypto *crypto, struct cipher *cipher)
{
  g_mutex_lock (&crypto->lock);
  g_ptr_array_add (crypto->idle, cipher);
  g_mutex_unlock (&crypto->lock);
}

VkCrypto *
vk_crypto_new (const VkResticKey *key)
{
  VkCrypto *crypto = g_new0 (VkCrypto, 1);

  crypto->key = *key;
  g_mutex_init (&crypto->lock);
  crypto->idle = g_ptr_array_new_with_free_func ((GDestroyNotify) cipher_free);
  must_have (crypto->poly1305 = EVP_MAC_fetch (NULL, "POLY1305", NULL));
  must_have (crypto->aes_256_ctr = EVP_CIPHER_fetch (NULL, "AES-256-CTR", NULL));
  must_have (crypto->aes_128_ecb = EVP_CIPHER_fetch (NULL, "AES-128-ECB", NULL));
  return crypto;
}

void
vk_crypto_free (VkCrypto *crypto)
{
  if (crypto == NULL)
    return;
  g_ptr_array_unref (crypto->idle);
  EVP_MAC_free (crypto->poly1305);
  EVP_CIPHER_free (crypto->aes_256_ctr);
  EVP_CIPHER_free (crypto->aes_128_ecb);
  g_mutex_clear (&crypto->lock);
  vk_restic_key_clear (&crypto->key);
  g_free (crypto);
}

/* Encrypts and decrypts: in counter mode these are the same. */
static void
apply_stream (struct cipher *cipher, const guint8 *iv, const guint8 *in, gsize length, guint8 *out)
{
  static const gsize most = 1 << 30; /* an int has to hold it */

  must (EVP_EncryptInit_ex2 (cipher->stream, NULL, NULL, iv, NULL));
  while (length > 0)
    {
      gsize piece = MIN (length, most);
      int written = 0;

      must (EVP_EncryptUpdate (cipher->stream, out, &written, in, (int) piece));
      in += piece;
      out += piece;
      length -= piece;
    }
}

static void
compute_tag (VkCrypto *crypto, struct cipher *cipher, const guint8 *iv, const guint8 *text, gsize length, guint8 *tag)
{
  /* Poly1305's own key: r, which it clamps, and the pad. */
  guint8 key[sizeof crypto->key.mac_r + VK_SEAL_IV_BYTES];
  gsize tag_length = 0;
  int written = 0;

  memcpy (key, crypto->key.mac_r, sizeof crypto->key.mac_r);
  must (EVP_EncryptUpdate (cipher->one_time, key + sizeof crypto->key.mac_r, &written, iv, VK_SEAL_IV_BYTES));
  must (EVP_MAC_init (cipher->mac, key, sizeof key, NULL));
  must (EVP_MAC_update (cipher->mac, text, length));
  must (EVP_MAC_final (cipher->mac, tag, &tag_length, VK_SEAL_TAG_BYTES));
  OPENSSL_cleanse (key, sizeof key);
}

void
vk_crypto_seal_with_iv (VkCrypto *crypto, const guint8 iv[VK_SEAL_IV_BYTES], const void *plain, gsize length, guint8 *sealed)
{
  struct cipher *cipher = borrow_cipher (crypto);
  guint8 *text = sealed + VK_SEAL_IV_BYTES;

  memcpy (sealed, iv, VK_SEAL_IV_BYTES);
  apply_stream (cipher, iv, plain, length, text);
  compute_tag (crypto, cipher, iv, text, length, text + length);
  return_cipher (crypto, cipher);
}

void
vk_crypto_seal (VkCrypto *crypto, const void *plain, gsize length, guint8 *sealed)
{
  guint8 iv[VK_SEAL_IV_BYTES];

  /* restic takes an IV of zeros for a forgotten one; it does not come up by
   * chance, with 2^-128. */
  vk_restic_random (iv, sizeof iv);
  vk_crypto_seal_with_iv (crypto, iv, plain, length, sealed);
}

gboolean
vk_crypto_unseal (VkCrypto *crypto, const guint8 *sealed, gsize length, guint8 *plain)
{
  guint8 tag[VK_SEAL_TAG_BYTES];
  struct cipher *cipher;
  const guint8 *text;
  gsize text_length;
  gboolean genuine;

  if (length < VK_SEAL_OVERHEAD)
    return FALSE;
  text = sealed + VK_SEAL_IV_BYTES;
  text_length = length - VK_SEAL_OVERHEAD;
  cipher = borrow_cipher (crypto);
  compute_tag (crypto, cipher, sealed, text, text_length, tag);
  genuine = CRYPTO_memcmp (tag, text + text_length, sizeof tag) == 0;
  if (genuine)
    apply_stream (cipher, sealed, text, text_length, plain);
  return_cipher (crypto, cipher);
  return genuine;
}

static gboolean
is_affordable (const VkScryptCost *cost)
{
  if (cost->n < 2 || (cost->n & (cost->n - 1)) != 0 || cost->r == 0 || cost->p == 0)
    return FALSE;
  if (cost->n > scrypt_work_limit || cost->r > scrypt_work_limit || cost->p > scrypt_work_limit)
    return FALSE;
  return cost->n * cost->r <= scrypt_memory_limit / 128 && cost->p * cost->r <= scrypt_memory_limit / 128
      && cost->n * cost->r <= scrypt_work_limit / cost->p;
}

gboolean
vk_restic_key_derive (const char *password, const VkScryptCost *cost, const void *salt, gsize salt_length, VkResticKey *key, GError **error)
{
  G_STATIC_ASSERT (sizeof (VkResticKey) == 64);

  if (!is_affordable (cost))
    {
      vk_fail (error, VK_ERROR_DAMAGED,
                   "scrypt with N=%" PRIu64 ", r=%" PRIu64 ", p=%" PRIu64 " would take more memory or time than a key of restic's does",
                   cost->n, cost->r, cost->p);
      return FALSE;
    }
  return vk_scrypt (password, salt, salt_length, cost, scrypt_table_limit, key, sizeof *key, error);
}

const VkResticKey *
vk_crypto_key (const VkCrypto *crypto)
{
  return &crypto->key;
}

/* A key is as long as two ids. */
G_STATIC_ASSERT (sizeof (VkResticKey) == 2 * sizeof (VkResticId));

char *
vk_restic_key_to_string (const VkResticKey *key)
{
  const VkResticId *halves = (const VkResticId *) key;
  char *text = g_malloc (2 * VK_RESTIC_ID_DIGITS + 1);

  vk_restic_id_format (&halves[0], text);
  vk_restic_id_format (&halves[1], text + VK_RESTIC_ID_DIGITS);
  return text;
}

gboolean
vk_restic_key_parse (const char *text, VkResticKey *key)
{
  VkResticId *halves = (VkResticId *) key;

  return strlen (text) == 2 * VK_RESTIC_ID_DIGITS
      && vk_restic_id_parse_length (text, VK_RESTIC_ID_DIGITS, &halves[0])
      && vk_restic_id_parse (text + VK_RESTIC_ID_DIGITS, &halves[1]);
}

void
vk_restic_key_clear (VkResticKey *key)
{
  OPENSSL_cleanse (key, sizeof *key);
}

/* Not libcrypto's: that keeps a generator for each thread, of those that GLib
 * keeps for later as well. */
void
vk_restic_random (void *bytes, gsize length)
{
  const gsize at_once = 256; /* bytes that getrandom(2) gives whole */
  guint8 *next = bytes;

  for (gsize piece; length > 0; next += piece, length -= piece)
    {
      piece = MIN (length, at_once);
      if (getrandom (next, piece, 0) != (gssize) piece)
        g_error ("the kernel has no random numbers: %s", g_strerror (errno));
    }
}
