/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "base/digest.h"
#include "store/restic/s3-request.h"

/* Amazon wants to be told the region, except for the one that has no name there. */
static GBytes *
configuration_for (const char *region)
{
  g_autoptr (xmlDoc) doc = NULL;
  xmlNode *root;
  char *text;

  if (g_str_equal (region, "us-east-1"))
    return g_bytes_new_static ("", 0);
  doc = xmlNewDoc (BAD_CAST "1.0");
  root = xmlNewNode (NULL, BAD_CAST "CreateBucketConfiguration");
  xmlDocSetRootElement (doc, root);
  xmlNewProp (root, BAD_CAST "xmlns", BAD_CAST "http://s3.amazonaws.com/doc/2006-03-01/");
  xmlNewTextChild (root, NULL, BAD_CAST "LocationConstraint", BAD_CAST region);
  text = vk_xml_to_string (doc);
  return g_bytes_new_take (text, strlen (text));
}

static char *
sha256_of (GBytes *content)
{
  g_autoptr (VkDigest) digest = vk_digest_new ();
  gsize length;
  const void *data = g_bytes_get_data (content, &length);

  vk_digest_update (digest, data, length);
  return vk_digest_finish (digest);
}

static gboolean
put_bucket (VkS3 *s3, GCancellable *cancellable, GError **error)
{
  g_autofree char *region = vk_s3_region (s3);
  g_autoptr (GBytes) configuration = configuration_for (region);
  g_autofree char *sha256 = sha256_of (configuration);
  VkS3Request request = { .content_sha256 = sha256, .http = { .method = "PUT", .what = "make the bucket", .body = configuration, .limit = VK_HTTP_MAX_WORDS } };
  g_autoptr (VkHttpResponse) response = vk_s3_send (s3, &request, cancellable, error);

  if (response == NULL)
    return FALSE;
  /* 409: somebody was faster. */
  return response->status == 200 || response->status == 204 || response->status == 409 || vk_http_refused (vk_s3_http (s3), &request.http, response, error);
}

gboolean
vk_s3_make_bucket (VkS3 *s3, GCancellable *cancellable, GError **error)
{
  VkS3Request request = { .http = { .method = "HEAD", .what = "look for the bucket", .limit = VK_HTTP_MAX_WORDS } };
  g_autoptr (VkHttpResponse) response = vk_s3_send (s3, &request, cancellable, error);

  if (response == NULL)
    return FALSE;
  if (response->status == 404)
    return put_bucket (s3, cancellable, error);
  /* 403: who may write objects need not be allowed to ask for the bucket.  If it
   * is for another reason, the first object says so. */
  return response->status == 200 || response->status == 403 || vk_http_refused (vk_s3_http (s3), &request.http, response, error);
}
