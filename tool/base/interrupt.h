/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIGINT, SIGTERM and SIGHUP as a GCancellable, so that every step can stop
 * and clean up after itself. */
#pragma once

#include <gio/gio.h>

typedef struct VkInterrupt VkInterrupt;

/* From now on the three signals cancel instead of killing.  A second one
 * changes nothing: cleaning up is bounded in time by itself.  The cancellable is the current one
 * of this thread (g_cancellable_get_current()). */
VkInterrupt *vk_interrupt_new (void);

/* Gives the signals their default back. */
void vk_interrupt_free (VkInterrupt *interrupt);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkInterrupt, vk_interrupt_free)

/* (transfer none) */
GCancellable *vk_interrupt_cancellable (VkInterrupt *interrupt);

/* The signal that came first, 0 when none has. */
int vk_interrupt_signal (VkInterrupt *interrupt);

/* When a signal came: replaces whatever *error says by VK_ERROR_INTERRUPTED,
 * VK_ERROR_TERMINATED or VK_ERROR_HUNG_UP and returns TRUE. */
gboolean vk_interrupt_claim_error (VkInterrupt *interrupt, GError **error);
