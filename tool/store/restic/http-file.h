/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What REST and S3 have in common: the files of a repository over HTTP. */
#pragma once

#include "store/restic/backend.h"
#include "store/restic/http.h"

/* What messages call a file: "data/5f0e…", "config".  Returns: (transfer full). */
char *vk_http_file_label (VkResticType type, const char *name);

/* Whether name is that of a file of a repository: 64 lower-case hexadecimal
 * digits. */
gboolean vk_http_file_is_name (const char *name);

/* The Range header for what VkBackendOps.load is asked for; NULL for a whole
 * file.  Returns: (transfer full). */
char *vk_http_file_range (guint64 offset, gsize length);

/* What limits the answer to that. */
guint64 vk_http_file_limit (gsize length);

/* The bytes that the answer to a load holds; see VkBackendOps.load.
 * Returns: (transfer full). */
GBytes *vk_http_file_loaded (VkHttp *http, const char *location, const char *label, const VkHttpRequest *request, const VkHttpResponse *response,
                             guint64 offset, gsize length, GError **error);

/* The size that the answer to a HEAD tells; see VkBackendOps.stat. */
gboolean vk_http_file_size (VkHttp *http, const char *location, const char *label, const VkHttpRequest *request, const VkHttpResponse *response,
                            guint64 *size, GError **error);

/* What the server has under a name. */
typedef enum
{
  VK_STORED_NOTHING,
  VK_STORED_SAME,  /* as far as can be known */
  VK_STORED_PART,  /* the beginning of it, which an upload that broke off has left */
  VK_STORED_OTHER, /* something else */
} VkStored;

typedef struct VkUpload VkUpload;

struct VkUpload
{
  VkBackend *backend;
  VkResticType type;
  const char *name;
  const char *label;
  GBytes *content;

  /* Sends it.  proven is set when the answer proves that it is stored whole. */
  gboolean (*put) (VkUpload *upload, GCancellable *cancellable, GError **error);

  /* Asks what is there.  With last_chance it is one short attempt. */
  gboolean (*look) (VkUpload *upload, gboolean last_chance, VkStored *stored, GCancellable *cancellable, GError **error);

  /* Deletes it, in one short attempt; whether that worked is not told. */
  void (*discard) (VkUpload *upload);

  gboolean proven;
};

/* VkBackendOps.save: uploads what is not there yet, and looks at what the server
 * has made of it before it counts. */
gboolean vk_upload_run (VkUpload *upload, GCancellable *cancellable, GError **error);
