/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The private directory of a running restore: sockets, and what goes to another
 * machine. */
#pragma once

#include <glib.h>

typedef struct
{
  char *path;
  int fd; /* locked for as long as the restore runs */
} VkWorkDir;

/* Makes one in /var/tmp, and removes those that killed restores have left there. */
gboolean vk_work_dir_make (VkWorkDir *dir, GError **error);

/* Removes it with everything in it; all zero is accepted. */
void vk_work_dir_remove (VkWorkDir *dir);
