/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key files, and opening those that cost next to nothing. */
#include "config.h"

#include "store/restic/key.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (VkKeyFile) file = vk_key_file_parse (data, size, "a key", NULL);
  VkResticKey master;

  if (file != NULL && file->cost.n <= 16 && file->cost.r <= 8 && file->cost.p <= 8)
    vk_key_file_open (file, "secret", "a key", &master, NULL);
  return 0;
}
