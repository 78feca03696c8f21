/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/s3-request.h"

#include <string.h>

#include "base/error.h"
#include "store/restic/s3-credentials.h"
#include "store/restic/sigv4.h"

#define SERVICE "s3"
#define DEFAULT_REGION "us-east-1"
#define AMAZON "amazonaws.com"
#define NO_CONTENT_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct VkS3
{
  VkHttp *http;
  VkS3Credentials *credentials;
  char *host;
  char *bucket;
  gboolean tls;
  gboolean bucket_in_host;

  GMutex mutex;
  char *region;
};

/* ---- answers ---- */

static gboolean
is_element (const xmlNode *node, const char *name)
{
  return node->type == XML_ELEMENT_NODE && g_str_equal ((const char *) node->name, name);
}

xmlNode *
vk_s3_answer (GBytes *body, const char *root_name, xmlDoc **doc)
{
  gsize length;
  const char *data = g_bytes_get_data (body, &length);
  g_autofree char *text = g_strndup (data ? data : "", length);
  g_autoptr (xmlDoc) parsed = vk_xml_parse (text, "S3", NULL);
  xmlNode *root = parsed ? xmlDocGetRootElement (parsed) : NULL;

  if (root == NULL || !is_element (root, root_name))
    return NULL;
  *doc = g_steal_pointer (&parsed);
  return root;
}

char *
vk_s3_child_text (xmlNode *element, const char *name)
{
  for (xmlNode *child = element->children; child != NULL; child = child->next)
    if (is_element (child, name))
      {
        xmlChar *content = xmlNodeGetContent (child);
        char *text = g_strdup ((const char *) content);

        xmlFree (content);
        return text;
      }
  return NULL;
}

/* "NoSuchBucket: The specified bucket does not exist" */
static char *
words_of (GBytes *body)
{
  g_autoptr (xmlDoc) doc = NULL;
  xmlNode *root = vk_s3_answer (body, "Error", &doc);
  g_autofree char *code = NULL;
  g_autofree char *message = NULL;
  g_autofree char *words = NULL;

  if (root == NULL)
    return vk_http_text_of (body);
  code = vk_s3_child_text (root, "Code");
  message = vk_s3_child_text (root, "Message");
  words = g_strdup_printf ("%s: %s", code ? code : "error", message ? message : "");
  return vk_http_printable (words, -1);
}

/* The region that an answer wants instead, or NULL.  Returns: (transfer full). */
static char *
region_wanted (const VkHttpResponse *response)
{
  const char *header = vk_http_response_header (response, "x-amz-bucket-region");
  g_autoptr (xmlDoc) doc = NULL;
  xmlNode *root;

  if (response->status != 301 && response->status != 307 && response->status != 400)
    return NULL;
  if (header != NULL)
    return g_strdup (header);
  root = vk_s3_answer (response->body, "Error", &doc);
  return root ? vk_s3_child_text (root, "Region") : NULL;
}

/* ---- requests ---- */

/* What the headers of each attempt are made from. */
struct signing
{
  VkS3 *s3;
  const VkS3Request *request;
  char *host;
  char *path;
  char *region;
};

static void
add_header (GPtrArray *headers, const char *name, const char *value)
{
  if (value != NULL)
    g_ptr_array_add (headers, g_strdup_printf ("%s: %s", name, value));
}

static char **
signed_headers (gpointer data)
{
  const struct signing *signing = data;
  const VkS3Request *request = signing->request;
  const VkS3Credentials *credentials = signing->s3->credentials;
  const char *sha256 = request->content_sha256 ? request->content_sha256 : NO_CONTENT_SHA256;
  VkSigV4Scope scope = { credentials->access_key, credentials->secret_key, signing->region, SERVICE };
  VkSigV4Request sign = { .method = request->http.method, .path = signing->path, .query = request->query, .payload_sha256 = sha256 };
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "%Y%m%dT%H%M%SZ");
  g_autofree char *authorization = NULL;
  GPtrArray *headers = g_ptr_array_new ();

  add_header (headers, "Host", signing->host);
  add_header (headers, "X-Amz-Content-Sha256", sha256);
  add_header (headers, "X-Amz-Date", time);
  add_header (headers, "X-Amz-Security-Token", credentials->session_token);
  add_header (headers, "Content-MD5", request->content_md5);
  add_header (headers, "Content-Type", request->http.body ? "application/octet-stream" : NULL);
  g_ptr_array_add (headers, NULL);
  sign.headers = (const char *const *) headers->pdata;
  sign.time = time;
  authorization = vk_sigv4_authorization (&sign, &scope);
  g_ptr_array_set_size (headers, (int) headers->len - 1);
  add_header (headers, "Authorization", authorization);
  if (request->range != NULL)
    g_ptr_array_add (headers, g_strdup (request->range));
  g_ptr_array_add (headers, NULL);
  return (char **) g_ptr_array_free (headers, FALSE);
}

/* Amazon's general host name answers for buckets of one region only. */
static char *
host_for (const VkS3 *s3, const char *region)
{
  g_autofree char *host = NULL;

  if (g_str_equal (s3->host, "s3." AMAZON) && !g_str_equal (region, DEFAULT_REGION))
    host = g_strdup_printf ("s3.%s." AMAZON, region);
  else
    host = g_strdup (s3->host);
  return s3->bucket_in_host ? g_strdup_printf ("%s.%s", s3->bucket, host) : g_steal_pointer (&host);
}

static char *
path_for (const VkS3 *s3, const char *key)
{
  if (s3->bucket_in_host)
    return g_strconcat ("/", key, NULL);
  return g_strconcat ("/", s3->bucket, key ? "/" : NULL, key, NULL);
}

static VkHttpResponse *
send_to_region (VkS3 *s3, VkS3Request *request, const char *region, GCancellable *cancellable, GError **error)
{
  g_autofree char *host = host_for (s3, region);
  g_autofree char *path = path_for (s3, request->key);
  g_autofree char *encoded = vk_sigv4_encode (path, TRUE);
  g_autofree char *query = vk_sigv4_query (request->query);
  g_autofree char *url = g_strdup_printf ("%s://%s%s%s%s", s3->tls ? "https" : "http", host, encoded, *query ? "?" : "", query);
  g_autofree char *region_copy = g_strdup (region);
  struct signing signing = { s3, request, host, path, region_copy };
  VkHttpResponse *response;

  request->http.url = url;
  request->http.headers = signed_headers;
  request->http.headers_data = &signing;
  response = vk_http_send (s3->http, &request->http, cancellable, error);
  request->http.url = NULL;
  request->http.headers_data = NULL;
  return response;
}

char *
vk_s3_region (VkS3 *s3)
{
  char *region;

  g_mutex_lock (&s3->mutex);
  region = g_strdup (s3->region);
  g_mutex_unlock (&s3->mutex);
  return region;
}

static void
set_region (VkS3 *s3, const char *region)
{
  g_mutex_lock (&s3->mutex);
  g_free (s3->region);
  s3->region = g_strdup (region);
  g_mutex_unlock (&s3->mutex);
}

VkHttpResponse *
vk_s3_send (VkS3 *s3, VkS3Request *request, GCancellable *cancellable, GError **error)
{
  g_autofree char *region = vk_s3_region (s3);
  g_autoptr (VkHttpResponse) response = send_to_region (s3, request, region, cancellable, error);
  g_autofree char *other = response ? region_wanted (response) : NULL;

  if (other == NULL || *other == '\0' || g_str_equal (other, region))
    return g_steal_pointer (&response);
  set_region (s3, other);
  return send_to_region (s3, request, other, cancellable, error);
}

/* ---- the bucket ---- */

/* Whether the bucket can be a part of the host name that certificates cover. */
static gboolean
is_amazon (const VkS3Url *url)
{
  return g_str_has_suffix (url->host, "." AMAZON) && !(url->tls && strchr (url->bucket, '.') != NULL);
}

static gboolean
choose_style (VkS3 *s3, const VkS3Url *url, GError **error)
{
  const char *style = g_getenv ("VIRT_KEEP_S3_BUCKET_LOOKUP");

  if (style == NULL || *style == '\0' || g_str_equal (style, "auto"))
    s3->bucket_in_host = is_amazon (url);
  else if (g_str_equal (style, "dns"))
    s3->bucket_in_host = TRUE;
  else if (!g_str_equal (style, "path"))
    return vk_fail (error, VK_ERROR_USAGE, "VIRT_KEEP_S3_BUCKET_LOOKUP=%s is none of auto, dns and path", style);
  return TRUE;
}

VkS3 *
vk_s3_new (const VkS3Url *url, GError **error)
{
  g_autoptr (VkS3) s3 = g_new0 (VkS3, 1);
  VkHttpOptions options = { .location = url->shown, .words_of = words_of };

  /* Before threads read answers. */
  xmlInitParser ();
  g_mutex_init (&s3->mutex);
  s3->host = g_strdup (url->host);
  s3->bucket = g_strdup (url->bucket);
  s3->tls = url->tls;
  s3->region = vk_s3_region_find (url->host);
  if (s3->region == NULL)
    s3->region = g_strdup (DEFAULT_REGION);
  s3->credentials = vk_s3_credentials_find (error);
  if (s3->credentials == NULL || !choose_style (s3, url, error))
    return NULL;
  s3->http = vk_http_new (&options, error);
  return s3->http ? g_steal_pointer (&s3) : NULL;
}

void
vk_s3_free (VkS3 *s3)
{
  g_clear_pointer (&s3->http, vk_http_free);
  g_clear_pointer (&s3->credentials, vk_s3_credentials_free);
  g_mutex_clear (&s3->mutex);
  g_free (s3->host);
  g_free (s3->bucket);
  g_free (s3->region);
  g_free (s3);
}

VkHttp *
vk_s3_http (VkS3 *s3)
{
  return s3->http;
}
