/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What we let qemu-img do. */
#pragma once

#include <gio/gio.h>

#include "base/fd.h"

/* Creates a qcow2 image (compat 1.1) at path, mode 0600, of size bytes.
 * backing: path as it shall be stored in the image (relative to the image's
 * directory), or NULL; it is not opened.  secret: see view/disk-key.h; with it the image is
 * encrypted.  Returns: a descriptor of it, open since before qemu-img wrote to it, see
 * vk_file_hold(); or -1. */
VkFd vk_qemu_img_create_held (const char *path, guint64 size, const char *backing, const char *secret, GError **error);

/* The same for an image that need not outlive its reader, on nothing and not encrypted. */
gboolean vk_qemu_img_create (const char *path, guint64 size, GError **error);

/* The same on top of a raw disk at an NBD URI, which is not opened either. */
gboolean vk_qemu_img_create_overlay (const char *path, guint64 size, const char *backing_uri, GError **error);

/* Gives the image at path, whose present backing file is read through the name
 * it has in the image, another backing file, and copies into it what it would
 * otherwise lose.  The image reads the same before and after. */
gboolean vk_qemu_img_rebase (const char *path, const char *backing, GCancellable *cancellable, GError **error);

/* Writes what the images above chain[base] hold into that one; the others, above
 * and below, are only read.  chain: as for vk_nbd_server_read(), but the names of
 * what chain[base] builds on are taken from the images, and the first member may
 * be written to; base is at least 1.  durable: what is written is flushed on the way in such an order that
 * a crash never leaves chain[base] with an unsound structure; without it the
 * caller syncs the file. */
gboolean vk_qemu_img_commit (const char *const *chain, guint base, gboolean durable, GCancellable *cancellable, GError **error);

/* Checks the structure of the qcow2 image at path, encrypted with secret unless that is
 * NULL, without opening any other file.  VK_ERROR_DAMAGED with qemu-img's words when it is corrupt; leaked
 * clusters, which only waste space, are no damage. */
gboolean vk_qemu_img_check (const char *path, const char *secret, GCancellable *cancellable, GError **error);

/* Whether the qcow2 image at path, which nobody has open, holds a persistent
 * dirty bitmap of that name that has recorded all along and was stored
 * properly. */
gboolean vk_qemu_img_has_bitmap (const char *path, const char *bitmap);
