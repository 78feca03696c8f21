/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestfish (libguestfs), asked one command after the other.  It looks at the file
 * systems of disks in a virtual machine of its own, so that what is wrong with
 * them is not for the kernel of the host. */
#pragma once

#include <gio/gio.h>

typedef struct VkFish VkFish;

/* Starts guestfish with a drive, which is only read, for each of sockets: paths of
 * unix sockets (NULL-terminated) with an NBD server behind.  It ends with the thread that
 * started it, at the latest.
 * Returns: (transfer full), or NULL with VK_ERROR_REFUSED when guestfish or a kernel for
 * its virtual machine is not installed, or G_IO_ERROR_CANCELLED. */
VkFish *vk_fish_start (const char *const *sockets, GCancellable *cancellable, GError **error);

/* Has it do a command, which is one word, with arguments of any bytes, NULL-terminated.
 * Returns: (transfer full) what it has printed, or NULL: VK_ERROR_NOT_FOUND for a
 * file that is not there, VK_ERROR_STORE with its words, G_IO_ERROR_CANCELLED. */
char *vk_fish_ask (VkFish *fish, GCancellable *cancellable, GError **error, const char *command, ...) G_GNUC_NULL_TERMINATED;

/* The same for a command that prints nothing. */
gboolean vk_fish_do (VkFish *fish, GCancellable *cancellable, GError **error, const char *command, ...) G_GNUC_NULL_TERMINATED;

/* Ends it and its virtual machine. */
void vk_fish_free (VkFish *fish);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkFish, vk_fish_free)

/* argument as a word for guestfish's parser.  Returns: (transfer full). */
char *vk_fish_quote (const char *argument);
