/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key files: each holds the repository's master key, sealed with what a
 * password becomes. */
#pragma once

#include "store/restic/backend.h"
#include "store/restic/crypto.h"

/* As restic, no more key files than this are tried with a password. */
enum { VK_RESTIC_KEYS_TRIED = 20 };

/* More bytes than this are no key file. */
enum { VK_KEY_FILE_LIMIT = 64 << 10 };

typedef struct
{
  VkScryptCost cost;
  GBytes *salt;
  GBytes *data; /* the sealed master key */
} VkKeyFile;

/* text need not end in NUL.  VK_ERROR_DAMAGED when it is no key file, with name
 * in the sentence.  Returns: (transfer full). */
VkKeyFile *vk_key_file_parse (const void *text, gsize length, const char *name, GError **error);
void vk_key_file_free (VkKeyFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkKeyFile, vk_key_file_free)

/* VK_ERROR_REFUSED when the password does not open it. */
gboolean vk_key_file_open (const VkKeyFile *file, const char *password, const char *name, VkResticKey *master, GError **error);

/* Makes the text of a new key file.  Returns: (transfer full). */
GBytes *vk_key_file_make (const VkResticKey *master, const char *password, const VkScryptCost *cost, GError **error);

/* Tries the password with each key file.  VK_ERROR_NOT_FOUND when there is no
 * key file, VK_ERROR_REFUSED when the password opens none. */
gboolean vk_restic_key_find (VkBackend *backend, const char *password, VkResticKey *master, GCancellable *cancellable, GError **error);

/* Adds a key file for password.  *name (transfer full) is how the file is called; also after a
 * failure, when it may have been stored all the same, or is NULL. */
gboolean vk_restic_key_add (VkBackend *backend, const VkResticKey *master, const char *password, char **name, GCancellable *cancellable, GError **error);
