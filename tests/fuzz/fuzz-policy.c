/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policy that somebody has written into the metadata of a domain. */
#include "config.h"

#include "command/policy-options.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (VkPolicy) policy = vk_policy_parse (text, NULL);
  g_autoptr (GPtrArray) keys = NULL;
  g_autoptr (JsonObject) object = NULL;

  if (policy == NULL)
    return 0;
  vk_policy_check (policy, NULL);
  object = vk_policy_to_json (policy);
  keys = vk_policy_keys (policy);
  for (guint i = 0; i < keys->len; i++)
    g_assert_true (vk_policy_remove (policy, g_ptr_array_index (keys, i)));
  return 0;
}
