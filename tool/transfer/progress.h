/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* How far a transfer is.  Written by the transfer's thread, read by any. */
typedef struct VkTransferProgress VkTransferProgress;

VkTransferProgress *vk_transfer_progress_new (void);
void vk_transfer_progress_free (VkTransferProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkTransferProgress, vk_transfer_progress_free)

/* size: virtual size of the disk, 0 until known.  position: bytes of the disk
 * that are dealt with, holes included.  moved: bytes really read from the
 * export.  All in bytes; any pointer may be NULL. */
void vk_transfer_progress_get (const VkTransferProgress *progress, guint64 *size, guint64 *position, guint64 *moved);

/* For the transfer. */
void vk_transfer_progress_set_size (VkTransferProgress *progress, guint64 size);
void vk_transfer_progress_add (VkTransferProgress *progress, guint64 position, guint64 moved);
