/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking QEMU itself, through libvirt's monitor passthrough, whether it has
 * let go of a backup.  Passthrough marks the domain as tainted. */
#pragma once

#include <json-glib/json-glib.h>

#include "host/host.h"

typedef struct
{
  gboolean proven;       /* nothing of the backup is left in QEMU */
  const char *method;    /* "monitor", "image-lock", "ended": there is no QEMU any more, "no-job", or "none" */
  char *note;            /* why the method is not "monitor", or why it is not proven; NULL */
  GPtrArray *nodes_left; /* of char *: block nodes on the backup's files */
  GPtrArray *jobs_left;  /* of char *: block jobs of type backup */
  GPtrArray *exports_left;  /* of char *: NBD exports of such nodes */
  GPtrArray *removed_nodes; /* of char *: nodes that stayed behind and were deleted */
  GPtrArray *nodes;      /* of char *: the block nodes QEMU then had, by name */
} VkClosedProof;

void vk_closed_proof_free (VkClosedProof *proof);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkClosedProof, vk_closed_proof_free)

/* Proves that QEMU has none of files (NULL-terminated absolute paths) open any
 * more and runs no backup job, waiting for it a few seconds and then deleting
 * (blockdev-del) block nodes that stayed behind.  With use_monitor FALSE, or
 * when passthrough is refused, only the image locks are looked at, if files_here
 * says that they are on this host.  A domain that has stopped has no QEMU that could
 * have anything open.
 * Returns: (transfer full); what could not be proven is in it, not an error. */
VkClosedProof *vk_prove_closed (virDomainPtr domain, const char *const *files, gboolean files_here, gboolean use_monitor);

/* Where no job was begun, there is nothing to close.  note says why there was none.
 * Returns: (transfer full). */
VkClosedProof *vk_closed_without_job (const char *note);

/* What QEMU's block nodes lie on: paths of files, and names of what is none.
 * Returns: (transfer full) of char *, or NULL with *error when it cannot be asked. */
GPtrArray *vk_monitor_open_files (virDomainPtr domain, GError **error);

/* The version of the domain's QEMU, "7.2.22", from its monitor.
 * Returns: (transfer full), or NULL when it cannot be asked. */
char *vk_monitor_qemu_version (virDomainPtr domain);

/* As in virt-keep-json(5).  Returns: (transfer full). */
JsonObject *vk_closed_proof_to_json (const VkClosedProof *proof);

/* One sentence for people.  Returns: (transfer full). */
char *vk_closed_proof_to_text (const VkClosedProof *proof);
