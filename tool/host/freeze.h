/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest whose file systems its agent has frozen for a moment: nothing is written to
 * them, and what was being written is on the disks. */
#pragma once

#include "host/freeze-marker.h"

/* Thaws what is frozen in the guest, trying for several seconds.  *filesystems (may be
 * NULL) is how many there were.  A domain that does not run has none.  VK_ERROR_FROZEN when the agent
 * did not do it. */
gboolean vk_thaw (virDomainPtr domain, guint *filesystems, GError **error);

typedef struct VkFreeze VkFreeze;

typedef struct
{
  guint filesystems;    /* that were frozen */
  guint64 milliseconds; /* from the order to freeze until all was thawed */
  gboolean expired;     /* the limit passed, and a thread has thawed: what was done meanwhile cannot count on the freeze */
  gboolean broken;      /* somebody else has thawed meanwhile: as above */
} VkFreezeReport;

/* Writes the marker and freezes the file systems: all, or the ones mounted at mounts
 * (NULL-terminated).  Not later than limit (seconds) after the order was given they are
 * thawed, if vk_freeze_end() has not done it by then.  domain must outlive the freeze.
 * On failure nothing is frozen, but for VK_ERROR_FROZEN; the marker is left then.
 * libvirt's limit on the agent's answers is changed and put back to its default.
 * Returns: (transfer full). */
VkFreeze *vk_freeze_begin (VkHost *host, virDomainPtr domain, const char *const *mounts, guint limit, GError **error);

/* When it is thawed at the latest, monotonic microseconds. */
gint64 vk_freeze_deadline (const VkFreeze *freeze);

/* Thaws and removes the marker, and frees freeze either way.  VK_ERROR_FROZEN when the guest may
 * still be frozen: the marker is left, for vk_freeze_marker_thaw(). */
gboolean vk_freeze_end (VkFreeze *freeze, VkFreezeReport *report, GError **error);
