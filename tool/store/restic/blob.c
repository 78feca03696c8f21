/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/blob.h"

#include "store/restic/crypto.h"

const char *
vk_blob_type_name (VkBlobType type)
{
  return type == VK_BLOB_TREE ? "tree" : "data";
}

guint32
vk_blob_content_length (guint32 length, guint32 raw_length)
{
  if (raw_length != 0)
    return raw_length;
  return length > VK_SEAL_OVERHEAD ? length - VK_SEAL_OVERHEAD : 0;
}
