/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The document of a domain that is booted from a restore point: text in, text out. */
#pragma once

#include "base/xml.h"

/* The namespace of the element that marks such a domain in its <metadata>. */
#define VK_BOOT_NAMESPACE "urn:virt-keep:boot:1"
#define VK_BOOT_PREFIX "virt-keep"

typedef struct
{
  const char *uuid;        /* of the domain */
  const char *point;       /* name of the restore point, for the mark */
  const char *store_id;    /* for the mark */
  GHashTable *sockets;     /* target -> path of the socket of the disk's door (char *) */
  guint64 memory;          /* bytes; 0: as it is */
  const char *network;     /* "none", "same" or a libvirt network */
  gboolean beside;         /* another domain, the original maybe, may use what the document names on the host */
  gboolean isolated;       /* nothing of the host's but the disks; implies beside */
  const char *console_log; /* or NULL */
} VkDomainBoot;

/* The document that vk_domain_xml_rewrite() made, with its disks as overlays on their
 * doors.  warnings gets (transfer full) sentences about what the domain lacks.
 * VK_ERROR_FAILED when xml is not a domain document or lacks a disk of sockets;
 * VK_ERROR_REFUSED for a value that XML cannot hold, and for memory that cannot be
 * changed.
 * Returns: (transfer full), or NULL. */
char *vk_domain_xml_boot (const char *xml, const VkDomainBoot *boot, GPtrArray *warnings, GError **error);

/* The document of a booted domain that has been moved to permanent disks: without the
 * mark, what is below the disks, and the log of the console.
 * Returns: (transfer full), or NULL with VK_ERROR_FAILED. */
char *vk_domain_xml_unboot (const char *xml, GError **error);

/* Cuts the domain off: see domain-isolate.c.  isolated FALSE: only what two domains
 * cannot have at once. */
void vk_domain_xml_cut_off (xmlNode *root, gboolean isolated, GPtrArray *warnings);
