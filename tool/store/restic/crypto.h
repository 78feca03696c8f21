/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sealed boxes of a restic repository, AES-256-CTR with Poly1305-AES, and
 * how a password becomes a key; restic's design document, "Keys, Encryption and
 * MAC". */
#pragma once

#include "store/restic/scrypt.h"

/* What sealing adds to the length, in bytes: an IV before and a tag behind. */
enum { VK_SEAL_OVERHEAD = 32, VK_SEAL_IV_BYTES = 16, VK_SEAL_TAG_BYTES = 16 };

/* In the order in which scrypt's output gives them. */
typedef struct
{
  guint8 encrypt[32];
  guint8 mac_k[16];
  guint8 mac_r[16];
} VkResticKey;

/* 128 lower-case hexadecimal digits and a NUL.  Returns: (transfer full), free with
 * vk_restic_password_free(). */
char *vk_restic_key_to_string (const VkResticKey *key);

/* FALSE unless text is exactly that. */
gboolean vk_restic_key_parse (const char *text, VkResticKey *key);

/* Overwrites the key so that the compiler cannot leave it out. */
void vk_restic_key_clear (VkResticKey *key);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VkResticKey, vk_restic_key_clear)

/* Seals and unseals with one key.  All calls may come from several threads at
 * once; what libcrypto needs for each of them is kept and used again. */
typedef struct VkCrypto VkCrypto;

VkCrypto *vk_crypto_new (const VkResticKey *key);
void vk_crypto_free (VkCrypto *crypto);

/* (transfer none) */
const VkResticKey *vk_crypto_key (const VkCrypto *crypto);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkCrypto, vk_crypto_free)

/* Writes length + VK_SEAL_OVERHEAD bytes to sealed, under a random IV.  plain is
 * sealed + VK_SEAL_IV_BYTES (encrypts in place) or does not overlap with it. */
void vk_crypto_seal (VkCrypto *crypto, const void *plain, gsize length, guint8 *sealed);

/* The same under an IV that the caller chose; for test vectors.  An IV is never
 * used twice with one key. */
void vk_crypto_seal_with_iv (VkCrypto *crypto, const guint8 iv[VK_SEAL_IV_BYTES], const void *plain, gsize length, guint8 *sealed);

/* Writes length - VK_SEAL_OVERHEAD bytes to plain, which is sealed +
 * VK_SEAL_IV_BYTES (decrypts in place) or does not overlap with it.  FALSE when
 * it was not sealed with this key or has changed since: plain is untouched. */
gboolean vk_crypto_unseal (VkCrypto *crypto, const guint8 *sealed, gsize length, guint8 *plain);

/* What new keys get: half a second and 32 MiB, restic's usual. */
extern const VkScryptCost vk_scrypt_cost_default;

/* VK_ERROR_DAMAGED for costs that would take too much memory or time: they come
 * from a file that whoever has the store can write. */
gboolean vk_restic_key_derive (const char *password, const VkScryptCost *cost, const void *salt, gsize salt_length, VkResticKey *key, GError **error);

/* Fills length bytes from the kernel's generator: getrandom(2). */
void vk_restic_random (void *bytes, gsize length);
