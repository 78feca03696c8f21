/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes a metric of a backup and of the restore points of a domain. */
#pragma once

#include "report/metrics.h"
#include "store/manifest.h"

/* A backup of owner (see vk_metrics_owner()) has ended now.  stored: of the restore point that it made,
 * or NULL.  failure: the class of its error, or NULL when it succeeded. */
void vk_metrics_take_backup (VkMetrics *metrics, const char *owner, const VkManifest *stored, const char *failure);

/* What the points of a store are now.  store: as the label has it; summaries (of VkDomainSummary): of
 * every domain in it when whole, else of some. */
void vk_metrics_take_points (VkMetrics *metrics, const char *store, const GPtrArray *summaries, gboolean whole);
