/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims on points (whose directories are locked with flock(2)): a door that outlives us
 * uses the ones that it reads, and whoever removes points has them alone meanwhile. */
#pragma once

#include "store/store.h"

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
