/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How fast bytes may be moved: a token bucket.  A limit may stand under a parent,
 * which holds for all of its children together. */
#pragma once

#include <glib.h>

typedef struct VkRateLimit VkRateLimit;

/* bytes_per_second: at least 1.  parent (may be NULL) must outlive the limit.
 * Returns: (transfer full). */
VkRateLimit *vk_rate_limit_new (guint64 bytes_per_second, VkRateLimit *parent);
void vk_rate_limit_free (VkRateLimit *limit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkRateLimit, vk_rate_limit_free)

/* Takes bytes out of the limit and of all above it, and returns 0; or takes
 * nothing, and returns after how many microseconds to ask again.  now: monotonic
 * microseconds.  Until then all that was taken since the limit was first asked is at
 * most rate * time + vk_rate_limit_burst() + the largest single amount.  May be
 * called from any thread. */
gint64 vk_rate_limit_take (VkRateLimit *limit, guint64 bytes, gint64 now);

/* What may be moved at once after a pause, in bytes: of the strictest of the limit
 * and those above it. */
guint64 vk_rate_limit_burst (const VkRateLimit *limit);

/* Divides total (bytes per second; 0: without a limit) among n that run side by side:
 * equally, except that what the own limit of one (caps; 0: it has none) does not let
 * it use is for the others.  A share of 0 is without a limit. */
void vk_rate_divide (guint64 total, const guint64 *caps, guint64 *shares, guint n);
