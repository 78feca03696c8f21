/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers for Prometheus, in its text exposition format, version 0.0.4, as the textfile
 * collector of node_exporter reads it:
 * https://prometheus.io/docs/instrumenting/exposition_formats/ */
#pragma once

#include <glib.h>

/* Each is documented in virt-keep(1). */
typedef enum
{
  VK_METRIC_LAST_SUCCESS,
  VK_METRIC_LAST_ATTEMPT,
  VK_METRIC_LAST_ATTEMPT_SUCCESS,
  VK_METRIC_DURATION,
  VK_METRIC_MOVED,
  VK_METRIC_ADDED,
  VK_METRIC_LEVEL,
  VK_METRIC_FAILURES,
  VK_METRIC_POINTS,
  VK_METRIC_DAMAGED,
  VK_METRIC_STORED,
  VK_METRIC_CHAIN,
  VK_METRIC_NEWEST,
  VK_METRIC_PROVEN,
  VK_METRIC_PROOF_SUCCESS,
  VK_N_METRICS
} VkMetric;

/* Samples: values of metrics, each of somebody. */
typedef struct VkMetrics VkMetrics;

VkMetrics *vk_metrics_new (void);
void vk_metrics_free (VkMetrics *metrics);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkMetrics, vk_metrics_free)

/* Takes up what vk_metrics_to_text() has written; metrics that this version does not have are
 * dropped.  FALSE for anything else, of which *line is the number then, from 1. */
gboolean vk_metrics_parse (VkMetrics *metrics, const char *text, guint *line);

/* With a HELP and a TYPE line for each metric that has samples, always in the same order.
 * Returns: (transfer full). */
char *vk_metrics_to_text (const VkMetrics *metrics);

/* Whose a sample is: the labels domain and store.  Returns: (transfer full). */
char *vk_metrics_owner (const char *domain, const char *store);

/* detail: the value of the label that the metric has besides, as "full", or NULL where it has none. */
void vk_metrics_set (VkMetrics *metrics, VkMetric metric, const char *owner, const char *detail, double value);

/* Adds 1, to 0 where there is nothing yet. */
void vk_metrics_count (VkMetrics *metrics, VkMetric metric, const char *owner, const char *detail);

/* Takes away what the owner has of this metric. */
void vk_metrics_unset (VkMetrics *metrics, VkMetric metric, const char *owner);

/* Those with samples of this metric in this store.  Returns: (transfer full) of char *. */
GPtrArray *vk_metrics_owners (const VkMetrics *metrics, VkMetric metric, const char *store);
