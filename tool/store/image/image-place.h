/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* On which mounted file system an image store lies, written down in STATE/stores: when it
 * is not mounted, the empty directory below it is no place for a new store. */
#pragma once

#include <glib.h>

/* Notes where the store in the directory path lies.  On the root file system, which is always
 * there, there is nothing to note.  VK_ERROR_STORE. */
gboolean vk_image_place_note (const char *path, GError **error);

/* FALSE with VK_ERROR_STORE when the store that was in the directory path is missing since
 * its file system is not mounted.  TRUE when nothing is known of one. */
gboolean vk_image_place_check (const char *path, GError **error);
