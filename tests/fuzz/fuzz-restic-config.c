/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The config, once it has been unsealed. */
#include "config.h"

#include "store/restic/repo-config.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  VkRepoConfig config;
  VkResticId id;

  /* The id becomes part of a path. */
  if (vk_repo_config_parse (data, size, &config, NULL))
    g_assert (vk_restic_id_parse (config.id, &id));
  return 0;
}
