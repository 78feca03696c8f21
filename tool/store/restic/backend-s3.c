/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* S3 as restic's default layout has it: data/5f/5f0e…, everything else in one
 * directory a kind. */
#include "config.h"

#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "store/restic/http-file.h"
#include "store/restic/s3-request.h"

enum
{
  /* As restic has it. */
  PARALLEL = 5,
  /* A page of a list has 1000 objects, each with some hundred bytes. */
  MAX_PAGE = 16 * 1024 * 1024,
  MD5_LENGTH = 16,
};

#define SCHEME "s3:"

struct s3_backend
{
  VkBackend base;
  VkS3 *s3;
  char *prefix; /* of all keys: "" or "a/b/" */
};

struct s3_upload
{
  VkUpload base;
  char *sha256;     /* hexadecimal */
  char *md5;        /* hexadecimal, as in an ETag */
  char *md5_base64; /* as in a Content-MD5 header */
};

/* A request for an object with what its parts point to. */
typedef struct
{
  VkS3Request s3;
  char *key;
  char *what;
  char *label;
} ObjectRequest;

static void
object_request_clear (ObjectRequest *request)
{
  g_free (request->key);
  g_free (request->what);
  g_free (request->label);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ObjectRequest, object_request_clear)

static char *
key_of (const struct s3_backend *s3, VkResticType type, const char *name)
{
  if (type == VK_RESTIC_CONFIG)
    return g_strconcat (s3->prefix, "config", NULL);
  if (type == VK_RESTIC_DATA)
    return g_strdup_printf ("%s%s/%.2s/%s", s3->prefix, vk_restic_type_directory (type), name, name);
  return g_strdup_printf ("%s%s/%s", s3->prefix, vk_restic_type_directory (type), name);
}

static void
prepare (ObjectRequest *request, VkBackend *backend, const char *method, const char *verb, VkResticType type, const char *name)
{
  request->key = key_of ((struct s3_backend *) backend, type, name);
  request->label = vk_http_file_label (type, name);
  request->what = g_strdup_printf ("%s %s", verb, request->label);
  request->s3 = (VkS3Request) { .key = request->key };
  request->s3.http = (VkHttpRequest) { .method = method, .what = request->what, .limit = VK_HTTP_MAX_WORDS };
}

static VkHttpResponse *
send_request (VkBackend *backend, VkS3Request *request, GCancellable *cancellable, GError **error)
{
  return vk_s3_send (((struct s3_backend *) backend)->s3, request, cancellable, error);
}

static VkHttp *
http_of (VkBackend *backend)
{
  return vk_s3_http (((struct s3_backend *) backend)->s3);
}

static gboolean
s3_create (VkBackend *backend, GCancellable *cancellable, GError **error)
{
  return vk_s3_make_bucket (((struct s3_backend *) backend)->s3, cancellable, error);
}

/* ---- reading ---- */

static GBytes *
s3_load (VkBackend *backend, VkResticType type, const char *name, guint64 offset, gsize length, GCancellable *cancellable, GError **error)
{
  g_auto (ObjectRequest) request = { 0 };
  g_autofree char *range = vk_http_file_range (offset, length);
  g_autoptr (VkHttpResponse) response = NULL;

  prepare (&request, backend, "GET", "load", type, name);
  request.s3.range = range;
  request.s3.http.limit = vk_http_file_limit (length);
  response = send_request (backend, &request.s3, cancellable, error);
  if (response == NULL)
    return NULL;
  return vk_http_file_loaded (http_of (backend), backend->location, request.label, &request.s3.http, response, offset, length, error);
}

static gboolean
s3_stat (VkBackend *backend, VkResticType type, const char *name, guint64 *size, GCancellable *cancellable, GError **error)
{
  g_auto (ObjectRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;

  prepare (&request, backend, "HEAD", "look for", type, name);
  response = send_request (backend, &request.s3, cancellable, error);
  if (response == NULL)
    return FALSE;
  return vk_http_file_size (http_of (backend), backend->location, request.label, &request.s3.http, response, size, error);
}

/* Appends what a page of a list says about an object, if it is a file of a
 * repository: directory is the key of what is listed, with "/" at the end. */
static void
append_entry (xmlNode *object, const char *directory, VkResticType type, GPtrArray *entries)
{
  g_autofree char *key = vk_s3_child_text (object, "Key");
  g_autofree char *size = vk_s3_child_text (object, "Size");
  const char *name;
  VkBackendEntry *entry;
  guint64 bytes;

  if (key == NULL || size == NULL || !g_str_has_prefix (key, directory))
    return;
  name = key + strlen (directory);
  if (type == VK_RESTIC_DATA && strlen (name) > 3 && name[2] == '/')
    name += 3;
  if (!vk_http_file_is_name (name) || !g_ascii_string_to_unsigned (size, 10, 0, G_MAXUINT64, &bytes, NULL))
    return;
  entry = g_new0 (VkBackendEntry, 1);
  entry->name = g_strdup (name);
  entry->size = bytes;
  g_ptr_array_add (entries, entry);
}

/* Takes a page; *token becomes what the next one is asked for with, or NULL. */
static gboolean
take_page (VkBackend *backend, const VkHttpResponse *response, const char *directory, VkResticType type, GPtrArray *entries, char **token, GError **error)
{
  g_autoptr (xmlDoc) doc = NULL;
  xmlNode *root = vk_s3_answer (response->body, "ListBucketResult", &doc);
  g_autofree char *truncated = root ? vk_s3_child_text (root, "IsTruncated") : NULL;
  g_autofree char *next = root ? vk_s3_child_text (root, "NextContinuationToken") : NULL;
  gboolean goes_on = g_strcmp0 (truncated, "true") == 0;

  /* The same token again would be asked for for ever. */
  if (root == NULL || (goes_on && (next == NULL || g_strcmp0 (next, *token) == 0)))
    return vk_fail (error, VK_ERROR_STORE, "%s: the list of %s is not one of S3 (ListObjectsV2)", backend->location, vk_restic_type_directory (type));
  for (xmlNode *child = root->children; child != NULL; child = child->next)
    if (child->type == XML_ELEMENT_NODE && g_str_equal ((const char *) child->name, "Contents"))
      append_entry (child, directory, type, entries);
  g_free (*token);
  *token = goes_on ? g_steal_pointer (&next) : NULL;
  return TRUE;
}

static gboolean
list_page (VkBackend *backend, const char *directory, VkResticType type, GPtrArray *entries, char **token, GCancellable *cancellable, GError **error)
{
  const char *query[] = { "list-type", "2", "prefix", directory, *token ? "continuation-token" : NULL, *token, NULL };
  g_autofree char *what = g_strdup_printf ("list %s", vk_restic_type_directory (type));
  VkS3Request request = { .query = query, .http = { .method = "GET", .what = what, .limit = MAX_PAGE } };
  g_autoptr (VkHttpResponse) response = send_request (backend, &request, cancellable, error);

  if (response == NULL)
    return FALSE;
  if (response->status != 200)
    return vk_http_refused (http_of (backend), &request.http, response, error);
  return take_page (backend, response, directory, type, entries, token, error);
}

static GPtrArray *
s3_list (VkBackend *backend, VkResticType type, GCancellable *cancellable, GError **error)
{
  struct s3_backend *s3 = (struct s3_backend *) backend;
  g_autofree char *directory = g_strconcat (s3->prefix, vk_restic_type_directory (type), "/", NULL);
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_backend_entry_free);
  g_autofree char *token = NULL;

  do
    if (!list_page (backend, directory, type, entries, &token, cancellable, error))
      return NULL;
  while (token != NULL);
  return g_steal_pointer (&entries);
}

/* ---- writing ---- */

/* Whether the ETag of an answer is the MD5 of the content.  Where the server
 * encrypts with keys of its own, or puts parts together, it is something else:
 * then *says_nothing. */
static gboolean
etag_matches (const VkHttpResponse *response, const char *md5, gboolean *says_nothing)
{
  const char *header = vk_http_response_header (response, "etag");
  const char *encryption = vk_http_response_header (response, "x-amz-server-side-encryption");
  gboolean customer_key = vk_http_response_header (response, "x-amz-server-side-encryption-customer-algorithm") != NULL;
  g_autofree char *etag = g_ascii_strdown (header ? header : "", -1);

  g_strdelimit (etag, "\"", ' ');
  g_strstrip (etag);
  *says_nothing = customer_key || (encryption != NULL && g_str_has_prefix (encryption, "aws:")) || strlen (etag) != 2 * MD5_LENGTH;
  return g_str_equal (etag, md5);
}

static gboolean
put (VkUpload *upload, GCancellable *cancellable, GError **error)
{
  struct s3_upload *s3 = (struct s3_upload *) upload;
  g_auto (ObjectRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;
  gboolean says_nothing;

  prepare (&request, upload->backend, "PUT", "store", upload->type, upload->name);
  request.s3.content_md5 = s3->md5_base64;
  request.s3.content_sha256 = s3->sha256;
  request.s3.http.body = upload->content;
  response = send_request (upload->backend, &request.s3, cancellable, error);
  if (response == NULL)
    return FALSE;
  if (response->status != 200)
    return vk_http_refused (http_of (upload->backend), &request.s3.http, response, error);
  upload->proven = etag_matches (response, s3->md5, &says_nothing);
  return TRUE;
}

static gboolean
look (VkUpload *upload, gboolean last_chance, VkStored *stored, GCancellable *cancellable, GError **error)
{
  g_auto (ObjectRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;
  gboolean says_nothing;
  guint64 size;

  prepare (&request, upload->backend, "HEAD", "look for", upload->type, upload->name);
  request.s3.http.last_chance = last_chance;
  response = send_request (upload->backend, &request.s3, cancellable, error);
  *stored = VK_STORED_NOTHING;
  if (response == NULL)
    return FALSE;
  if (response->status == 404)
    return TRUE;
  if (!vk_http_file_size (http_of (upload->backend), upload->backend->location, request.label, &request.s3.http, response, &size, error))
    return FALSE;
  *stored = VK_STORED_OTHER;
  if (size == g_bytes_get_size (upload->content) && (etag_matches (response, ((struct s3_upload *) upload)->md5, &says_nothing) || says_nothing))
    *stored = VK_STORED_SAME;
  return TRUE;
}

static void
discard (VkUpload *upload)
{
  g_auto (ObjectRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;

  prepare (&request, upload->backend, "DELETE", "delete", upload->type, upload->name);
  request.s3.http.last_chance = TRUE;
  response = send_request (upload->backend, &request.s3, NULL, NULL);
}

/* MD5 is no secret's keeper here, but what S3 checks a transfer with.  From
 * GLib, since a libcrypto in FIPS mode has none. */
static void
hash_content (struct s3_upload *upload, GBytes *content)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_MD5);
  g_autoptr (VkDigest) digest = vk_digest_new ();
  GString *hex = g_string_new (NULL);
  guint8 md5[MD5_LENGTH];
  gsize md5_length = sizeof md5;
  gsize length;
  const void *data = g_bytes_get_data (content, &length);

  vk_digest_update (digest, data, length);
  upload->sha256 = vk_digest_finish (digest);
  g_checksum_update (checksum, data, (gssize) length);
  g_checksum_get_digest (checksum, md5, &md5_length);
  upload->md5_base64 = g_base64_encode (md5, md5_length);
  for (guint i = 0; i < md5_length; i++)
    g_string_append_printf (hex, "%02x", md5[i]);
  upload->md5 = g_string_free (hex, FALSE);
}

static gboolean
s3_save (VkBackend *backend, VkResticType type, const char *name, GBytes *content, GCancellable *cancellable, GError **error)
{
  g_autofree char *label = vk_http_file_label (type, name);
  struct s3_upload upload = { .base = { .backend = backend, .type = type, .name = name, .label = label, .content = content } };
  gboolean ok;

  upload.base.put = put;
  upload.base.look = look;
  upload.base.discard = discard;
  hash_content (&upload, content);
  ok = vk_upload_run (&upload.base, cancellable, error);
  g_free (upload.sha256);
  g_free (upload.md5);
  g_free (upload.md5_base64);
  return ok;
}

static gboolean
s3_remove (VkBackend *backend, VkResticType type, const char *name, GCancellable *cancellable, GError **error)
{
  g_auto (ObjectRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;

  prepare (&request, backend, "DELETE", "delete", type, name);
  response = send_request (backend, &request.s3, cancellable, error);
  if (response == NULL)
    return FALSE;
  return response->status == 200 || response->status == 204 || response->status == 404 || vk_http_refused (http_of (backend), &request.s3.http, response, error);
}

/* ---- opening ---- */

static void
s3_free (VkBackend *backend)
{
  struct s3_backend *s3 = (struct s3_backend *) backend;

  g_clear_pointer (&s3->s3, vk_s3_free);
  g_free (s3->prefix);
  g_free (backend->location);
  g_free (backend->restic_url);
  g_free (s3);
}

static const VkBackendOps s3_ops = {
  .create = s3_create,
  .list = s3_list,
  .load = s3_load,
  .save = s3_save,
  .stat = s3_stat,
  .remove = s3_remove,
  .free = s3_free,
};

VkBackend *
vk_backend_s3_new (const char *url, GError **error)
{
  g_autoptr (VkS3Url) parsed = vk_s3_url_parse (url, error);
  g_autoptr (VkS3) s3 = parsed ? vk_s3_new (parsed, error) : NULL;
  struct s3_backend *backend;

  if (s3 == NULL)
    return NULL;
  backend = g_new0 (struct s3_backend, 1);
  backend->base.ops = &s3_ops;
  backend->base.location = g_strdup (parsed->shown);
  backend->base.restic_url = g_strdup (url);
  backend->base.parallel = PARALLEL;
  backend->s3 = g_steal_pointer (&s3);
  backend->prefix = g_strconcat (parsed->prefix, *parsed->prefix ? "/" : NULL, NULL);
  return &backend->base;
}
