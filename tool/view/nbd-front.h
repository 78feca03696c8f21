/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands before a door, for clients that are not ours: a name of its socket
 * elsewhere, or a second qemu-nbd that listens on TCP, speaks TLS or takes writes. */
#pragma once

#include "view/nbd-server.h"

typedef struct
{
  const char *overlay; /* an empty qcow2 image of the disk's size, which takes the writes; NULL: read-only */
  const char *address; /* where to listen on TCP; NULL: on a unix socket, and the rest is not looked at */
  guint port;
  const char *tls_dir; /* directory with ca-cert.pem, server-cert.pem, server-key.pem; NULL: without TLS */
} VkNbdFront;

/* Serves what door serves, which must outlive it, in the way that front says.
 * name is what messages call it, socket_dir as in nbd-server.h.
 * Returns: (transfer full), or NULL with VK_ERROR_STORE set. */
VkNbdServer *vk_nbd_front_open (const VkNbdFront *front, VkNbdServer *door, const char *name, const char *socket_dir, GError **error);

/* Gives the server's socket the name path as well, which must not exist and has to
 * lie in the file system of socket_dir.  Whoever removes it is the caller.
 * VK_ERROR_REFUSED when it exists, VK_ERROR_USAGE when it is too long for a
 * socket, VK_ERROR_STORE. */
gboolean vk_nbd_server_publish (VkNbdServer *server, const char *path, GError **error);

/* The URI of the socket at path.  Returns: (transfer full). */
char *vk_nbd_socket_uri (const char *path);
