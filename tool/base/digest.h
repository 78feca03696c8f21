/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 of a stream of bytes: libcrypto's where virt-keep was built with it,
 * GLib's otherwise. */
#pragma once

#include <glib.h>

typedef struct VkDigest VkDigest;

VkDigest *vk_digest_new (void);
void vk_digest_update (VkDigest *digest, const void *data, gsize length);

/* Ends the digest.  Returns: (transfer full) 64 lower-case hexadecimal digits. */
char *vk_digest_finish (VkDigest *digest);

void vk_digest_free (VkDigest *digest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkDigest, vk_digest_free)
