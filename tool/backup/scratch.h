/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The room for scratch files.  When it is used up, QEMU pauses the guest; so the
 * backup is ended before. */
#pragma once

#include "host/domain-xml.h"
#include "host/host.h"

/* Whether so little is left in directory that a scratch file cannot have grown. */
gboolean vk_scratch_is_full (const char *directory);

/* After the job whose scratch file had no room has ended: lets a guest that was paused
 * for that run on.  FALSE when it is not paused, or for another reason: because of an
 * error that is not a lack of room, or when the own storage of one of its disks (xml)
 * is full.  *error is set when it should run and does not. */
gboolean vk_scratch_resume_guest (virDomainPtr domain, const VkDomainXml *xml, GError **error);

/* Waits a few seconds for libvirt to remove the scratch files of a job that has ended,
 * which may be in the way of the guest's own disk. */
void vk_scratch_wait_removed (const char *const *files);
