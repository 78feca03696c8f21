/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots, once they have been unsealed and decompressed. */
#include "config.h"

#include "store/restic/snapshot.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (VkSnapshot) snapshot = vk_snapshot_parse (data, size, NULL);

  if (snapshot != NULL)
    vk_snapshot_has_tag (snapshot, "virt-keep");
  return 0;
}
