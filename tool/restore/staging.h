/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The private directory beside the place of a restore, where everything is until all
 * of it is complete.  When a restore is interrupted, what was complete stays
 * there for the next one with the same request. */
#pragma once

#include <gio/gio.h>

#include "store/store.h"

typedef struct VkStaging VkStaging;

/* What a directory of ours is called before the UUID of the point's domain. */
#define VK_STAGING_RESTORE ".virt-keep-restore-"
#define VK_STAGING_IN_PLACE ".virt-keep-in-place-"

/* What a file is called there that waits to be put back; it is never removed. */
#define VK_STAGING_ASIDE "aside:"

/* The path of the one in parent.  Returns: (transfer full). */
char *vk_staging_directory (const char *parent, const char *prefix, const VkPoint *point);

/* Makes it, or takes up the one of an interrupted restore.  request: everything
 * that makes one restore different from another, as text.  replace: one of another
 * request may be there, for vk_staging_renew().
 * Returns: (transfer full), or NULL with VK_ERROR_BUSY while another virt-keep
 * works in it, VK_ERROR_REFUSED when it is of a restore with another request,
 * VK_ERROR_STORE. */
VkStaging *vk_staging_open (const char *parent, const char *prefix, const VkPoint *point, const char *request, gboolean replace, GError **error);

/* Removes what is of another request. */
gboolean vk_staging_renew (VkStaging *staging, const char *request, GError **error);

/* The directory that it is beside of. */
const char *vk_staging_parent (const VkStaging *staging);

/* Where the file name is written, (transfer full); nothing is there. */
char *vk_staging_partial (VkStaging *staging, const char *name, GError **error);

/* Where it is when it is complete.  Returns: (transfer full). */
char *vk_staging_path (const VkStaging *staging, const char *name);

/* What was written there is complete, and synced. */
gboolean vk_staging_complete (VkStaging *staging, const char *name, GError **error);

/* Whether it is complete, here or, by an earlier run that was killed while it
 * placed its files, at final_path. */
gboolean vk_staging_has (const VkStaging *staging, const char *name);
gboolean vk_staging_has_placed (const VkStaging *staging, const char *name, const char *final_path);

/* From here on complete files leave for their places. */
gboolean vk_staging_begin_placing (VkStaging *staging, GError **error);

/* Moves it to final_path, unless it is there already.  Never replaces anything. */
gboolean vk_staging_place (VkStaging *staging, const char *name, const char *final_path, GError **error);

/* Ends it: with keep, what is complete stays for the next run, and TRUE is returned if there is any;
 * all else is removed. */
gboolean vk_staging_close (VkStaging *staging, gboolean keep);
