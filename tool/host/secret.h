/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's secrets, which hold the keys of encrypted disks. */
#pragma once

#include "host/host.h"

/* The UUID of the secret of a volume that is called usage.
 * Returns: (transfer full), or NULL with VK_LIBVIRT_ERROR set. */
char *vk_secret_find (VkHost *host, const char *usage, GError **error);

/* The value of the secret, which is wiped when it is freed.
 * Returns: (transfer full), or NULL with VK_LIBVIRT_ERROR set: there is no such secret, it
 * has no value, or it is a private one, whose value libvirt gives to nobody. */
GBytes *vk_secret_value (VkHost *host, const char *uuid, GError **error);
