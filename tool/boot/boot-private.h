/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs share: where is written down what was booted.
 *
 * Each boot has a directory in STATE/boots.  It is root's (or the user's, with a
 * libvirt of his own); QEMU's user only passes through it:
 *
 *   boot.json    what it is; without it the directory is of a boot that never came
 *                to life
 *   door-vda.log what the door of the disk said
 *   qemu/        QEMU's user's: the sockets of the doors (vda.nbd), and, unless
 *                --overlay-dir names another place, the overlays (vda.qcow2) and the
 *                copies of files
 *
 * Whoever starts, finishes or removes a boot holds a lock on the directory. */
#pragma once

#include "boot/boot.h"

#define VK_BOOT_QEMU_DIR "qemu"

/* The time that a door has for ending by itself once QEMU has gone, in seconds. */
enum { VK_BOOT_GRACE = 10 };

/* STATE/boots, which is made when it is missing.  Returns: (transfer full). */
char *vk_boot_registry (GError **error);

/* Locks a directory, waiting for it or not.  Returns: a descriptor to be closed, or -1 with
 * VK_ERROR_BUSY, VK_ERROR_STORE, VK_ERROR_NOT_FOUND. */
int vk_boot_lock (const char *directory, gboolean wait, GError **error);

/* Writes boot.json anew. */
gboolean vk_boot_save (const VkBoot *boot, GError **error);

/* What stands in it.  Returns: (transfer full), or NULL with VK_ERROR_NOT_FOUND,
 * VK_ERROR_STORE. */
VkBoot *vk_boot_load (const char *directory, GError **error);

/* The directories of all boots.  Returns: (transfer full) of char *. */
GPtrArray *vk_boot_directories (GError **error);

/* The boot that is written down with that name for this libvirt, or NULL without
 * *error.  Returns: (transfer full). */
VkBoot *vk_boot_load_named (VkHost *host, const char *name, GError **error);

/* Whether the boot's domain runs, or is paused. */
gboolean vk_boot_is_alive (VkHost *host, const VkBoot *boot);

/* Ends the doors and removes the files of a boot whose domain has gone; grace as for
 * vk_lasting_door_end_all().  The caller holds the lock. */
gboolean vk_boot_remove_files (const VkBoot *boot, guint grace, GError **error);
