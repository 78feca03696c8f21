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

/* Adds to argv, which owns its strings, the object of a program of QEMU's that has that
 * descriptor as VK_PROCESS_FD; nothing for secret NULL. */
void vk_disk_key_add_object (GPtrArray *argv, const char *secret);

/* Whether making an encrypted image is worth another try: what QEMU said is only that it
 * could not measure how fast this machine is (from coarse clocks), and *attempts, which is
 * 0 at first and counted here, is not too many. */
gboolean vk_disk_key_try_again (const char *words, guint *attempts);

/* Sets *error to a sentence about the wrong key, VK_ERROR_REFUSED, when that is what a program of
 * QEMU's said about the image at path, or the one that is copied to path.  Returns: whether it is. */
gboolean vk_disk_key_is_wrong (const char *words, const char *path, GError **error);

/* Says in a qcow2 node of a block graph that the object opens it. */
void vk_disk_key_describe (JsonObject *node);
