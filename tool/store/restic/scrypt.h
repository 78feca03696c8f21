/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scrypt, RFC 7914, on several processors at once. */
#pragma once

#include <glib.h>

/* The costs: RFC 7914, section 2.  n is a power of two from 2 to 2^31; what is mixed
 * takes n * 128 * r bytes, p times, in p lanes that do not depend on each other. */
typedef struct
{
  guint64 n;
  guint64 r;
  guint64 p;
} VkScryptCost;

/* Fills length bytes of key with what libcrypto's EVP_PBE_scrypt() makes of the same.  The
 * lanes are spread over the processors as far as they fit into memory_limit bytes, or it is
 * one after the other.  p * 128 * r is below 2^31.  FALSE with VK_ERROR_FAILED: there is not enough
 * memory. */
gboolean vk_scrypt (const char *password, const void *salt, gsize salt_length, const VkScryptCost *cost, guint64 memory_limit, void *key, gsize length, GError **error);
