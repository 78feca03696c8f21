/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which guests' file systems may be frozen, written down in STATE/frozen before they
 * are: whoever finds a marker whose process has gone thaws that guest. */
#pragma once

#include "host/host.h"

typedef struct
{
  char *path;    /* of the marker's file */
  char *uuid;    /* of the domain */
  char *name;    /* of the domain, at that time */
  char *uri;     /* of the libvirt connection, as vk_host_uri() has it */
  char *time;    /* UTC, as in manifests: before the freeze */
  char *process; /* who freezes: see vk_process_lives() */
} VkFreezeMarker;

void vk_freeze_marker_free (VkFreezeMarker *marker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkFreezeMarker, vk_freeze_marker_free)

/* Writes one for this process, durably.  VK_ERROR_STORE.  Returns: (transfer full). */
VkFreezeMarker *vk_freeze_marker_new (VkHost *host, virDomainPtr domain, GError **error);

/* Removes it: nothing is frozen any more. */
gboolean vk_freeze_marker_remove (const VkFreezeMarker *marker, GError **error);

/* Whether the process that freezes is still there, to thaw as well. */
gboolean vk_freeze_marker_is_in_use (const VkFreezeMarker *marker);

/* Whether it is this process that freezes. */
gboolean vk_freeze_marker_is_ours (const VkFreezeMarker *marker);

/* The markers of this libvirt connection, oldest first; of the domain with that UUID, or
 * of all (NULL).  VK_ERROR_STORE when the directory or one of them cannot be read.
 * Returns: (transfer full) of VkFreezeMarker. */
GPtrArray *vk_freeze_marker_list (VkHost *host, const char *uuid, GError **error);

/* Thaws that domain, whatever it is called now, and removes the marker.  A domain that is
 * gone or does not run has nothing frozen.  *filesystems is how many were thawed: 0 when
 * somebody else has done it, or the guest was started anew.  On failure the marker stays;
 * VK_ERROR_FROZEN: the agent did not do it. */
gboolean vk_freeze_marker_thaw (VkHost *host, const VkFreezeMarker *marker, guint *filesystems, GError **error);
