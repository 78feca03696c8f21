/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What qemu-img.c and qemu-img-convert.c share. */
#pragma once

#include "view/qemu-img.h"

/* QEMU takes what stands before a colon for a protocol, unless a slash comes
 * first.  Returns: (transfer full) the same file under a name without that
 * danger. */
char *vk_qemu_img_filename (const char *path);

/* Makes an empty file with mode 0600 for qemu-img to write to, which keeps the
 * mode.  Never touches what exists.  Returns: its descriptor, see vk_file_hold(), or -1. */
VkFd vk_qemu_img_reserve (const char *path, GError **error);
