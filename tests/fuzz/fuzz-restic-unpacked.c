/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The encoding of index, snapshot and lock files. */
#include "config.h"

#include "store/restic/unpacked.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const gsize limit = 1 << 20;
  g_autoptr (GBytes) encoded = g_bytes_new (data, size);
  g_autoptr (GBytes) text = vk_unpacked_decode (encoded, limit, NULL);

  g_assert (text == NULL || g_bytes_get_size (text) <= limit);
  return 0;
}
