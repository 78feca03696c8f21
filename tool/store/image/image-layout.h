/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names in an image store. */
#pragma once

#include "store/store.h"

#define VK_IMAGE_MANIFEST "manifest.json"
#define VK_IMAGE_LOCK "lock"
#define VK_IMAGE_PARTIAL_PREFIX ".partial-"

/* QEMU's user has to pass through these to reach an image that it writes, and
 * need not (and must not) list them. */
enum { VK_IMAGE_DIRECTORY_MODE = 0711, VK_IMAGE_POINT_MODE = 0700 };

typedef struct
{
  VkStore base;
  char *path; /* absolute */
} VkImageStore;

/* "NAME.UUID", with what cannot be in a file name, and a leading dot, as %XX.
 * Returns: (transfer full). */
char *vk_image_domain_directory_name (const char *name, const char *uuid);

/* The directory of the domain with this UUID, whatever its name was when it
 * was made; NULL when there is none.  Returns: (transfer full) its path. */
char *vk_image_find_domain_directory (const VkImageStore *store, const char *uuid, GError **error);

/* Whether name is that of a restore point: YYYYMMDDTHHMMSSZ. */
gboolean vk_image_is_point_name (const char *name);

/* The names in the directory path, sorted.  Returns: (transfer full). */
GPtrArray *vk_image_directory_names (const char *path, GError **error);

/* Begins a point: see vk_store_begin_point(). */
VkPointWriter *vk_image_writer_new (VkImageStore *store, const char *domain_name, const char *domain_uuid, GError **error);
