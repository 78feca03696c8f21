/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A restore point made into images and a domain again. */
#pragma once

#include <gio/gio.h>

#include "host/host.h"
#include "report/reporter.h"
#include "store/store.h"

typedef struct
{
  const char *directory;    /* where the files go; made when it is missing */
  const char *const *disks; /* only these targets, and nothing but disks; NULL: everything */
  const char *format;       /* "qcow2" or "raw" */
} VkRestoreRequest;

/* Restores the point's disks and files into request->directory.  Nothing that
 * exists is overwritten, and after a failure nothing new is left.  Every file
 * is checked against the digest in the manifest.
 * Returns: (transfer full) the absolute paths by their name in the directory
 * ("vda", the disk's target, for disks), or NULL: VK_ERROR_NOT_FOUND for a disk that the point does
 * not have, VK_ERROR_REFUSED for files that exist, VK_ERROR_STORE. */
GHashTable *vk_restore_run (VkStore *store, const VkPoint *point, const VkRestoreRequest *request, VkReporter *reporter, GCancellable *cancellable, GError **error);

/* Refuses, before anything is restored, a name that a domain has already.
 * name NULL: that of the point. */
gboolean vk_restore_check_name (VkHost *host, const VkPoint *point, const char *name, GError **error);

/* Defines the restored domain.  With a domain of the same UUID there already
 * it becomes a second machine: new UUID, new MAC addresses.  warnings gets
 * (transfer full) sentences about what the domain now lacks.
 * Returns: (transfer full) the name of the domain, or NULL. */
char *vk_restore_define (VkHost *host, VkStore *store, const VkPoint *point, const VkRestoreRequest *request, GHashTable *paths, const char *name, GPtrArray *warnings, GError **error);
