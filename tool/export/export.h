/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disks of a restore point behind doors that others can use, for as long as
 * they are wanted. */
#pragma once

#include <gio/gio.h>

#include "store/store.h"

typedef struct
{
  const char *const *disks; /* only these targets; NULL: all of them */
  const char *socket;       /* the unix socket, of several disks what stands before ".TARGET"; NULL: private ones */
  const char *address;      /* listen on TCP there, with port, and not on sockets; or NULL */
  guint port;               /* of the first disk; each next one has the next port */
  const char *tls_dir;      /* see view/nbd-front.h; NULL: without TLS */
  gboolean writable;        /* on an overlay that is thrown away at the end */
} VkExportRequest;

typedef struct
{
  const char *target;
  const char *uri;
  guint64 size;       /* bytes */
  const char *socket; /* path that was asked for, or NULL */
} VkExportedDisk;

typedef struct VkExport VkExport;

/* Opens the doors.  The store must outlive them.
 * Returns: (transfer full) when all accept connections, or NULL with nothing left:
 * VK_ERROR_NOT_FOUND for a disk that the point does not have, VK_ERROR_REFUSED for a
 * socket that exists, VK_ERROR_STORE. */
VkExport *vk_export_open (VkStore *store, const VkPoint *point, const VkExportRequest *request, GError **error);

/* (transfer none) of VkExportedDisk, in the order of the point. */
const GPtrArray *vk_export_disks (VkExport *export);

/* Waits until cancelled, which is TRUE, or until a door has ended by itself:
 * VK_ERROR_STORE with what it said. */
gboolean vk_export_wait (VkExport *export, GCancellable *cancellable, GError **error);

/* Runs argv with standard input and output of ours, and with the URIs in its
 * environment: VIRT_KEEP_NBD_URI of the first disk, VIRT_KEEP_NBD_URI_VDA and the
 * like of each, VIRT_KEEP_POINT.  Cancelled, it gets SIGTERM, and SIGKILL when it does
 * not end within ten seconds.  *status: as a shell has it, 128 and the number of the
 * signal that killed it.
 * FALSE: it could not be started, or G_IO_ERROR_CANCELLED. */
gboolean vk_export_run (VkExport *export, const char *point_name, const char *const *argv, int *status, GCancellable *cancellable, GError **error);

/* Closes the doors, once, and the connections of whoever still has some.
 * VK_ERROR_STORE when one had ended before, with what it said. */
gboolean vk_export_close (VkExport *export, GError **error);

/* Closes the doors and removes everything. */
void vk_export_free (VkExport *export);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkExport, vk_export_free)
