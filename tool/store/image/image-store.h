/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image store: a directory per domain, in it a directory per restore
 * point, in it a qcow2 image per disk.  The layout is documented in
 * virt-keep-store(5). */
#pragma once

#include "store/store.h"

/* Opens, or with create makes, the image store in the directory path.  VK_ERROR_NOT_FOUND when there
 * is none; VK_ERROR_STORE, also with create, when its file system is not mounted: see image-place.h. */
VkStore *vk_image_store_open (const char *path, gboolean create, GError **error);

/* Makes one in the directory path, which need not exist; VK_ERROR_REFUSED when
 * there is one, or something else. */
VkStore *vk_image_store_create (const char *path, GError **error);

/* The same for as long as one command runs: nothing is noted of where it lies. */
VkStore *vk_image_store_create_transient (const char *path, GError **error);

/* Makes the directory for the files of the point that manifest, which came from elsewhere, describes.  With
 * them and manifest.json, which comes last, it is a point of the store.
 * Returns: (transfer full) its path, or NULL with VK_ERROR_STORE. */
char *vk_image_store_make_place (VkStore *store, const VkManifest *manifest, GError **error);
