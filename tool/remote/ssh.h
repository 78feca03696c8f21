/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another host, where libvirt runs, through ssh.  One connection carries everything, so that a
 * person is asked once at most: what is run there, and the sockets that are forwarded. */
#pragma once

#include <gio/gio.h>

#include "base/room.h"
#include "remote/ssh-command.h"

typedef struct VkSsh VkSsh;

/* Connects as the libvirt URI says (see vk_ssh_words()).  directory: a private one on this host,
 * which outlives the connection and holds what it needs.  Prompts on a terminal only.  Blocks.  The
 * thread that calls this must outlive the connection.
 * Returns: (transfer full), or NULL with VK_ERROR_CONNECTION, VK_ERROR_REFUSED or G_IO_ERROR_CANCELLED. */
VkSsh *vk_ssh_open (const char *uri, const char *directory, GCancellable *cancellable, GError **error);
void vk_ssh_free (VkSsh *ssh);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkSsh, vk_ssh_free)

/* The name of the host.  (transfer none) */
const char *vk_ssh_host (const VkSsh *ssh);

/* Whether the connection stands. */
gboolean vk_ssh_lives (VkSsh *ssh);

/* What ssh has said last by itself, such as why the connection ended.
 * Returns: (transfer full), or NULL. */
char *vk_ssh_last_words (VkSsh *ssh);

/* Runs a sh script there with arguments (NULL-terminated), its $1, $2, ..., to its end, through
 * a connection of its own when the first one has ended.  *output: (transfer full) what it prints, UTF-8;
 * NULL: not wanted.  VK_ERROR_FAILED with its own last line on standard error. */
gboolean vk_ssh_run (VkSsh *ssh, const char *script, const char *const *arguments, char **output, GCancellable *cancellable, GError **error);

/* Copies a file from there to to_path, which must not exist.  VK_ERROR_NOT_FOUND when it cannot be
 * read there. */
gboolean vk_ssh_fetch (VkSsh *ssh, const char *path, const char *to_path, GCancellable *cancellable, GError **error);

/* Who connects to the unix socket here, which is made, talks to the one there, which may be made
 * later.  Neither path may have a colon or a backslash in it. */
gboolean vk_ssh_forward (VkSsh *ssh, const char *socket_here, const char *socket_there, GCancellable *cancellable, GError **error);

/* How much room there is in a directory there. */
gboolean vk_ssh_room (VkSsh *ssh, const char *directory, VkRoom *room, GCancellable *cancellable, GError **error);
