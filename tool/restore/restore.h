/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A restore point made into images and a domain again. */
#pragma once

#include <gio/gio.h>

#include "host/host.h"
#include "host/storage-pool.h"
#include "report/reporter.h"
#include "restore/in-place.h"
#include "store/store.h"
#include "view/qemu-img-convert.h"

typedef struct
{
  const char *directory;    /* where files go, and disks that have no other place; made when it is missing; or NULL */
  const char *pool;         /* storage pool for disks without a target of their own, or NULL */
  GHashTable *targets;      /* disk target -> path or image URI, or NULL */
  const char *const *disks; /* only these targets, and nothing but disks; NULL: everything */
  const char *const *files; /* only these files of the point, no disks; NULL: everything */
  const char *name;         /* instead of the domain's in the names of volumes, or NULL */
  gboolean delta;           /* in place: write only what differs */
  VkImageForm form;         /* of new images */
} VkRestoreRequest;

/* Whether the place is a path rather than QEMU's URI of an image. */
gboolean vk_restore_is_path (const char *place);

/* Something that was restored. */
typedef struct
{
  char *name;        /* a disk's target, or the name of a file in the point */
  char *path;        /* absolute, or QEMU's URI of an image */
  gboolean is_path;
  gboolean is_block; /* a block device */
  gboolean is_delta; /* only what differed was written, */
  guint64 written;   /* so many bytes */
} VkRestored;

void vk_restored_free (VkRestored *restored);

/* Restores the point's disks and files to the places of the request.  pool: that of
 * the request, or NULL.  in_place: the domain whose own disks, and firmware variables, are
 * restored, or NULL; its disks are kept aside until all are done, and put back when
 * that fails, but with delta, which writes into them.  No other file or volume that exists is overwritten; block
 * devices and images that are named as targets are.  Every file is checked
 * against the digest in the manifest.  After a failure nothing is left that looks
 * finished; complete files are kept, hidden, for the next run of the same request, which
 * a warning says.
 * Returns: (transfer full) of VkRestored, or NULL: VK_ERROR_NOT_FOUND for a disk or
 * file that the point does not have, VK_ERROR_REFUSED for places that are taken or do not
 * fit, VK_ERROR_BUSY, VK_ERROR_STORE, also when room is lacking. */
GPtrArray *vk_restore_run (VkStore *store, const VkPoint *point, VkStoragePool *pool, VkInPlace *in_place, const VkRestoreRequest *request, VkReporter *reporter, GCancellable *cancellable, GError **error);

typedef struct
{
  const char *name;     /* of the domain, NULL: as it was */
  gboolean new_uuid;    /* also when the old one is taken */
  gboolean new_macs;
  GHashTable *networks; /* libvirt network -> the one in its place, or NULL */
  gboolean start;
} VkDefineRequest;

/* Refuses, before anything is restored, a domain that could not be defined: its
 * name is taken, it is in no such network, its firmware variables have no
 * place (has_directory: there is one for files). */
gboolean vk_restore_check_define (VkHost *host, VkStore *store, const VkPoint *point, const VkDefineRequest *request, gboolean has_directory, GError **error);

/* Defines the restored domain, and starts it when that is wanted.  With a domain of the same UUID there already
 * it becomes a second machine: new UUID, new MAC addresses.  restored: of
 * VkRestored.  warnings gets (transfer full) sentences about what the domain now lacks.
 * Returns: (transfer full) the name of the domain, or NULL. */
char *vk_restore_define (VkHost *host, VkStore *store, const VkPoint *point, const VkDefineRequest *request, const GPtrArray *restored, const char *format, GPtrArray *warnings, GError **error);
