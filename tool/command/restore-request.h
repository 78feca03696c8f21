/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the options of restore ask for. */
#pragma once

#include <glib.h>

#include "restore/restore.h"

typedef struct
{
  char *directory;
  char *pool;
  char **targets;
  gboolean in_place;
  gboolean delta;
  char **disks;
  char **files;
  char *format;
  char *cluster_size;
  gboolean compress;
  char *preallocation;
  char *scratch_dir;
  gboolean define;
  char *name;
  gboolean new_uuid;
  gboolean new_macs;
  char **networks;
  gboolean start;
  char *progress;
} VkRestoreOptions;

typedef struct
{
  VkRestoreRequest restore;
  VkDefineRequest define;
} VkRestoreRequests;

/* Fills in requests, which has been zeroed and borrows from options.
 * VK_ERROR_USAGE for options that do not fit together. */
gboolean vk_restore_parse_options (const VkRestoreOptions *options, VkRestoreRequests *requests, GError **error);
void vk_restore_clear_requests (VkRestoreRequests *requests);
