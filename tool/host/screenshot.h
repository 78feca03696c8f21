/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the display of a domain shows. */
#pragma once

#include "host/host.h"

/* A picture of the first display, in PNG whatever QEMU gives.
 * Returns: (transfer full), or NULL with an error: a domain without a display has none. */
GBytes *vk_screenshot (VkHost *host, virDomainPtr domain, GError **error);

/* A picture in PPM ("P6", as libvirt's with older QEMUs) as PNG.
 * Returns: (transfer full), or NULL with VK_ERROR_FAILED when it is none. */
GBytes *vk_ppm_to_png (GBytes *ppm, GError **error);
