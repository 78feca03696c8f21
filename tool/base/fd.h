/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What code that works on files by their descriptors has in common. */
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <glib.h>

/* A descriptor that is closed at the end of its scope; -1: none. */
typedef int VkFd;
void vk_fd_close (VkFd *fd);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VkFd, vk_fd_close)

/* The descriptor, which is not closed then. */
VkFd vk_fd_steal (VkFd *fd);

typedef DIR VkDir;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkDir, closedir)

/* As vk_fail(), with the words for errno behind a colon; VK_ERROR_NOT_FOUND when there is no
 * such file, VK_ERROR_STORE otherwise. */
gboolean vk_fail_errno (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);
#ifdef __clang_analyzer__
#define vk_fail_errno(...) (vk_fail_errno (__VA_ARGS__), FALSE)
#endif

/* Opens a regular file for reading and fills *status; what is not one is not waited
 * for, and a symbolic link not followed.  Returns: -1 with VK_ERROR_STORE or
 * VK_ERROR_NOT_FOUND. */
VkFd vk_fd_open_regular (const char *path, struct stat *status, GError **error);

/* Creates path, which must not exist, with mode 0600, for writing.  Returns: -1 with VK_ERROR_STORE. */
VkFd vk_fd_create (const char *path, GError **error);

/* Writes all of it; path is for the sentence.  VK_ERROR_STORE. */
gboolean vk_fd_write_all (int fd, const void *data, gsize length, const char *path, GError **error);

/* Standard output, for one who writes something else than words there: what is printed from now on, also by
 * programs that are started, goes to standard error.  Returns: -1 with VK_ERROR_FAILED. */
VkFd vk_fd_take_output (GError **error);
