/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory for the files of one run, which goes with it. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Where such directories are made when no other place is named.  Not /tmp, which is often small and in memory:
 * scratch files grow with what the guest overwrites, and whole images may come.  Short, because of the 108
 * bytes of a socket address. */
#define VK_RUN_DIR_PARENT "/var/tmp"

typedef struct
{
  char *path;
  int lock; /* held as long as the run lives */
} VkRunDir;

/* Makes PARENT/PREFIX..., with mode, after removing those of that prefix which runs of the same user have left
 * that were killed.  hint: see vk_directory_make_private().
 * Returns: (transfer full), or NULL with VK_ERROR_REFUSED. */
VkRunDir *vk_run_dir_new (const char *parent, const char *prefix, mode_t mode, const char *hint, GError **error);

/* The directories PARENT/PREFIX... which runs of this user have left that were killed.
 * Returns: (transfer full) of char *: their paths. */
GPtrArray *vk_run_dir_find_left (const char *parent, const char *prefix);

/* Removes one of them.  VK_ERROR_BUSY when somebody else has taken it meanwhile. */
gboolean vk_run_dir_remove_left (const char *path, GError **error);

/* Removes it, with everything in it. */
void vk_run_dir_free (VkRunDir *dir);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkRunDir, vk_run_dir_free)
