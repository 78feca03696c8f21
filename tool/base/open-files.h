/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who has a block device open.  QEMU's own locks do not tell: libvirt gives each
 * QEMU a device node of its own, and locks belong to the node. */
#pragma once

#include <sys/types.h>

#include <glib.h>

/* The other process that has the block device open for writing, as
 * "NAME (PID)", as far as we may look.  Returns: (transfer full) or NULL. */
char *vk_block_device_writer (dev_t device);
