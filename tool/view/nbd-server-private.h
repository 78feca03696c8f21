/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What nbd-server.c (qemu-nbd) and nbdkit-server.c share. */
#pragma once

#include "base/process.h"
#include "view/nbd-server.h"

/* A server that has a directory of its own in socket_dir and is not started yet;
 * path: what is served, for messages.  program is not copied.
 * Returns: (transfer full). */
VkNbdServer *vk_nbd_server_prepare (const char *program, const char *path, const char *socket_dir, GError **error);

/* Where the program is to listen, and the file that it is to write then. */
const char *vk_nbd_server_socket (VkNbdServer *server);
const char *vk_nbd_server_pid_file (VkNbdServer *server);

/* Where clients find it, when that is not the socket.  Takes uri over. */
void vk_nbd_server_set_uri (VkNbdServer *server, char *uri);

/* Starts the program and waits until it listens. */
gboolean vk_nbd_server_launch (VkNbdServer *server, const char *const *argv, const VkProcessSecrets *secrets, GError **error);

/* The last line of text, which the program has said: without its own name and
 * description (NULL: none), which was given to it.  Returns: (transfer full). */
char *vk_nbd_server_words (const char *program, const char *description, const char *text);

/* A file in memory with the key in it.  Returns: its descriptor, or -1. */
int vk_nbdkit_put_key (const char *key, GError **error);
