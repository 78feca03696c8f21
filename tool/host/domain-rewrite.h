/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stored domain document made into one for a restored domain: text in, text
 * out, nothing is defined here. */
#pragma once

#include "base/xml.h"

/* How vk_domain_xml_rewrite() changes a domain document. */
typedef struct
{
  const char *name;      /* NULL: keep */
  gboolean new_identity; /* drop what libvirt must make anew for a domain beside the first one: UUID (also in sysinfo) and MAC addresses */
  GHashTable *disks;     /* target -> new absolute path or URI (char *); a writable disk that is not in it is removed */
  const char *disk_format; /* "qcow2" or "raw", of all of disks */
  GHashTable *copied;    /* target -> new absolute path of copied cdrom/floppy images, whose format stays; may be NULL */
  const char *nvram;     /* NULL: keep; with new_identity the path goes, so that libvirt makes a new file from the template */
  const char *kernel, *initrd, *dtb; /* NULL: keep */
  GHashTable *block;     /* those of disks whose path is one of a raw block device (a set of targets); may be NULL */
  GHashTable *network;   /* those of disks whose path is QEMU's URI of a raw image (a set of targets); may be NULL */
  GHashTable *secrets;   /* target -> UUID of the secret with which that one of disks is encrypted (LUKS); may be NULL */
  gboolean new_uuid;     /* drop the UUID alone */
  gboolean new_macs;     /* drop the MAC addresses alone */
  GHashTable *networks;  /* libvirt network -> the one to be in instead, may be NULL */
} VkDomainRewrite;

/* The domain document xml, rewritten: the disks' sources become plain files,
 * and what only described the old source (backing chain, auth, encryption,
 * slices, reservations, mirror, indexes, labels) goes.  A generation id is
 * always made anew, since that is what tells the guest that it was restored.
 * A cdrom or floppy whose image is not in copied and not a readable file here
 * is ejected.  Disks removed are the writable ones that are not in disks, and
 * read-only ones whose image is not here; removed, when not NULL, gets
 * (transfer full) their targets, in document order.
 * VK_ERROR_FAILED when xml is not a domain document or has no disk of a target
 * in disks or copied; VK_ERROR_REFUSED for a name or path that XML cannot hold, for a network
 * that the domain is not in, and for a URI that libvirt has no words for.
 * Returns: (transfer full) the new document, or NULL. */
char *vk_domain_xml_rewrite (const char *xml, const VkDomainRewrite *rewrite, GStrv *removed, GError **error);
