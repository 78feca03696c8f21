/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers of images. */
#include "config.h"

#include "view/qcow2-header.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  VkQcow2Header header;

  if (vk_qcow2_header_parse (data, size, "an image", &header, NULL))
    g_assert (header.version == 2 || header.version == 3);
  return 0;
}
