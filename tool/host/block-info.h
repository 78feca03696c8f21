/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libvirt tells of a disk, and of the block job on it.  QEMU is asked for it, and not
 * waited for without limit: see question.h. */
#pragma once

#include <glib.h>
#include <libvirt/libvirt.h>

/* virDomainGetBlockInfo(): the size and the allocation of the disk, in bytes.
 * FALSE with *error as vk_question_ask() has it, or of libvirt. */
gboolean vk_block_info_get (virDomainPtr domain, const char *target, virDomainBlockInfo *info, GError **error);

/* virDomainGetBlockJobInfo().  Returns whether a job is known to run on the disk. */
gboolean vk_block_job_get (virDomainPtr domain, const char *target, virDomainBlockJobInfo *info);

/* virDomainBlockJobSetSpeed(), in bytes per second; 0: no limit.  Errors as above. */
gboolean vk_block_job_set_speed (virDomainPtr domain, const char *target, guint64 speed, GError **error);
