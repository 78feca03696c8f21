/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers of packs, once they have been unsealed; the first four bytes say where
 * the blobs end. */
#include "config.h"

#include <string.h>

#include "store/restic/pack.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GArray) blobs = NULL;
  guint32 end;
  guint64 sum = 0;

  if (size < sizeof end)
    return 0;
  memcpy (&end, data, sizeof end);
  blobs = vk_pack_header_parse (data + sizeof end, size - sizeof end, end, "a pack", NULL);
  for (guint i = 0; blobs != NULL && i < blobs->len; i++)
    {
      const VkPackBlob *blob = &g_array_index (blobs, VkPackBlob, i);

      g_assert (blob->offset == sum);
      sum += blob->length;
    }
  g_assert (blobs == NULL || sum == end);
  return 0;
}
