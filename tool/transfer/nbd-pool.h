/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connections to one NBD export, polled together on one thread. */
#pragma once

#include <gio/gio.h>
#include <libnbd.h>
#include <poll.h>

#include "base/error.h"

typedef struct VkNbdPool VkNbdPool;

typedef struct
{
  const char *uri;             /* NBD URI of the export */
  const char *tls_dir;         /* nbds: with ca-cert.pem, client-cert.pem and client-key.pem; NULL: libnbd's own places */
  const char *name;            /* what messages call the disk behind it */
  VkError error_code;          /* the class of what goes wrong here */
  guint max_connections;       /* more than one only where the export allows it */
  const char *const *contexts; /* meta contexts to ask for, NULL-terminated, or NULL */
} VkNbdPoolOptions;

/* Connects.  The first connection is ready on return; the others join when the
 * server takes them, and are given up silently when it does not.
 * Returns: (transfer full), or NULL with options->error_code or
 * G_IO_ERROR_CANCELLED set. */
VkNbdPool *vk_nbd_pool_new (const VkNbdPoolOptions *options, GCancellable *cancellable, GError **error);

/* Closes all connections at once.  Commands in flight are dropped: their
 * callbacks are not called any more, their buffers not touched. */
void vk_nbd_pool_free (VkNbdPool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkNbdPool, vk_nbd_pool_free)

/* For error messages. */
const char *vk_nbd_pool_name (const VkNbdPool *pool);
VkError vk_nbd_pool_error_code (const VkNbdPool *pool);

/* The size of the export in bytes. */
guint64 vk_nbd_pool_size (const VkNbdPool *pool);

/* The longest payload of a single command, in bytes. */
guint64 vk_nbd_pool_max_payload (const VkNbdPool *pool);

/* A connection to ask about the export. */
struct nbd_handle *vk_nbd_pool_first (VkNbdPool *pool);

/* The connection with the fewest commands in flight, to start one on. */
struct nbd_handle *vk_nbd_pool_idlest (VkNbdPool *pool);

/* To be called after starting a command with its result: FALSE when the
 * command was not accepted or the connection died over it. */
gboolean vk_nbd_pool_started (VkNbdPool *pool, struct nbd_handle *nbd, gint64 cookie, GError **error);

/* As in VkSinkOps; completion callbacks run inside dispatch. */
void vk_nbd_pool_prepare (VkNbdPool *pool, GArray *fds);
gboolean vk_nbd_pool_dispatch (VkNbdPool *pool, const struct pollfd *fds, guint n_fds, GError **error);

/* With nothing in flight: has the server make all writes durable in its sense,
 * and takes leave of it.  Blocks, but not for longer than vk_flush_patience(). */
gboolean vk_nbd_pool_finish (VkNbdPool *pool, GCancellable *cancellable, GError **error);

/* With nothing in flight: takes leave of the server without waiting for it. */
void vk_nbd_pool_disconnect (VkNbdPool *pool);
