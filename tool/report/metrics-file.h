/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file that metrics are kept in, which several processes change. */
#pragma once

#include "report/metrics.h"

typedef void (*VkMetricsFunc) (VkMetrics *metrics, gpointer user_data);

/* Has func change what the file holds, nothing if there is none, and replaces it, with mode 0644.
 * Whoever reads it meanwhile sees it as it was or as it will be, and of two processes one
 * waits for the other: a file .NAME.lock beside it, which stays, is locked for that.
 * func NULL: only sees whether this will be possible.
 * VK_ERROR_REFUSED when the file holds something else, VK_ERROR_STORE. */
gboolean vk_metrics_file_update (const char *path, VkMetricsFunc func, gpointer user_data, GError **error);
