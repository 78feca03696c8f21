/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The private directory in which the images of a stream lie, on their way out or in. */
#pragma once

#include "base/run-dir.h"

/* As vk_run_dir_new(), in parent, or where such directories usually are (NULL). */
VkRunDir *vk_stream_dir_new (const char *parent, mode_t mode, GError **error);

/* As vk_run_dir_find_left(), of those in parent. */
GPtrArray *vk_stream_dir_find_left (const char *parent);
