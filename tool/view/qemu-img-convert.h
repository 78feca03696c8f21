/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole disks, copied by qemu-img from an NBD server, or a chain of images, to any place that QEMU can
 * write to. */
#pragma once

#include <gio/gio.h>

/* The sizes of clusters that a qcow2 image can have, powers of two, in bytes. */
enum { VK_CLUSTER_SIZE_MIN = 512, VK_CLUSTER_SIZE_MAX = 2 << 20 };

/* What a new image is to be like. */
typedef struct
{
  const char *format;        /* "qcow2" or "raw"; sparse, but for preallocation */
  guint64 cluster_size;      /* qcow2: bytes, 0 for QEMU's default */
  gboolean compress;         /* qcow2: clusters are compressed with zstd */
  const char *preallocation; /* "metadata" (qcow2), "falloc" or "full"; NULL: none */
  const char *secret;        /* qcow2: with which it is encrypted, and a chain it comes from (see view/disk-key.h); or NULL */
} VkImageForm;

/* Fraction done, 0.0 to 1.0. */
typedef void (*VkFractionFunc) (double fraction, gpointer user_data);

/* Copies the disk at from, an NBD URI or what vk_nbd_describe_chain() gives, into the new image file to_path,
 * several requests at once, syncs it.  progress is called
 * from the calling thread.  A cancelled or failed copy leaves no file. */
gboolean vk_qemu_img_convert (const char *from, const char *to_path, const VkImageForm *form, VkFractionFunc progress, gpointer user_data, GCancellable *cancellable, GError **error);

/* Writes the disk of size bytes at the NBD URI from_uri, as raw, over what is at
 * target: the path of a block device, or the URI of a VkNbdServer, as is from_uri.  Its beginning
 * says instead that this is a restore which was not finished, and of what (name), until
 * vk_qemu_img_finish_overwrite() is called, after all the rest is there.  The caller flushes it then,
 * and again at the end: qemu-img would not say that it failed.
 * Work files go into the private directory work_dir. */
gboolean vk_qemu_img_overwrite (const char *from_uri, const char *target, guint64 size, const char *name, const char *work_dir, VkFractionFunc progress, gpointer user_data, GCancellable *cancellable, GError **error);
gboolean vk_qemu_img_finish_overwrite (const char *from_uri, const char *target, guint64 size, GCancellable *cancellable, GError **error);

/* How many bytes a new image of that form takes with the disk at from (as above)
 * in it, as far as that can be told beforehand: an upper bound with compression. */
gboolean vk_qemu_img_measure (const char *from, const VkImageForm *form, guint64 *bytes, GCancellable *cancellable, GError **error);

/* The size in bytes of what is at target: the path of a block device, or any image URI of QEMU's.  VK_ERROR_NOT_FOUND with
 * qemu-img's words when it cannot be opened. */
gboolean vk_qemu_img_target_size (const char *target, guint64 *size, GCancellable *cancellable, GError **error);

/* Makes a raw image of size bytes at the image URI target, which does not exist. */
gboolean vk_qemu_img_create_target (const char *target, guint64 size, GCancellable *cancellable, GError **error);
