/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tar archive from anybody, read as it comes: nothing of it is believed.  Memory does not grow
 * with what is in it. */
#pragma once

#include <gio/gio.h>

#include "stream/tar-writer.h"

typedef struct VkTarReader VkTarReader;

/* Every call ends early when cancellable is cancelled.  input, name and listener have to live as long.
 * name: what messages call the archive.  All functions fail with VK_ERROR_STORE for an
 * archive that cannot be.
 * Returns: (transfer full). */
VkTarReader *vk_tar_reader_new (GInputStream *input, const char *name, const VkStreamListener *listener, GCancellable *cancellable);

/* Says why the archive is none of ours.  Returns: FALSE. */
gboolean vk_tar_reader_refuse (const VkTarReader *reader, GError **error, const char *format, ...) G_GNUC_PRINTF (3, 4);
#ifdef __clang_analyzer__
#define vk_tar_reader_refuse(...) (vk_tar_reader_refuse (__VA_ARGS__), FALSE)
#endif

/* The next member, which has to be a regular file with a plain name: *member (transfer none, until the next
 * call) and its *size in bytes.  *member is NULL behind the last one. */
gboolean vk_tar_reader_next (VkTarReader *reader, const char **member, guint64 *size, GError **error);

/* What is in the member, which is a text of at most limit bytes.  Returns: (transfer full). */
char *vk_tar_reader_text (VkTarReader *reader, gsize limit, GError **error);

/* Writes it into the new file path, and compares its SHA-256. */
gboolean vk_tar_reader_save (VkTarReader *reader, const char *path, const char *sha256, GError **error);

/* Behind the last member: reads the input to its end, which has to be that of a whole archive; it is
 * told by the zeros behind the last member, which should not end with zeros of its own.  *bytes is the
 * length of all of it. */
gboolean vk_tar_reader_finish (VkTarReader *reader, guint64 *bytes, GError **error);

void vk_tar_reader_free (VkTarReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkTarReader, vk_tar_reader_free)
