/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One writer a domain: whoever makes, merges or removes restore points of a
 * domain holds its lock.  Readers need none. */
#pragma once

#include "store/store.h"

typedef struct VkImageLock VkImageLock;

/* Locks the domain whose directory this is; it is made if it is missing.
 * domain_name is for messages.
 * Returns: (transfer full), or NULL with VK_ERROR_BUSY, VK_ERROR_STORE. */
VkImageLock *vk_image_lock_take (const char *directory, const char *domain_name, GError **error);

/* Gives it back; a domain's directory that holds nothing else goes, too. */
void vk_image_lock_release (VkImageLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkImageLock, vk_image_lock_release)

/* Claims on points (whose directories are locked with flock(2)): a door that outlives us
 * uses the ones that it reads, and whoever removes points has them alone meanwhile. */
typedef struct VkImageClaims VkImageClaims;

/* Claims points (of VkPoint) for reading them, or alone; doomed: only those whose ids are in
 * it, NULL for all.  VK_ERROR_BUSY names one that somebody else has.  Where the file system
 * cannot lock directories there are no claims; what is read stays readable in any case.
 * Returns: (transfer full). */
VkImageClaims *vk_image_claim (const GPtrArray *points, GHashTable *doomed, gboolean alone, GError **error);
void vk_image_claims_free (VkImageClaims *claims);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkImageClaims, vk_image_claims_free)

/* The descriptors that hold them: of int.  (transfer none) */
const GArray *vk_image_claims_fds (const VkImageClaims *claims);
