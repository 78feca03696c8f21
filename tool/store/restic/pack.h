/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packs: sealed blobs one after the other, then a sealed header that lists them,
 * then its length; restic's design document, "Pack Format". */
#pragma once

#include "store/restic/backend.h"
#include "store/restic/blob.h"
#include "store/restic/crypto.h"

/* The size at which a pack is full, in bytes. */
enum
{
  VK_PACK_SIZE_MIN = 4 << 20,
  VK_PACK_SIZE_DEFAULT = 16 << 20,
  VK_PACK_SIZE_MAX = 128 << 20,
};

/* As restic, a longer header is not accepted, in bytes. */
enum { VK_PACK_HEADER_LIMIT = 16 << 20 };

/* A pack in the making, for one thread at a time, but for the filling in of blobs. */
typedef struct VkPackBuilder VkPackBuilder;

/* size is where vk_pack_builder_fits() says no. */
VkPackBuilder *vk_pack_builder_new (gsize size);
void vk_pack_builder_free (VkPackBuilder *builder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkPackBuilder, vk_pack_builder_free)

/* Whether a sealed blob of length bytes can be added so that the finished pack
 * is not larger than its size.  An empty pack takes any blob. */
gboolean vk_pack_builder_fits (const VkPackBuilder *builder, gsize length);

/* Adds a sealed blob; blob->offset is set by this.  Blobs of one pack must be of
 * one type. */
void vk_pack_builder_add (VkPackBuilder *builder, VkPackBlob *blob, const guint8 *sealed);

/* Room for a sealed blob of blob->length bytes, which any thread may fill in while others
 * are added; vk_pack_builder_filled() follows.  blob as above; only if it fits.
 * Returns: (transfer none). */
guint8 *vk_pack_builder_reserve (VkPackBuilder *builder, VkPackBlob *blob);

/* The room of one blob has been filled in.  TRUE for the last one of a closed pack, which
 * is the caller's to end. */
gboolean vk_pack_builder_filled (VkPackBuilder *builder);

/* Nothing more is added.  TRUE when all rooms have been filled in: the pack is the caller's
 * to end. */
gboolean vk_pack_builder_close (VkPackBuilder *builder);

/* The same as vk_pack_builder_add(); takes over sealed, which is not copied if it is large, and the first. */
void vk_pack_builder_add_array (VkPackBuilder *builder, VkPackBlob *blob, GByteArray *sealed);

guint vk_pack_builder_count (const VkPackBuilder *builder);

/* Ends the pack; nothing can be added any more.  *id gets its name and *blobs
 * (transfer full) what is in it, of VkPackBlob.  Returns: (transfer full) the pack, in
 * memory that stays the builder's. */
GBytes *vk_pack_builder_finish (VkPackBuilder *builder, VkCrypto *crypto, VkResticId *id, GArray **blobs);

/* When nobody reads the pack any more: begins another one in the same memory. */
void vk_pack_builder_reset (VkPackBuilder *builder);

/* What an unsealed header of a pack lists, of VkPackBlob.  blobs_end is where
 * the blobs have to end, in bytes from the begin of the pack.  VK_ERROR_DAMAGED,
 * with name in the sentence, when it cannot be so.  Returns: (transfer full). */
GArray *vk_pack_header_parse (const guint8 *header, gsize length, guint64 blobs_end, const char *name, GError **error);

/* Reads the list out of the pack itself.  Returns: (transfer full), or NULL with
 * VK_ERROR_NOT_FOUND, VK_ERROR_DAMAGED, or what the backend says. */
GArray *vk_pack_list (VkBackend *backend, VkCrypto *crypto, const VkResticId *id, GCancellable *cancellable, GError **error);
