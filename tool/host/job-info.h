/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The job that libvirt runs on a domain, whoever started it. */
#pragma once

#include "host/host.h"

typedef struct
{
  gboolean active;
  const char *operation;  /* "backup", "migration-out", ...: a stable word */
  gboolean is_backup;
  guint64 elapsed;        /* milliseconds */
  gboolean has_disk_progress;
  guint64 total, processed, remaining; /* push backup: bytes, of the virtual sizes */
  gboolean has_scratch;
  guint64 scratch_used, scratch_total; /* pull backup: bytes of the scratch files */
} VkJobInfo;

/* Asks libvirt.  FALSE with VK_LIBVIRT_ERROR set; with VK_ERROR_GUEST when QEMU does not answer. */
gboolean vk_job_info_get (virDomainPtr domain, VkJobInfo *info, GError **error);

/* "pull" or "push", and where it goes, of the backup that runs on domain; both
 * NULL when there is none.  targets: (transfer full) strv of the files and
 * sockets the backup document names. */
void vk_job_backup_details (virDomainPtr domain, const char **mode, GStrv *targets);

/* The same of a document that libvirt has given; NULL or no document: there is none. */
void vk_job_backup_parse (const char *text, const char **mode, GStrv *targets);
