/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The directory for the consoles of the machines that one run of prove starts. */
#pragma once

#include <glib.h>

typedef struct
{
  char *path; /* libvirt may pass through it, nobody but us may list it */
  int lock;   /* held as long as the run lives */
} VkRunDir;

/* Makes one below parent, which is made when it is missing, after removing those that runs have left which were killed.
 * Returns: (transfer full), or NULL with VK_ERROR_REFUSED or VK_ERROR_STORE. */
VkRunDir *vk_run_dir_new (const char *parent, GError **error);

/* Removes it, with everything in it. */
void vk_run_dir_free (VkRunDir *dir);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkRunDir, vk_run_dir_free)
