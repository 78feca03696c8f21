/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first bytes of a qcow2 image, looked at before QEMU is let near it: an
 * image with an external data file would make QEMU open whatever it names. */
#pragma once

#include <glib.h>

enum
{
  VK_QCOW2_HEADER_BYTES = 104, /* what vk_qcow2_header_parse() needs at most */
};

#define VK_QCOW2_INCOMPATIBLE_DATA_FILE (G_GUINT64_CONSTANT (1) << 2)

typedef struct
{
  guint32 version;               /* 2 or 3 */
  guint64 size;                  /* of the disk, in bytes */
  gboolean has_backing;          /* a backing file is named in the image */
  gboolean is_luks;              /* the data in it are encrypted with LUKS */
  guint64 incompatible_features; /* 0 for version 2 */
} VkQcow2Header;

/* bytes: the first length bytes of the file.  name is what messages call it.
 * FALSE with VK_ERROR_STORE set when they are not the header of a qcow2 image
 * of version 2 or 3. */
gboolean vk_qcow2_header_parse (const guint8 *bytes, gsize length, const char *name, VkQcow2Header *header, GError **error);

/* The same for the file at path, which must be a regular one. */
gboolean vk_qcow2_header_read (const char *path, VkQcow2Header *header, GError **error);

/* The backing file's name as it stands in the image.  Returns: (transfer full);
 * NULL without *error for an image that has none, NULL with VK_ERROR_STORE set
 * for a damaged one. */
char *vk_qcow2_backing_name (const char *path, GError **error);

/* Reads the header, and refuses an image with an external data file. */
gboolean vk_qcow2_check (const char *path, GError **error);
