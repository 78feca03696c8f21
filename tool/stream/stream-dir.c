/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stream/stream-dir.h"

#define PREFIX PACKAGE_NAME "-stream-"

VkRunDir *
vk_stream_dir_new (const char *parent, mode_t mode, GError **error)
{
  return vk_run_dir_new (parent ? parent : VK_RUN_DIR_PARENT, PREFIX, mode, "name another place with --scratch-dir", error);
}

GPtrArray *
vk_stream_dir_find_left (const char *parent)
{
  return vk_run_dir_find_left (parent, PREFIX);
}
