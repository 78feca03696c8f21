/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Index, snapshot and lock files: JSON, compressed and sealed, under the SHA-256
 * of the file; restic's design document, "Unpacked Data Format". */
#pragma once

#include "store/restic/backend.h"
#include "store/restic/crypto.h"
#include "store/restic/id.h"

/* The first byte of an encoded text, before the zstd frame. */
enum { VK_UNPACKED_ZSTD = 2 };

/* Unseals content, the whole of the file name.  Returns: (transfer full) the
 * encoded text, for vk_unpacked_decode(); NULL with VK_ERROR_DAMAGED. */
GBytes *vk_unpacked_unseal (VkCrypto *crypto, GBytes *content, VkResticType type, const char *name, GError **error);

/* The JSON text of encoded, of at most limit bytes; what is the JSON text itself
 * (it begins with '{' or '[') is given back as it is.
 * Returns: (transfer full); NULL with VK_ERROR_DAMAGED. */
GBytes *vk_unpacked_decode (GBytes *encoded, gsize limit, GError **error);

/* Loads the file and does all of that, its name compared with its SHA-256.
 * Returns: (transfer full); NULL with VK_ERROR_NOT_FOUND, VK_ERROR_DAMAGED, or
 * what the backend says. */
GBytes *vk_unpacked_load (VkBackend *backend, VkCrypto *crypto, VkResticType type, const char *name, gsize limit, GCancellable *cancellable, GError **error);

/* Stores json, durable on success.  *id gets the file's name, *size (may be NULL)
 * its length in bytes. */
gboolean vk_unpacked_save (VkBackend *backend, VkCrypto *crypto, VkResticType type, const void *json, gsize length, VkResticId *id, gsize *size, GCancellable *cancellable, GError **error);
