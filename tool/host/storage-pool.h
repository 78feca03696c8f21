/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A storage pool of libvirt's, and volumes in it that get what was restored. */
#pragma once

#include "host/host.h"

typedef struct VkStoragePool VkStoragePool;

/* Returns: (transfer full), or NULL with VK_ERROR_NOT_FOUND, VK_ERROR_REFUSED for a
 * pool that is not started. */
VkStoragePool *vk_storage_pool_open (VkHost *host, const char *name, GError **error);
void vk_storage_pool_free (VkStoragePool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkStoragePool, vk_storage_pool_free)

/* Whether its volumes are files; and the directory they are in, when that is one
 * of this machine, or NULL. */
gboolean vk_storage_pool_has_files (const VkStoragePool *pool);
const char *vk_storage_pool_directory (const VkStoragePool *pool);

/* Whether the path of a volume means the same here. */
gboolean vk_storage_pool_is_local (const VkStoragePool *pool);

/* The room that is left, in bytes. */
gboolean vk_storage_pool_available (VkStoragePool *pool, guint64 *bytes, GError **error);

/* The path of the volume, (transfer full), or NULL when there is none of that
 * name. */
char *vk_storage_pool_find (VkStoragePool *pool, const char *volume);

/* Has libvirt make a raw volume of so many bytes, which takes no room before it
 * is written to where the pool can do that.  Never replaces one.
 * Returns: (transfer full) its path, or NULL. */
char *vk_storage_pool_create (VkStoragePool *pool, const char *volume, guint64 bytes, GError **error);
gboolean vk_storage_pool_delete (VkStoragePool *pool, const char *volume, GError **error);

/* Has libvirt look at the volumes again. */
gboolean vk_storage_pool_refresh (VkStoragePool *pool, GError **error);

typedef struct
{
  const char *path; /* of the file with the data */
  guint64 from;     /* first byte, in the file and in the volume */
  guint64 length;   /* bytes, all of them in the file */
  void (*progress) (guint64 sent, gpointer user_data); /* bytes of length; may be NULL */
  gpointer user_data;
} VkUpload;

/* Sends a part of a file to the same place in the volume.  Holes are not sent where
 * the volumes are files: what was never written reads as zeroes there. */
gboolean vk_storage_pool_upload (VkStoragePool *pool, const char *volume, const VkUpload *upload, GCancellable *cancellable, GError **error);

/* The first bytes of a volume, at most length, NUL-terminated.  Returns: (transfer full) or
 * NULL. */
char *vk_storage_pool_read_head (VkStoragePool *pool, const char *volume, gsize length);
