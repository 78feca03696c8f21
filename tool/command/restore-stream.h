/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* restore of a tar archive that backup --to has written. */
#pragma once

#include "base/interrupt.h"
#include "base/run-dir.h"
#include "command/command.h"

/* Whether the word names a file, or with "-" standard input, rather than a restore point of a store: no domain of
 * libvirt has a slash in its name. */
gboolean vk_restore_is_stream (const char *word);

/* VK_ERROR_USAGE when what invocation restores, its first argument, cannot be: there is no store for a point, there is
 * one for a stream, or a stream would come from a terminal. */
gboolean vk_restore_check_source (const VkInvocation *invocation, const char *scratch_dir, GError **error);

/* Reads the stream that is the first argument of invocation to its end.  scratch_dir: where it is put together, or NULL.
 * *directory and *store (transfer full, also on failure): where the point is then.
 * Returns: (transfer full), or NULL; see vk_stream_read(). */
VkPoint *vk_restore_read_stream (VkInvocation *invocation, const char *scratch_dir, VkProgressStyle style, VkInterrupt *interrupt, VkRunDir **directory, VkStore **store, GError **error);
