/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys of encrypted images, for QEMU's programs.  An image is encrypted with the value
 * of a libvirt secret, which is named by its UUID; the value is never kept here, and
 * reaches a program through a descriptor: it stands neither among its arguments nor in its
 * environment nor in a file. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

/* Gives the value of the secret.  Called on any thread.
 * Returns: (transfer full), or NULL with *error set. */
typedef GBytes *(*VkDiskKeyFunc) (const char *secret, gpointer user_data, GError **error);

/* Where keys come from, for the whole program.  To be called before one is needed. */
void vk_disk_key_set_source (VkDiskKeyFunc func, gpointer user_data);

/* A descriptor from which a program can read the key, to be closed; -1 without *error for
 * secret NULL, which is no encryption. */
int vk_disk_key_open (const char *secret, GError **error);

/* The --object of a program that has that descriptor as VK_PROCESS_FD. */
#define VK_DISK_KEY_OBJECT "secret,id=key,file=/dev/fd/3"

/* Whether what a program of QEMU's said about a new encrypted image is only that it could
 * not measure how fast this machine is (from coarse clocks), which another try may. */
gboolean vk_disk_key_try_again (const char *words);

/* Sets *error to a sentence about the wrong key, VK_ERROR_REFUSED, when that is what a program of
 * QEMU's said about the image at path, or the one that is copied to path.  Returns: whether it is. */
gboolean vk_disk_key_is_wrong (const char *words, const char *path, GError **error);

/* Says in a qcow2 node of a block graph that the object opens it. */
void vk_disk_key_describe (JsonObject *node);
