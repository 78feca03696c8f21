/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who asks S3, from the variables and files that the tools of AWS use. */
#pragma once

#include <glib.h>

typedef struct
{
  char *access_key;
  char *secret_key;
  char *session_token; /* or NULL */
} VkS3Credentials;

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the
 * profile AWS_PROFILE ("default") of the file AWS_SHARED_CREDENTIALS_FILE
 * (~/.aws/credentials).
 * Returns: (transfer full), or NULL with VK_ERROR_USAGE. */
VkS3Credentials *vk_s3_credentials_find (GError **error);

/* The same from the text of such a file; name is what messages call it. */
VkS3Credentials *vk_s3_credentials_parse (const char *text, const char *name, const char *profile, GError **error);

void vk_s3_credentials_free (VkS3Credentials *credentials);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkS3Credentials, vk_s3_credentials_free)

/* AWS_DEFAULT_REGION or AWS_REGION, or the part of Amazon's host names that is
 * the region.  Returns: (transfer full), NULL when nothing says it. */
char *vk_s3_region_find (const char *host);
