/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a backup that was killed has left of one domain, in libvirt and on this machine.
 * Who holds the lock of the domain in the store knows that what carries the store's id
 * has no owner any more. */
#pragma once

#include "host/backup-job.h"
#include "store/store.h"

typedef struct
{
  virDomainPtr domain;
  const char *uuid;
  const char *store_id;
  const char *directory;   /* of the domain in an image store, or NULL */
  const char *scratch_dir; /* besides the usual place, or NULL */
  gboolean here;           /* whether QEMU's files are those of this host */
} VkLeftoverPlace;

/* Whether path lies in a private directory of a backup into this store, or in the domain's
 * directory there. */
gboolean vk_leftover_is_ours (const VkLeftoverPlace *place, const char *path);

/* "push" or "pull" when the backup job that runs on the domain goes into this store, else
 * NULL. */
const char *vk_leftover_job (const VkLeftoverPlace *place);

/* Ends it, after libvirt is done with beginning it; job watches the domain.  *mode: its, or
 * NULL when there is none. */
gboolean vk_leftover_job_end (const VkLeftoverPlace *place, VkBackupJob *job, const char **mode, GCancellable *cancellable, GError **error);

/* The checkpoints of this store that none of points (of VkPoint, all of the domain's)
 * needs.  Returns: (transfer full) of char *, or NULL with VK_LIBVIRT_ERROR. */
GPtrArray *vk_leftover_checkpoints (const VkLeftoverPlace *place, const GPtrArray *points, GError **error);

/* The files of such a backup that QEMU has open; while a job runs, they are its.
 * Returns: (transfer full) of char *, or NULL with *error when QEMU cannot be asked. */
GPtrArray *vk_leftover_open_files (const VkLeftoverPlace *place, GError **error);

/* Has QEMU close these files; VK_ERROR_NOT_CLOSED where it does not. */
gboolean vk_leftover_close_files (const VkLeftoverPlace *place, GPtrArray *files, GError **error);

/* The private directories.  Returns: (transfer full) of char *: their paths. */
GPtrArray *vk_leftover_directories (const VkLeftoverPlace *place);
