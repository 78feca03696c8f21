/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of another host, where libvirt is all that lets us in: as volumes of a storage pool
 * (https://libvirt.org/formatstorage.html).  Where no pool has them, one of type dir is made for their
 * directory and taken away again, which changes no file. */
#pragma once

#include "host/host.h"

/* Copies the file path there to to_path, which must not exist.  VK_LIBVIRT_ERROR, VK_ERROR_STORE for
 * to_path, G_IO_ERROR_CANCELLED. */
gboolean vk_storage_fetch (VkHost *host, const char *path, const char *to_path, GCancellable *cancellable, GError **error);

/* Adds the names (char *, transfer full) of the files in a directory there.  VK_LIBVIRT_ERROR when it
 * cannot be looked into. */
gboolean vk_storage_list (VkHost *host, const char *directory, GPtrArray *names, GError **error);
