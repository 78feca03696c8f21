/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a repository lies in S3, in the words of restic's -r. */
#pragma once

#include <glib.h>

typedef struct
{
  gboolean tls;
  char *host;   /* "host" or "host:port" */
  char *bucket;
  char *prefix; /* "a/b", or "" for the whole bucket */
  char *shown;  /* for messages: "s3:https://host/bucket/a/b" */
} VkS3Url;

/* s3:https://HOST/BUCKET/PREFIX, s3:http://…, and s3:HOST/BUCKET/PREFIX and
 * s3://HOST/BUCKET/PREFIX for https.
 * Returns: (transfer full), or NULL with VK_ERROR_USAGE. */
VkS3Url *vk_s3_url_parse (const char *url, GError **error);

void vk_s3_url_free (VkS3Url *url);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkS3Url, vk_s3_url_free)
