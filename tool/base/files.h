/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that have to be on disk when we say so.  All functions set
 * VK_ERROR_STORE (VK_ERROR_NOT_FOUND where noted) to a sentence with the path
 * and the reason. */
#pragma once

#include <gio/gio.h>

#include "base/fd.h"

/* Creates path (which must not exist) with mode 0600, writes length bytes of
 * data and syncs the file. */
gboolean vk_file_write (const char *path, const void *data, gsize length, GError **error);

/* The whole of a file of at most limit bytes, NUL-terminated; symbolic links
 * as last component are not followed.  VK_ERROR_NOT_FOUND when it is missing.
 * Returns: (transfer full), *length without the NUL.  length NULL: it has to be text,
 * a file that contains a NUL is refused. */
char *vk_file_read (const char *path, gsize limit, gsize *length, GError **error);

/* Copies a regular file to to_path, which must not exist (mode 0600), holes
 * kept, and syncs it. */
gboolean vk_file_copy (const char *from_path, const char *to_path, GError **error);

/* Opens the file or directory path for vk_file_sync_held().  A descriptor that was open before the
 * kernel failed to write something back hears of it from fsync(2), also when another one,
 * a program's that keeps it to itself, has heard of it already (Linux 4.13 and later: fsync(2)).  So what
 * other programs write is held from before they begin.
 * Returns: -1 with *error. */
VkFd vk_file_hold (const char *path, GError **error);

/* fsync(2) of what was opened before; path is for the sentence. */
gboolean vk_file_sync_held (VkFd held, const char *path, GError **error);

/* Both in one, for what no other program has written. */
gboolean vk_file_sync (const char *path, GError **error);

/* rename(2) that refuses to replace anything, then a sync of the directory
 * that now holds to_path. */
gboolean vk_file_rename (const char *from_path, const char *to_path, GError **error);

/* rename(2) that replaces the file to_path if there is one, then a sync of its
 * directory. */
gboolean vk_file_replace (const char *from_path, const char *to_path, GError **error);

/* Makes to_path, which must not exist (mode 0600), share its blocks with the
 * regular file from_path until either is written to.  FALSE where the file
 * system cannot do that; then nothing is left. */
gboolean vk_file_clone (const char *from_path, const char *to_path);

/* Creates the directory path, and its parents, with mode (whatever the umask)
 * for what is new, and syncs the directories that got new entries. */
gboolean vk_directory_make (const char *path, int mode, GError **error);

/* Whether all of names (NULL-terminated) exist in the directory path. */
gboolean vk_directory_has (const char *path, const char *const *names);

/* Removes path and everything below it, without following symbolic links.
 * Nothing there is success. */
gboolean vk_tree_remove (const char *path, GError **error);

/* The sizes of the regular files at or below path, in bytes: as far as they can be seen, for a
 * tree that grows meanwhile. */
guint64 vk_tree_size (const char *path);

/* Makes a new directory PARENT/PREFIX... that only its owner can look into.  hint: what
 * else the user can do, appended to the message, or NULL.
 * Returns: (transfer full) its path, or NULL with VK_ERROR_REFUSED. */
char *vk_directory_make_private (const char *parent, const char *prefix, const char *hint, GError **error);

