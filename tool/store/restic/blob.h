/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two kinds of blobs, and where one lies. */
#pragma once

#include "store/restic/id.h"

typedef enum
{
  VK_BLOB_DATA, /* a piece of a file */
  VK_BLOB_TREE, /* a directory */
} VkBlobType;

/* "data" or "tree", as index files have it. */
const char *vk_blob_type_name (VkBlobType type);

/* No blob that is larger, compressed or not, is read or written; restic itself
 * makes none above 8 MiB but for trees.  In bytes. */
enum { VK_BLOB_LIMIT = 1 << 30 };

/* One blob of a pack. */
typedef struct
{
  VkResticId id;       /* SHA-256 of what it holds */
  guint32 offset;      /* in the pack, bytes */
  guint32 length;      /* sealed, bytes */
  guint32 raw_length;  /* decompressed, bytes; 0: it is not compressed */
  VkBlobType type;
} VkPackBlob;

/* Where a blob is found. */
typedef struct
{
  VkResticId pack;
  guint32 offset;
  guint32 length;
  guint32 raw_length; /* as above */
  guint32 number;     /* of the blob in the index, from 0 on */
} VkBlobLocation;

/* How many bytes the blob holds. */
guint32 vk_blob_content_length (guint32 length, guint32 raw_length);
