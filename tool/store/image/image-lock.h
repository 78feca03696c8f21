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

/* VK_ERROR_BUSY when an image of the point is open in a QEMU program, such as the door
 * of a domain that was booted from it or from a point that builds on it. */
gboolean vk_image_refuse_open (const VkPoint *point, GError **error);
