/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks, once they have been unsealed and decompressed. */
#include "config.h"

#include "store/restic/lock-conflict.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (VkLockHolder) holder = vk_lock_holder_parse (data, size, NULL);

  g_assert (holder == NULL || (holder->hostname != NULL && holder->username != NULL));
  return 0;
}
