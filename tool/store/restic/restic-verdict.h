/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verdicts of a restic store.  Each is a small snapshot of its own, so that it can be
 * recorded while others work in the repository: a snapshot that is there can be changed
 * only under an exclusive lock.  The newest of a point counts.  Its tags tell all of it,
 * so that a list reads nothing else; in its root directory are VK_RESTIC_VERDICT and, where
 * there is one, VK_RESTIC_SCREENSHOT.  Documented in virt-keep-store(5). */
#pragma once

#include "store/restic/restic-store.h"

/* The tag of such a snapshot, which is no restore point. */
#define VK_RESTIC_TAG_VERDICT "virt-keep-verdict"

/* Before the id of the point that it is of; another tag is the UUID of the domain. */
#define VK_RESTIC_TAG_OF "virt-keep:of:"

/* Before a verdict, as a line: see store/verdict.h.  A point itself may have one, too: that
 * was so once. */
#define VK_RESTIC_TAG_PROVEN "virt-keep:proven:"
#define VK_RESTIC_TAG_NOT_PROVEN "virt-keep:not-proven:"

#define VK_RESTIC_VERDICT "verdict.json"
#define VK_RESTIC_SCREENSHOT "screenshot.png"

/* The first of the snapshot's tags that is a verdict.  Returns: (transfer full) or NULL. */
VkVerdict *vk_restic_read_verdict (const VkSnapshot *snapshot);

/* Gives points (of VkPoint) the newest verdict that there is of each among snapshots (of
 * VkSnapshot, oldest first). */
void vk_restic_apply_verdicts (const GPtrArray *points, const GPtrArray *snapshots);

/* See vk_store_record_verdict(). */
gboolean vk_restic_record_verdict (VkStore *store, const VkPoint *point, const VkVerdict *verdict, GBytes *screenshot, GError **error);

/* Adds to ids (transfer full, of char *) the snapshot of the newest verdict of each of
 * points, as far as it has one. */
void vk_restic_add_verdicts_of (const GPtrArray *points, const GPtrArray *snapshots, GPtrArray *ids);

/* Adds the snapshots of verdicts that tell nothing any more once gone have been removed
 * from points, which are all of the store and were listed after snapshots: those of gone, of
 * points that are not there, and older ones.  While a snapshot cannot be read, it may be the
 * point that a verdict is of. */
void vk_restic_add_idle_verdicts (const GPtrArray *points, const GPtrArray *gone, const GPtrArray *snapshots, GPtrArray *ids);
