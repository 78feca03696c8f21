/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has the kernel write images to the disk while they still grow.  The disk is
 * the slowest part of a backup; left alone it rests until QEMU, or we, wait for
 * everything at once.  It also shortens what QEMU has to wait for at its own
 * flushes, during which the guest's monitor does not answer. */
#pragma once

#include "base/fd.h"

typedef struct VkWriteback VkWriteback;

/* Starts a thread for it.  Returns: (transfer full). */
VkWriteback *vk_writeback_new (void);

/* Writes the file path back from now on, which is open as held (transfer full): since before
 * anybody else wrote to it, see vk_file_hold().  A file system that cannot do this is left alone. */
void vk_writeback_add (VkWriteback *writeback, const char *path, VkFd held);

/* vk_file_sync_held() of a file that was added.  May be called on any thread. */
gboolean vk_writeback_sync (VkWriteback *writeback, const char *path, GError **error);

/* Ends the thread. */
void vk_writeback_free (VkWriteback *writeback);
