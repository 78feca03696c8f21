/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/progress.h"

#include <stdatomic.h>

struct VkTransferProgress
{
  _Atomic guint64 size;
  _Atomic guint64 position;
  _Atomic guint64 moved;
};

VkTransferProgress *
vk_transfer_progress_new (void)
{
  return g_new0 (VkTransferProgress, 1);
}

void
vk_transfer_progress_free (VkTransferProgress *progress)
{
  g_free (progress);
}

void
vk_transfer_progress_get (const VkTransferProgress *progress, guint64 *size, guint64 *position, guint64 *moved)
{
  if (size != NULL)
    *size = atomic_load_explicit (&progress->size, memory_order_relaxed);
  if (position != NULL)
    *position = atomic_load_explicit (&progress->position, memory_order_relaxed);
  if (moved != NULL)
    *moved = atomic_load_explicit (&progress->moved, memory_order_relaxed);
}

void
vk_transfer_progress_set_size (VkTransferProgress *progress, guint64 size)
{
  atomic_store_explicit (&progress->size, size, memory_order_relaxed);
}

void
vk_transfer_progress_add (VkTransferProgress *progress, guint64 position, guint64 moved)
{
  atomic_fetch_add_explicit (&progress->position, position, memory_order_relaxed);
  atomic_fetch_add_explicit (&progress->moved, moved, memory_order_relaxed);
}
