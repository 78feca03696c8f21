/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees, once they have been unsealed and decompressed. */
#include "config.h"

#include "store/restic/tree.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GPtrArray) nodes = vk_tree_parse (data, size, NULL);

  for (guint i = 0; nodes != NULL && i < nodes->len; i++)
    {
      const VkTreeNode *node = g_ptr_array_index (nodes, i);
      guint64 count;

      for (guint64 j = 0; node->content != NULL && j < vk_content_length (node->content); j += count)
        vk_content_get_run (node->content, j, &count);
    }
  return 0;
}
