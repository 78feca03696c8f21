/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user that QEMU will run as, which is known before a domain is started. */
#pragma once

#include "host/host.h"

/* Of a domain of this document (which may have a label of its own).  *known FALSE: it
 * runs as whoever runs libvirt's daemon.  FALSE with VK_LIBVIRT_ERROR, or
 * VK_ERROR_FAILED when xml is not a domain document. */
gboolean vk_host_qemu_user (VkHost *host, const char *xml, gboolean *known, guint *uid, guint *gid, GError **error);

/* The same of a domain that has no label of its own. */
gboolean vk_host_default_qemu_user (VkHost *host, gboolean *known, guint *uid, guint *gid, GError **error);
