/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Index files, once they have been unsealed. */
#include "config.h"

#include "store/restic/index-file.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GBytes) encoded = g_bytes_new (data, size);
  g_autoptr (VkIndex) index = vk_index_new ();

  vk_index_file_read (encoded, index, NULL);
  return 0;
}
