/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tar archive (POSIX pax, which is plain ustar wherever that is enough) that is written as it
 * goes.  Memory does not grow with what is in it. */
#pragma once

#include <gio/gio.h>

/* Hears how many bytes of the members have been moved so far. */
typedef void (*VkStreamTell) (guint64 bytes, gpointer user_data);

typedef struct
{
  VkStreamTell tell; /* or NULL */
  gpointer user_data;
} VkStreamListener;

typedef struct VkTarWriter VkTarWriter;

/* seconds since 1970: of all members.  Every call ends early when cancellable is cancelled, also
 * one that waits for a pipe.  output and listener have to live as long.
 * Returns: (transfer full), or NULL with VK_ERROR_STORE. */
VkTarWriter *vk_tar_writer_new (GOutputStream *output, gint64 seconds, const VkStreamListener *listener, GCancellable *cancellable, GError **error);

/* Adds length bytes as a file.  name is plain ASCII. */
gboolean vk_tar_writer_add_bytes (VkTarWriter *writer, const char *name, const void *data, gsize length, GError **error);

/* Adds the regular file path, which has to have size bytes, and the SHA-256.  VK_ERROR_STORE when it has
 * others, or when nobody reads the archive any more. */
gboolean vk_tar_writer_add_file (VkTarWriter *writer, const char *name, const char *path, guint64 size, const char *sha256, GError **error);

/* Writes the end of the archive, without which it is not whole.  *bytes is the length of all of it. */
gboolean vk_tar_writer_finish (VkTarWriter *writer, guint64 *bytes, GError **error);

/* Frees it; what was not finished stays unfinished. */
void vk_tar_writer_free (VkTarWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkTarWriter, vk_tar_writer_free)
