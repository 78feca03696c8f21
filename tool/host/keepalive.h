/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's keepalive runs in the main context, and its calls wait for an answer without limit.  So
 * while the thread that runs the context is in a call to a libvirtd that hangs, nothing finds that
 * out.  Here a thread looks whether the context is run, and runs it when it has not been for some
 * seconds: the connection then counts as lost, and the call comes back with an error. */
#pragma once

#include <glib.h>

typedef struct VkKeepalive VkKeepalive;

/* Callbacks of the main context may come from another thread from now on, but only while the thread
 * that runs it else is in a call that takes long. */
VkKeepalive *vk_keepalive_start (void);

/* Not from a callback of the main context.  keepalive may be NULL. */
void vk_keepalive_stop (VkKeepalive *keepalive);
