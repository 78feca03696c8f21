/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AWS Signature Version 4 in the Authorization header, as S3 wants it: the path
 * is taken as it is, "//" and "/./" included. */
#pragma once

#include <glib.h>

/* Who signs, and for where. */
typedef struct
{
  const char *access_key;
  const char *secret_key;
  const char *region;  /* "us-east-1" */
  const char *service; /* "s3" */
} VkSigV4Scope;

/* What is signed.  Nothing in it is encoded yet. */
typedef struct
{
  const char *method;
  const char *path;             /* begins with "/" */
  const char *const *query;     /* name, value, name, value, …, NULL; may be NULL */
  const char *const *headers;   /* "Name: value", …, NULL; all are signed, Host must be there */
  const char *payload_sha256;   /* 64 lower-case hexadecimal digits, or UNSIGNED-PAYLOAD */
  const char *time;             /* UTC, "20150830T123600Z", the same as in X-Amz-Date */
} VkSigV4Request;

/* text with each byte but A-Z a-z 0-9 - . _ ~, and "/" where slashes stay,
 * as %XX.  Returns: (transfer full). */
char *vk_sigv4_encode (const char *text, gboolean keep_slashes);

/* The query as the signature has it, which is a valid query of a URL, too:
 * encoded, sorted, without "?"; "" for NULL.  Returns: (transfer full). */
char *vk_sigv4_query (const char *const *query);

/* The canonical request.  Returns: (transfer full). */
char *vk_sigv4_canonical_request (const VkSigV4Request *request);

/* The value of the Authorization header.  Returns: (transfer full). */
char *vk_sigv4_authorization (const VkSigV4Request *request, const VkSigV4Scope *scope);
