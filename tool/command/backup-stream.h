/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backup --to: one whole restore point as a tar archive, and no store. */
#pragma once

#include "base/fd.h"
#include "base/interrupt.h"
#include "command/command.h"
#include "host/host.h"

/* VK_ERROR_USAGE when --to cannot be, or has no meaning with another option of the command line or with the
 * domains that it names. */
gboolean vk_backup_stream_check (const VkInvocation *invocation, GError **error);

/* Before anything is printed, where --to is given: takes standard output for the archive, when it goes there, and what is printed
 * goes to standard error from then on.  *output is -1 when it does not.  VK_ERROR_USAGE for a terminal. */
gboolean vk_backup_stream_take_output (const VkInvocation *invocation, VkFd *output, GError **error);

/* Backs up the one domain of invocation.  host (transfer full).  output: see above. */
gboolean vk_backup_stream_run (VkInvocation *invocation, VkHost *host, int output, VkProgressStyle style, VkInterrupt *interrupt, GError **error);
