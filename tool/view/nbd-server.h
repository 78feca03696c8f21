/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-nbd or nbdkit, started on a private unix socket for as long as it is
 * needed: the one door through which image files are written and restore points
 * read. */
#pragma once

#include <gio/gio.h>

typedef struct VkNbdServer VkNbdServer;

/* A server ends with the thread that started it, at the latest.
 *
 * Serves chain[0], a qcow2 image, read-only.  chain lists the image and its
 * backing files, top first, NULL-terminated absolute paths: they are named
 * explicitly to QEMU, so that nothing written inside an image can make it open
 * another file.
 * secret: with which all of them are encrypted, see view/disk-key.h, or NULL.
 * socket_dir: an existing private directory (0700) for the socket, short
 * enough for sun_path.
 * Returns: (transfer full) when the socket accepts connections, or NULL with
 * VK_ERROR_STORE set to what qemu-nbd said. */
VkNbdServer *vk_nbd_server_read (const char *const *chain, const char *secret, const char *socket_dir, GError **error);

/* What vk_nbd_server_read() gives to QEMU, for a program of QEMU's that opens the
 * chain itself, and has the object of view/disk-key.h where there is a secret: "json:...".  Returns: (transfer full). */
char *vk_nbd_describe_chain (const char *const *chain, const char *secret, GError **error);

/* The same for a chain in which QEMU may just be writing to an image, but
 * nothing that is visible through those above it. */
VkNbdServer *vk_nbd_server_read_shared (const char *const *chain, const char *secret, const char *socket_dir, GError **error);

/* Serves the qcow2 image at path for writing, without host cache flushes: the
 * caller syncs the file after vk_nbd_server_stop().  chain_below: its backing
 * files as above (named explicitly), or NULL when it has none. */
VkNbdServer *vk_nbd_server_write (const char *path, const char *const *chain_below, const char *secret, const char *socket_dir, GError **error);

/* Serves, read-only, a disk of a domain that is shut off: the image at path, of
 * the given format, with whatever it builds on; bitmap (may be NULL) is exported
 * with it as the meta context "qemu:dirty-bitmap:BITMAP".  QEMU's lock on the
 * image keeps the domain from being started meanwhile. */
VkNbdServer *vk_nbd_server_source (const char *path, const char *format, const char *bitmap, const char *socket_dir, GError **error);

/* Serves what is at target, a path or an image URI of QEMU's, of the given format and with whatever it
 * builds on, for writing.  QEMU's lock on it keeps a domain from being started with it. */
VkNbdServer *vk_nbd_server_target (const char *target, const char *format, const char *socket_dir, GError **error);

/* A file of a restic repository, for nbdkit and the plugin that comes with
 * virt-keep. */
typedef struct
{
  const char *repository; /* as restic's -r takes it; may hold a password */
  const char *master_key; /* of the repository, 128 hexadecimal digits */
  const char *snapshot;   /* 64 digits */
  const char *file;       /* its path in the snapshot */
  guint64 chunk_size;     /* bytes; 0: its blobs differ in length */
} VkNbdResticFile;

/* Serves the file, read-only, to any number of connections; no byte of it that
 * has not been checked.  The caller has locked the repository.  name is what
 * messages call the file.  VK_ERROR_REFUSED when nbdkit or the plugin is not
 * installed; otherwise as above. */
VkNbdServer *vk_nbd_server_restic (const VkNbdResticFile *file, const char *name, const char *socket_dir, GError **error);

/* The NBD URI of the served disk (percent-encoded where needed). */
const char *vk_nbd_server_uri (VkNbdServer *server);

/* The program, for who waits for its end.  Returns: (transfer none). */
GSubprocess *vk_nbd_server_process (VkNbdServer *server);

/* Ends the server, once, and waits for it, so that the image is closed
 * afterwards.
 * A server that ended by itself or with a failure is VK_ERROR_STORE with what
 * it said. */
gboolean vk_nbd_server_stop (VkNbdServer *server, GError **error);

/* After a read through the server has failed: ends it and replaces *error by what
 * it said about that, if it said anything. */
void vk_nbd_server_explain (VkNbdServer *server, GError **error);

/* Kills the server if it still runs, and removes its socket. */
void vk_nbd_server_free (VkNbdServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkNbdServer, vk_nbd_server_free)

/* Where nbdkit's plugin is that reads restic repositories.  Returns: (transfer full), or
 * NULL with VK_ERROR_REFUSED. */
char *vk_nbdkit_find_plugin (GError **error);
