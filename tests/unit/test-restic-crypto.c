/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sealing and key derivation against published test vectors, and what must not
 * open. */
#include "config.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/error.h"
#include "store/restic/crypto.h"
#include "store/restic/polynomial.h"

enum { MESSAGE_MAX = 64 };

/* Writes the bytes that hexadecimal digits say to target.  Returns how many. */
static gsize
from_hex (const char *hex, guint8 *target)
{
  gsize length = 0;

  for (; *hex != '\0'; hex += 2)
    target[length++] = (guint8) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));
  return length;
}

/* NIST SP 800-38A, F.5.5: CTR-AES256.Encrypt. */
static void
test_aes_ctr (void)
{
  VkResticKey key = { 0 };
  guint8 iv[VK_SEAL_IV_BYTES];
  guint8 plain[MESSAGE_MAX], expected[MESSAGE_MAX], sealed[MESSAGE_MAX + VK_SEAL_OVERHEAD];
  g_autoptr (VkCrypto) crypto = NULL;

  from_hex ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", key.encrypt);
  from_hex ("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", iv);
  from_hex ("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710", plain);
  from_hex ("601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
            "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6", expected);
  crypto = vk_crypto_new (&key);
  vk_crypto_seal_with_iv (crypto, iv, plain, sizeof plain, sealed);
  g_assert_cmpmem (sealed, sizeof iv, iv, sizeof iv);
  g_assert_cmpmem (sealed + VK_SEAL_IV_BYTES, sizeof plain, expected, sizeof expected);
}

/* D. J. Bernstein, The Poly1305-AES message-authentication code, appendix B. */
static const struct
{
  const char *message, *r, *k, *nonce, *tag;
} poly1305_vectors[] = {
  { "f3f6", "851fc40c3467ac0be05cc20404f3f700", "ec074c835580741701425b623235add6",
    "fb447350c4e868c52ac3275cf9d4327e", "f4c633c3044fc145f84f335cb81953de" },
  { "", "a0f3080000f46400d0c7e9076c834403", "75deaa25c09f208e1dc4ce6b5cad3fbf",
    "61ee09218d29b0aaed7e154a2c5509cc", "dd3fab2251f11ac759f0887129cc2ee7" },
  { "663cea190ffb83d89593f3f476b6bc24d7e679107ea26adb8caf6652d0656136", "48443d0bb0d21109c89a100b5ce2c208",
    "6acb5f61a7176dd320c5c1eb2edcdc74", "ae212a55399729595dea458bc621ff0e", "0ee1c16bb73f0f4fd19881753c01cdbe" },
  { "ab0812724a7f1e342742cbed374d94d136c6b8795d45b3819830f2c04491faf0990c62e48b8018b2c3e4a0fa3134cb67fa83e158c994d961c4cb21095c1bf9",
    "12976a08c4426d0ce8a82407c4f48207", "e1a5668a4d5b66a5f68cc5424ed5982d", "9ae831e743978d3a23527c7128149e3a", "5154ad0d2cb26e01274fc51148491f1b" },
};

/* The message of a vector is what is encrypted: find the plain text for it. */
static void
test_poly1305 (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (poly1305_vectors); i++)
    {
      VkResticKey key = { 0 };
      guint8 message[MESSAGE_MAX], nonce[VK_SEAL_IV_BYTES], tag[VK_SEAL_TAG_BYTES];
      guint8 plain[MESSAGE_MAX] = { 0 }, sealed[MESSAGE_MAX + VK_SEAL_OVERHEAD];
      gsize length = from_hex (poly1305_vectors[i].message, message);
      g_autoptr (VkCrypto) crypto = NULL;

      from_hex (poly1305_vectors[i].r, key.mac_r);
      from_hex (poly1305_vectors[i].k, key.mac_k);
      from_hex (poly1305_vectors[i].nonce, nonce);
      from_hex (poly1305_vectors[i].tag, tag);
      crypto = vk_crypto_new (&key);
      vk_crypto_seal_with_iv (crypto, nonce, plain, length, sealed);
      for (gsize j = 0; j < length; j++)
        plain[j] = message[j] ^ sealed[VK_SEAL_IV_BYTES + j];
      vk_crypto_seal_with_iv (crypto, nonce, plain, length, sealed);
      g_assert_cmpmem (sealed + VK_SEAL_IV_BYTES, length, message, length);
      g_assert_cmpmem (sealed + VK_SEAL_IV_BYTES + length, sizeof tag, tag, sizeof tag);
    }
}

/* RFC 7914, section 12, but for the one that takes 1 GiB. */
static const struct
{
  const char *password, *salt;
  VkScryptCost cost;
  const char *key;
} scrypt_vectors[] = {
  { "", "", { 16, 1, 1 },
    "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906" },
  { "password", "NaCl", { 1024, 8, 16 },
    "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640" },
  { "pleaseletmein", "SodiumChloride", { 16384, 8, 1 },
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887" },
};

static void
test_scrypt (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (scrypt_vectors); i++)
    {
      VkResticKey key;
      guint8 expected[sizeof key];
      g_autoptr (GError) error = NULL;

      from_hex (scrypt_vectors[i].key, expected);
      g_assert_true (vk_restic_key_derive (scrypt_vectors[i].password, &scrypt_vectors[i].cost, scrypt_vectors[i].salt, strlen (scrypt_vectors[i].salt), &key, &error));
      g_assert_no_error (error);
      g_assert_cmpmem (&key, sizeof key, expected, sizeof expected);
    }
}

/* Lanes of every number, with and without room for several of them at a time, against
 * libcrypto, which works on them one after the other. */
static void
test_scrypt_lanes (void)
{
  for (guint i = 0; i < 60; i++)
    {
      VkScryptCost cost = { (guint64) 2 << g_test_rand_int_range (0, 9), (guint64) g_test_rand_int_range (1, 20), (guint64) g_test_rand_int_range (1, 20) };
      g_autofree char *password = g_strdup_printf ("%*d", g_test_rand_int_range (1, 100), g_test_rand_int ());
      gsize length = (gsize) g_test_rand_int_range (1, 200);
      g_autofree guint8 *key = g_malloc (length);
      g_autofree guint8 *expected = g_malloc (length);
      guint8 salt[64];
      g_autoptr (GError) error = NULL;

      vk_restic_random (salt, sizeof salt);
      g_assert_cmpint (EVP_PBE_scrypt (password, strlen (password), salt, sizeof salt, cost.n, cost.r, cost.p, 64 << 20, expected, length), ==, 1);
      g_assert_true (vk_scrypt (password, salt, sizeof salt, &cost, i % 3 == 0 ? 0 : 64 << 20, key, length, &error));
      g_assert_no_error (error);
      g_assert_cmpmem (key, length, expected, length);
    }
}

/* A hostile key file names costs that would take the machine's memory, or its
 * day, or that overflow when they are multiplied. */
static void
test_scrypt_costs (void)
{
  static const VkScryptCost costs[] = {
    { 0, 8, 1 }, { 1, 8, 1 }, { 3, 8, 1 }, { 32768, 0, 1 }, { 32768, 8, 0 }, { 1 << 20, 8, 1 }, { 32768, 8, 1 << 10 }, { 2, 1 << 22, 1 }, { 2, 1, 1 << 22 },
    { G_GUINT64_CONSTANT (1) << 63, 8, 1 }, { 2, G_MAXUINT64, G_MAXUINT64 }, { G_GUINT64_CONSTANT (1) << 32, G_GUINT64_CONSTANT (1) << 32, G_GUINT64_CONSTANT (1) << 32 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (costs); i++)
    {
      g_autoptr (GError) error = NULL;
      VkResticKey key;

      g_assert_false (vk_restic_key_derive ("password", &costs[i], "salt", 4, &key, &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
    }
}

static void
random_key (VkResticKey *key)
{
  vk_restic_random (key, sizeof *key);
}

static void
test_round_trip (void)
{
  static const gsize lengths[] = { 0, 1, 15, 16, 17, 1000, (1 << 20) + 7 };
  VkResticKey key;
  g_autoptr (VkCrypto) crypto = NULL;

  random_key (&key);
  crypto = vk_crypto_new (&key);
  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      g_autofree guint8 *plain = g_malloc (lengths[i] + 1);
      g_autofree guint8 *sealed = g_malloc (lengths[i] + VK_SEAL_OVERHEAD);

      memset (plain, 'x', lengths[i]);
      vk_crypto_seal (crypto, plain, lengths[i], sealed);
      g_assert_true (vk_crypto_unseal (crypto, sealed, lengths[i] + VK_SEAL_OVERHEAD, sealed + VK_SEAL_IV_BYTES));
      g_assert_cmpmem (sealed + VK_SEAL_IV_BYTES, lengths[i], plain, lengths[i]);
      memcpy (sealed + VK_SEAL_IV_BYTES, plain, lengths[i]);
      vk_crypto_seal (crypto, sealed + VK_SEAL_IV_BYTES, lengths[i], sealed);
      g_assert_true (vk_crypto_unseal (crypto, sealed, lengths[i] + VK_SEAL_OVERHEAD, sealed + VK_SEAL_IV_BYTES));
      g_assert_cmpmem (sealed + VK_SEAL_IV_BYTES, lengths[i], plain, lengths[i]);
    }
}

/* One bit anywhere, one byte less, another key. */
static void
test_tampering (void)
{
  guint8 sealed[40 + VK_SEAL_OVERHEAD], plain[40] = { 0 };
  VkResticKey key, other_key;
  g_autoptr (VkCrypto) crypto = NULL;
  g_autoptr (VkCrypto) other = NULL;

  random_key (&key);
  random_key (&other_key);
  crypto = vk_crypto_new (&key);
  other = vk_crypto_new (&other_key);
  vk_crypto_seal (crypto, plain, sizeof plain, sealed);
  for (gsize bit = 0; bit < sizeof sealed * 8; bit++)
    {
      sealed[bit / 8] ^= (guint8) (1 << bit % 8);
      g_assert_false (vk_crypto_unseal (crypto, sealed, sizeof sealed, plain));
      sealed[bit / 8] ^= (guint8) (1 << bit % 8);
    }
  for (gsize length = 0; length < sizeof sealed; length++)
    g_assert_false (vk_crypto_unseal (crypto, sealed, length, plain));
  g_assert_false (vk_crypto_unseal (other, sealed, sizeof sealed, plain));
  g_assert_true (vk_crypto_unseal (crypto, sealed, sizeof sealed, plain));
}

static void
test_random_iv (void)
{
  guint8 one[VK_SEAL_OVERHEAD], other[VK_SEAL_OVERHEAD];
  VkResticKey key;
  g_autoptr (VkCrypto) crypto = NULL;

  random_key (&key);
  crypto = vk_crypto_new (&key);
  vk_crypto_seal (crypto, "", 0, one);
  vk_crypto_seal (crypto, "", 0, other);
  g_assert_false (memcmp (one, other, VK_SEAL_IV_BYTES) == 0);
}

static gpointer
seal_many (gpointer user_data)
{
  VkCrypto *crypto = user_data;

  for (guint i = 0; i < 2000; i++)
    {
      guint8 plain[100], sealed[sizeof plain + VK_SEAL_OVERHEAD], again[sizeof plain];

      memset (plain, (int) i, sizeof plain);
      vk_crypto_seal (crypto, plain, sizeof plain, sealed);
      g_assert_true (vk_crypto_unseal (crypto, sealed, sizeof sealed, again));
      g_assert_cmpmem (again, sizeof again, plain, sizeof plain);
    }
  return NULL;
}

static void
test_threads (void)
{
  GThread *threads[8];
  VkResticKey key;
  g_autoptr (VkCrypto) crypto = NULL;

  random_key (&key);
  crypto = vk_crypto_new (&key);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("seal", seal_many, crypto);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

/* The product of two polynomials without a modulus. */
static guint64
multiply (guint64 a, guint64 b)
{
  guint64 product = 0;

  for (; b != 0; b >>= 1, a <<= 1)
    if (b & 1)
      product ^= a;
  return product;
}

/* The first two are those of restic's documentation. */
static void
test_polynomial (void)
{
  g_assert_true (vk_polynomial_is_irreducible (G_GUINT64_CONSTANT (0x25b468838dcb75)));
  g_assert_true (vk_polynomial_is_irreducible (G_GUINT64_CONSTANT (0x3da3358b4dc173)));
  g_assert_false (vk_polynomial_is_irreducible (0));
  g_assert_false (vk_polynomial_is_irreducible (7));
  for (guint degree = 1; degree < VK_POLYNOMIAL_DEGREE; degree++)
    {
      guint64 one = (G_GUINT64_CONSTANT (1) << degree) | ((guint64) g_test_rand_int () & ((G_GUINT64_CONSTANT (1) << MIN (degree, 31)) - 1));
      guint64 other = (G_GUINT64_CONSTANT (1) << (VK_POLYNOMIAL_DEGREE - degree)) | 1;

      g_assert_false (vk_polynomial_is_irreducible (multiply (one, other)));
    }
}

/* One in 53 of all polynomials of degree 53 is irreducible, (2^53 - 2) / 53 of
 * them: with the term 1, two in 53. */
static void
test_polynomial_share (void)
{
  const guint64 top = G_GUINT64_CONSTANT (1) << VK_POLYNOMIAL_DEGREE;
  const guint tries = 20000;
  guint found = 0;

  for (guint i = 0; i < tries; i++)
    if (vk_polynomial_is_irreducible (top | 1 | (((guint64) g_test_rand_int () << 32 | (guint32) g_test_rand_int ()) & (top - 1))))
      found++;
  g_assert_cmpuint (found, >, tries * 2 / VK_POLYNOMIAL_DEGREE * 8 / 10);
  g_assert_cmpuint (found, <, tries * 2 / VK_POLYNOMIAL_DEGREE * 12 / 10);
}

static void
test_random_polynomial (void)
{
  guint64 one = vk_polynomial_random ();
  guint64 other = vk_polynomial_random ();

  g_assert_true (vk_polynomial_is_irreducible (one));
  g_assert_true (vk_polynomial_is_irreducible (other));
  g_assert_cmpuint (one, !=, other);
}

static void
test_key_text (void)
{
  VkResticKey key, again;
  g_autofree char *text = NULL;
  g_autofree char *longer = NULL;

  vk_restic_random (&key, sizeof key);
  text = vk_restic_key_to_string (&key);
  longer = g_strconcat (text, "0", NULL);
  g_assert_cmpuint (strlen (text), ==, 128);
  g_assert_true (vk_restic_key_parse (text, &again));
  g_assert_cmpmem (&key, sizeof key, &again, sizeof again);
  g_assert_false (vk_restic_key_parse (longer, &again));
  g_assert_false (vk_restic_key_parse (text + 1, &again));
  g_assert_false (vk_restic_key_parse ("", &again));
  text[127] = 'g';
  g_assert_false (vk_restic_key_parse (text, &again));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/restic/crypto/AES-256-CTR is NIST's", test_aes_ctr);
  g_test_add_func ("/restic/crypto/Poly1305-AES is Bernstein's", test_poly1305);
  g_test_add_func ("/restic/crypto/scrypt is RFC 7914's", test_scrypt);
  g_test_add_func ("/restic/crypto/scrypt is libcrypto's, whatever the lanes", test_scrypt_lanes);
  g_test_add_func ("/restic/crypto/scrypt is not run at any cost", test_scrypt_costs);
  g_test_add_func ("/restic/crypto/what is sealed can be unsealed, also in place", test_round_trip);
  g_test_add_func ("/restic/crypto/what has changed cannot", test_tampering);
  g_test_add_func ("/restic/crypto/every box has an IV of its own", test_random_iv);
  g_test_add_func ("/restic/crypto/many threads may seal at once", test_threads);
  g_test_add_func ("/restic/crypto/irreducible polynomials are told from products", test_polynomial);
  g_test_add_func ("/restic/crypto/as many are irreducible as there have to be", test_polynomial_share);
  g_test_add_func ("/restic/crypto/a random polynomial is irreducible", test_random_polynomial);
  g_test_add_func ("/restic/crypto/key as text", test_key_text);
  return g_test_run ();
}
