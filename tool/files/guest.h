/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file systems of a restore point, mounted read-only where libguestfs looks at
 * them. */
#pragma once

#include <gio/gio.h>

#include "report/reporter.h"
#include "store/store.h"

typedef struct VkGuest VkGuest;

/* Opens the disk with the target disk (NULL: all of the point's) and mounts what
 * there is: the file systems of the operating system, at their places; without one,
 * the only file system; or the one that filesystem names, as in "/dev/sda1" (the first
 * disk is sda), if it is not NULL.  The store must outlive it.
 * Returns: (transfer full), or NULL: VK_ERROR_NOT_FOUND for a disk that is not there,
 * VK_ERROR_REFUSED when libguestfs is not installed or there is no telling what
 * to mount, VK_ERROR_STORE, G_IO_ERROR_CANCELLED. */
VkGuest *vk_guest_open (VkStore *store, const VkPoint *point, const char *disk, const char *filesystem, GCancellable *cancellable, GError **error);

void vk_guest_free (VkGuest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkGuest, vk_guest_free)

typedef struct
{
  char *name;    /* any bytes but / and NUL */
  guint32 mode;  /* as in struct stat, with the type */
  guint64 links;
  guint64 uid;
  guint64 gid;
  guint64 size;  /* bytes */
  gint64 mtime;  /* seconds since 1970 */
  char *target;  /* of a symbolic link, or NULL */
} VkGuestFile;

void vk_guest_file_free (VkGuestFile *file);

/* What is in the directory path, by name, or the one thing that path is otherwise.
 * Returns: (transfer full) of VkGuestFile, or NULL with VK_ERROR_NOT_FOUND,
 * VK_ERROR_STORE or G_IO_ERROR_CANCELLED. */
GPtrArray *vk_guest_list (VkGuest *guest, const char *path, GCancellable *cancellable, GError **error);

/* Copies the file or directory at path, or where a symbolic link there leads, to
 * to_path, which must not exist, all of it or nothing.  The copy is ours: it has the
 * modes and times, but neither the owners nor set-user-id and set-group-id
 * bits, and no devices.  reporter is told how many bytes are there, and of a file how many
 * there will be.  As above, and VK_ERROR_REFUSED for what is neither. */
gboolean vk_guest_copy (VkGuest *guest, const char *path, const char *to_path, VkReporter *reporter, GCancellable *cancellable, GError **error);
