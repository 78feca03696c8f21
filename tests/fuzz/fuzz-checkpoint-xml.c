/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checkpoints, from libvirt and from a store. */
#include "config.h"

#include "host/checkpoint.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (GHashTable) sizes = vk_checkpoint_parse_sizes (text, "a checkpoint", NULL);
  g_autofree char *plain = vk_checkpoint_prepare_redefine (text, "virt-keep-0123abcd-20261123T181400Z", NULL);

  g_assert (plain == NULL || sizes != NULL);
  return 0;
}
