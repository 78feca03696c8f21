/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU's image URI names, as libvirt writes it in a <disk type='network'>. */
#pragma once

#include "base/xml.h"

/* The image behind a URI. */
typedef struct
{
  const char *protocol; /* libvirt's word for it */
  char *name;           /* export, image or target; NULL: none */
  char *host;           /* of its server, NULL: none is named */
  char *port;           /* NULL: the protocol's */
  char *socket;         /* the server's unix socket instead, or NULL */
  char *configuration;  /* file of Ceph's, or NULL */
} VkNetworkSource;

/* Reads a URI as QEMU does: nbd://, nbd+tcp://, nbd+unix:// (QEMU's block/nbd.c), nbd:HOST:PORT
 * and nbd:unix:PATH, iscsi:// (block/iscsi.c), rbd:POOL/IMAGE (block/rbd.c).
 * Returns: (transfer full), or NULL with VK_ERROR_REFUSED for one that libvirt has no words for,
 * among them all with credentials, which it wants to have as secrets of its own. */
VkNetworkSource *vk_network_source_parse (const char *uri, GError **error);

void vk_network_source_free (VkNetworkSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkNetworkSource, vk_network_source_free)

/* Writes it into the <disk>, whose <source> is there and empty. */
void vk_network_source_write (const VkNetworkSource *source, xmlNode *disk);
