/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* restic's REST protocol, version 2, and version 1 where the server has no
 * other: restic's document "REST Backend". */
#include "config.h"

#include <string.h>

#include <json-glib/json-glib.h>

#include "base/error.h"
#include "base/json.h"
#include "store/restic/http-file.h"
#include "store/restic/http-url.h"

enum
{
  /* As restic has it. */
  PARALLEL = 5,
};

#define SCHEME "rest:"
#define ACCEPT "Accept: application/vnd.x.restic.rest.v2"
#define CONTENT_TYPE "Content-Type: application/octet-stream"

struct rest_backend
{
  VkBackend base;
  VkHttp *http;
  char *url; /* ends with "/" */
};

/* A request with what its parts point to. */
typedef struct
{
  VkHttpRequest http;
  char *url;
  char *what;
  char *label;
  char *headers[4];
} RestRequest;

static void
rest_request_clear (RestRequest *request)
{
  g_free (request->url);
  g_free (request->what);
  g_free (request->label);
  for (guint i = 0; request->headers[i] != NULL; i++)
    g_free (request->headers[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RestRequest, rest_request_clear)

static char **
copy_headers (gpointer data)
{
  return g_strdupv (data);
}

static void
prepare (RestRequest *request, const char *method, char *url, char *what)
{
  request->url = url;
  request->what = what;
  request->headers[0] = g_strdup (ACCEPT);
  request->http = (VkHttpRequest) { .method = method, .url = url, .what = what, .headers = copy_headers, .headers_data = request->headers };
  request->http.limit = VK_HTTP_MAX_WORDS;
}

/* A request for one file; verb is what is done with it, for messages. */
static void
prepare_file (RestRequest *request, VkBackend *backend, const char *method, const char *verb, VkResticType type, const char *name)
{
  struct rest_backend *rest = (struct rest_backend *) backend;
  char *label = vk_http_file_label (type, name);

  prepare (request, method, g_strconcat (rest->url, label, NULL), g_strdup_printf ("%s %s", verb, label));
  request->label = label;
}

static VkHttpResponse *
send_request (VkBackend *backend, const RestRequest *request, GCancellable *cancellable, GError **error)
{
  return vk_http_send (((struct rest_backend *) backend)->http, &request->http, cancellable, error);
}

static gboolean
refused (VkBackend *backend, const RestRequest *request, const VkHttpResponse *response, GError **error)
{
  return vk_http_refused (((struct rest_backend *) backend)->http, &request->http, response, error);
}

static gboolean
rest_create (VkBackend *backend, GCancellable *cancellable, GError **error)
{
  struct rest_backend *rest = (struct rest_backend *) backend;
  g_auto (RestRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;

  prepare (&request, "POST", g_strconcat (rest->url, "?create=true", NULL), g_strdup ("create the repository"));
  request.headers[1] = g_strdup (CONTENT_TYPE);
  response = send_request (backend, &request, cancellable, error);
  if (response == NULL)
    return FALSE;
  return response->status == 200 || response->status == 201 || refused (backend, &request, response, error);
}

/* What the HEAD of a file tells; with last_chance as in VkUpload. */
static gboolean
head (VkBackend *backend, VkResticType type, const char *name, gboolean last_chance, guint64 *size, GCancellable *cancellable, GError **error)
{
  g_auto (RestRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;

  prepare_file (&request, backend, "HEAD", "look for", type, name);
  request.http.last_chance = last_chance;
  response = send_request (backend, &request, cancellable, error);
  if (response == NULL)
    return FALSE;
  return vk_http_file_size (((struct rest_backend *) backend)->http, backend->location, request.label, &request.http, response, size, error);
}

static gboolean
rest_stat (VkBackend *backend, VkResticType type, const char *name, guint64 *size, GCancellable *cancellable, GError **error)
{
  return head (backend, type, name, FALSE, size, cancellable, error);
}

static GBytes *
get (VkBackend *backend, VkResticType type, const char *name, guint64 offset, gsize length, gboolean last_chance, GCancellable *cancellable, GError **error)
{
  g_auto (RestRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;

  prepare_file (&request, backend, "GET", "load", type, name);
  request.headers[1] = vk_http_file_range (offset, length);
  request.http.limit = vk_http_file_limit (length);
  request.http.last_chance = last_chance;
  response = send_request (backend, &request, cancellable, error);
  if (response == NULL)
    return NULL;
  return vk_http_file_loaded (((struct rest_backend *) backend)->http, backend->location, request.label, &request.http, response, offset, length, error);
}

static GBytes *
rest_load (VkBackend *backend, VkResticType type, const char *name, guint64 offset, gsize length, GCancellable *cancellable, GError **error)
{
  return get (backend, type, name, offset, length, FALSE, cancellable, error);
}

/* ---- listing ---- */

/* Appends a file that the server names; in version 1 its size has to be asked
 * for.  What has gone meanwhile is no longer one. */
static gboolean
append_entry (VkBackend *backend, VkResticType type, JsonNode *node, GPtrArray *entries, GCancellable *cancellable, GError **error)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  g_autofree char *name = NULL;
  g_autoptr (GError) why = NULL;
  VkBackendEntry *entry;
  guint64 size = 0;

  if (object != NULL && (!vk_json_get_string (object, "name", "", &name, error) || !vk_json_get_uint64 (object, "size", 0, &size, error)))
    return FALSE;
  if (object == NULL && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
    name = json_node_dup_string (node);
  if (name == NULL || !vk_http_file_is_name (name))
    return TRUE;
  if (object == NULL && !head (backend, type, name, FALSE, &size, cancellable, &why))
    {
      if (g_error_matches (why, VK_ERROR, VK_ERROR_NOT_FOUND))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&why));
      return FALSE;
    }
  entry = g_new0 (VkBackendEntry, 1);
  entry->name = g_steal_pointer (&name);
  entry->size = size;
  g_ptr_array_add (entries, entry);
  return TRUE;
}

static gboolean
append_entries (VkBackend *backend, VkResticType type, GBytes *text, GPtrArray *entries, GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  gsize length;
  const char *data = g_bytes_get_data (text, &length);
  JsonNode *root;
  JsonArray *array;

  root = data && json_parser_load_from_data (parser, data, (gssize) length, NULL) ? json_parser_get_root (parser) : NULL;
  if (root == NULL || !(JSON_NODE_HOLDS_ARRAY (root) || JSON_NODE_HOLDS_NULL (root)))
    {
      vk_fail (error, VK_ERROR_STORE, "%s: the list of %s is not one of restic's REST protocol: is it the URL of a repository?",
                   backend->location, vk_restic_type_directory (type));
      return FALSE;
    }
  /* Go's encoder writes null for an empty list. */
  array = JSON_NODE_HOLDS_ARRAY (root) ? json_node_get_array (root) : NULL;
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    if (!append_entry (backend, type, json_array_get_element (array, i), entries, cancellable, error))
      return FALSE;
  return TRUE;
}

static GPtrArray *
rest_list (VkBackend *backend, VkResticType type, GCancellable *cancellable, GError **error)
{
  struct rest_backend *rest = (struct rest_backend *) backend;
  const char *directory = vk_restic_type_directory (type);
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_backend_entry_free);
  g_auto (RestRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;

  prepare (&request, "GET", g_strconcat (rest->url, directory, "/", NULL), g_strdup_printf ("list %s", directory));
  request.http.limit = VK_HTTP_MAX_LISTING;
  response = send_request (backend, &request, cancellable, error);
  if (response == NULL)
    return NULL;
  /* rclone has no directory there before the first file. */
  if (response->status == 404)
    return g_steal_pointer (&entries);
  if (response->status != 200)
    {
      refused (backend, &request, response, error);
      return NULL;
    }
  return append_entries (backend, type, response->body, entries, cancellable, error) ? g_steal_pointer (&entries) : NULL;
}

/* ---- writing ---- */

static gboolean
put (VkUpload *upload, GCancellable *cancellable, GError **error)
{
  g_auto (RestRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;

  prepare_file (&request, upload->backend, "POST", "store", upload->type, upload->name);
  request.headers[1] = g_strdup (CONTENT_TYPE);
  request.http.body = upload->content;
  response = send_request (upload->backend, &request, cancellable, error);
  if (response == NULL)
    return FALSE;
  return response->status == 200 || response->status == 201 || refused (upload->backend, &request, response, error);
}

/* What a file that was read back, or of which only the size is known (back is
 * NULL), is of content. */
static VkStored
compare (GBytes *back, guint64 size, GBytes *content)
{
  gsize whole = g_bytes_get_size (content);
  gboolean same = back == NULL || (size <= whole && memcmp (g_bytes_get_data (back, NULL), g_bytes_get_data (content, NULL), (gsize) size) == 0);

  if (!same || size > whole)
    return VK_STORED_OTHER;
  return size == whole ? VK_STORED_SAME : VK_STORED_PART;
}

/* The protocol has no checksums.  rest-server compares an upload with its name,
 * others do not, and rclone keeps half an upload: so the size is asked for, and
 * everything but packs, which are large, is read back. */
static gboolean
look (VkUpload *upload, gboolean last_chance, VkStored *stored, GCancellable *cancellable, GError **error)
{
  gboolean read_back = upload->type != VK_RESTIC_DATA;
  g_autoptr (GError) why = NULL;
  g_autoptr (GBytes) back = NULL;
  guint64 size = 0;
  gboolean found = head (upload->backend, upload->type, upload->name, last_chance, &size, cancellable, &why);

  *stored = VK_STORED_NOTHING;
  if (found && read_back && size > 0 && size <= g_bytes_get_size (upload->content))
    back = get (upload->backend, upload->type, upload->name, 0, (gsize) size, last_chance, cancellable, &why);
  if (why == NULL)
    *stored = compare (back, size, upload->content);
  if (why == NULL || g_error_matches (why, VK_ERROR, VK_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}

static void
discard (VkUpload *upload)
{
  g_auto (RestRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;

  prepare_file (&request, upload->backend, "DELETE", "delete", upload->type, upload->name);
  request.http.last_chance = TRUE;
  response = send_request (upload->backend, &request, NULL, NULL);
}

static gboolean
rest_save (VkBackend *backend, VkResticType type, const char *name, GBytes *content, GCancellable *cancellable, GError **error)
{
  g_autofree char *label = vk_http_file_label (type, name);
  VkUpload upload = { .backend = backend, .type = type, .name = name, .label = label, .content = content };

  upload.put = put;
  upload.look = look;
  upload.discard = discard;
  return vk_upload_run (&upload, cancellable, error);
}

static gboolean
rest_remove (VkBackend *backend, VkResticType type, const char *name, GCancellable *cancellable, GError **error)
{
  g_auto (RestRequest) request = { 0 };
  g_autoptr (VkHttpResponse) response = NULL;

  prepare_file (&request, backend, "DELETE", "delete", type, name);
  response = send_request (backend, &request, cancellable, error);
  if (response == NULL)
    return FALSE;
  if (response->status == 200 || response->status == 204 || response->status == 404)
    return TRUE;
  if (response->status != 403 && response->status != 405)
    return refused (backend, &request, response, error);
  vk_fail (error, VK_ERROR_STORE,
               "%s: the server refuses to delete %s (status %u): it is append-only, or this user may not; delete from where it is allowed",
               backend->location, request.label, response->status);
  return FALSE;
}

/* ---- opening ---- */

static void
rest_free (VkBackend *backend)
{
  struct rest_backend *rest = (struct rest_backend *) backend;

  g_clear_pointer (&rest->http, vk_http_free);
  g_free (rest->url);
  g_free (backend->location);
  g_free (backend->restic_url);
  g_free (rest);
}

static const VkBackendOps rest_ops = {
  .create = rest_create,
  .list = rest_list,
  .load = rest_load,
  .save = rest_save,
  .stat = rest_stat,
  .remove = rest_remove,
  .free = rest_free,
};

/* The user of the URL, or that of the environment. */
static VkHttp *
connect_to (const VkHttpUrl *url, const char *location, GError **error)
{
  VkHttpOptions options = { .location = location, .unix_socket = url->unix_socket, .words_of = vk_http_text_of };
  const char *user = g_getenv ("RESTIC_REST_USERNAME");

  if (url->user != NULL || url->password != NULL)
    {
      options.user = url->user ? url->user : "";
      options.password = url->password;
    }
  else if (user != NULL && *user != '\0')
    {
      options.user = user;
      options.password = g_getenv ("RESTIC_REST_PASSWORD");
    }
  return vk_http_new (&options, error);
}

VkBackend *
vk_backend_rest_new (const char *url, GError **error)
{
  g_autoptr (VkHttpUrl) parsed = NULL;
  struct rest_backend *rest;

  g_return_val_if_fail (g_str_has_prefix (url, SCHEME), NULL);
  parsed = vk_http_url_parse (url + strlen (SCHEME), error);
  if (parsed == NULL)
    return NULL;
  rest = g_new0 (struct rest_backend, 1);
  rest->base.ops = &rest_ops;
  rest->base.location = g_strconcat (SCHEME, parsed->shown, NULL);
  rest->base.restic_url = g_strdup (url);
  rest->base.parallel = PARALLEL;
  rest->url = g_strdup (parsed->base);
  rest->http = connect_to (parsed, rest->base.location, error);
  if (rest->http != NULL)
    return &rest->base;
  rest_free (&rest->base);
  return NULL;
}
