/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SHA-256 of files. */
#pragma once

#include <gio/gio.h>

/* SHA-256 of the file as 64 lower-case hexadecimal digits, and its length in
 * bytes.  Reads in a thread of its own while the caller's hashes.
 * Returns: (transfer full) or NULL. */
char *vk_file_sha256 (const char *path, guint64 *length, GCancellable *cancellable, GError **error);

/* Compares the digest of the file with expected.  VK_ERROR_STORE when it is another
 * one: the file is damaged. */
gboolean vk_file_check_sha256 (const char *path, const char *expected, GCancellable *cancellable, GError **error);
