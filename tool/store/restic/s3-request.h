/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signed requests to a bucket. */
#pragma once

#include "base/xml.h"
#include "store/restic/http.h"
#include "store/restic/s3-url.h"

/* A bucket.  May be used by several threads at once. */
typedef struct VkS3 VkS3;

/* Takes credentials, region and the style of addressing from the environment.
 * Returns: (transfer full), or NULL with VK_ERROR_USAGE. */
VkS3 *vk_s3_new (const VkS3Url *url, GError **error);
void vk_s3_free (VkS3 *s3);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkS3, vk_s3_free)

VkHttp *vk_s3_http (VkS3 *s3);

/* Where the bucket is, as far as that is known.  Returns: (transfer full). */
char *vk_s3_region (VkS3 *s3);

/* Makes the bucket, unless it is there. */
gboolean vk_s3_make_bucket (VkS3 *s3, GCancellable *cancellable, GError **error);

typedef struct
{
  const char *key;            /* of the object; NULL for the bucket itself */
  const char *const *query;   /* as in VkSigV4Request */
  const char *range;          /* a Range header, or NULL */
  const char *content_md5;    /* base64, or NULL */
  const char *content_sha256; /* hexadecimal, or NULL for no content */
  VkHttpRequest http;         /* method, what, body, limit, last_chance */
} VkS3Request;

/* Signs and sends request, again for the right region when the server names
 * another one.  See vk_http_send(); request->http can be used for messages
 * afterwards. */
VkHttpResponse *vk_s3_send (VkS3 *s3, VkS3Request *request, GCancellable *cancellable, GError **error);

/* The root element of an answer in *doc (transfer full), which must be of that
 * name; NULL for anything else.  Returns: (transfer none). */
xmlNode *vk_s3_answer (GBytes *body, const char *root_name, xmlDoc **doc);

/* The text of the child element of that name, or NULL.  Returns: (transfer full). */
char *vk_s3_child_text (xmlNode *element, const char *name);
