/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One attempt at a request. */
#include "config.h"

#include <string.h>

#include "store/restic/http-private.h"

enum
{
  CONNECT_SECONDS = 30,
  LAST_CHANCE_SECONDS = 6,
  /* Less than that in a second, for as long as VIRT_KEEP_STALL_SECONDS says, is
   * a connection that counts as dead: or a trickle could go on for ever. */
  STALL_BYTES = 1000,
  POLL_MS = 60 * 1000,
  /* What is reserved at once for an answer that says how long it will be. */
  MAX_RESERVED = 64 * 1024 * 1024,
};

/* libcurl's header list as g_autoptr. */
typedef struct curl_slist HeaderList;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HeaderList, curl_slist_free_all)

void
vk_http_exchange_clear (VkHttpExchange *exchange)
{
  g_clear_pointer (&exchange->words, g_free);
  g_clear_pointer (&exchange->body, g_byte_array_unref);
  g_clear_pointer (&exchange->headers, g_hash_table_unref);
}

static gboolean
is_success (const VkHttpExchange *exchange)
{
  return exchange->status >= 200 && exchange->status < 300;
}

/* An answer may have several parts, such as "100 Continue" before the real one:
 * the status line begins each. */
static gsize
take_header (char *line, gsize size, gsize count, void *data)
{
  VkHttpExchange *exchange = data;
  gsize length = size * count;
  g_autofree char *text = g_strndup (line, length);
  char *colon = strchr (text, ':');

  if (g_str_has_prefix (text, "HTTP/"))
    {
      const char *status = strchr (text, ' ');

      g_hash_table_remove_all (exchange->headers);
      exchange->content_length = -1;
      exchange->status = status ? (guint) g_ascii_strtoull (status, NULL, 10) : 0;
      return length;
    }
  if (colon == NULL)
    return length;
  *colon = '\0';
  g_hash_table_replace (exchange->headers, g_ascii_strdown (text, -1), g_strdup (g_strstrip (colon + 1)));
  if (g_ascii_strcasecmp (text, "content-length") == 0)
    {
      const char *value = g_hash_table_lookup (exchange->headers, "content-length");
      guint64 number;

      if (g_ascii_string_to_unsigned (value, 10, 0, G_MAXINT64, &number, NULL))
        exchange->content_length = (gint64) number;
    }
  return length;
}

/* Returns less than it got to have the transfer broken off. */
static gsize
take_body (char *bytes, gsize size, gsize count, void *data)
{
  VkHttpExchange *exchange = data;
  gsize length = size * count;
  guint64 limit = is_success (exchange) ? exchange->limit : VK_HTTP_MAX_WORDS;

  if (exchange->body->len + length > limit)
    {
      exchange->too_large = TRUE;
      return 0;
    }
  if (exchange->body->len == 0 && exchange->content_length > 0 && (guint64) exchange->content_length <= MIN (limit, MAX_RESERVED))
    {
      g_byte_array_unref (exchange->body);
      exchange->body = g_byte_array_sized_new ((guint) exchange->content_length);
    }
  g_byte_array_append (exchange->body, (const guint8 *) bytes, (guint) length);
  return length;
}

/* A function by itself, since curl_easy_setopt() checks the types of what is
 * written directly. */
static void
set_body (CURL *easy, GBytes *body)
{
  gsize length = 0;
  const char *bytes = body ? g_bytes_get_data (body, &length) : NULL;

  curl_easy_setopt (easy, CURLOPT_POST, 1L);
  curl_easy_setopt (easy, CURLOPT_POSTFIELDS, bytes ? bytes : "");
  curl_easy_setopt (easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) length);
}

static void
set_method (CURL *easy, const VkHttpRequest *request)
{
  if (g_str_equal (request->method, "HEAD"))
    curl_easy_setopt (easy, CURLOPT_NOBODY, 1L);
  else if (g_str_equal (request->method, "GET"))
    curl_easy_setopt (easy, CURLOPT_HTTPGET, 1L);
  else if (g_str_equal (request->method, "DELETE"))
    curl_easy_setopt (easy, CURLOPT_CUSTOMREQUEST, "DELETE");
  else
    {
      set_body (easy, request->body);
      curl_easy_setopt (easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

static void
set_security (CURL *easy, VkHttp *http)
{
  curl_easy_setopt (easy, CURLOPT_PROTOCOLS_STR, "http,https");
  if (http->trusted != NULL)
    {
      gsize length;
      const void *pem = g_bytes_get_data (http->trusted, &length);
      struct curl_blob blob = { .data = (void *) pem, .len = length, .flags = CURL_BLOB_NOCOPY };

      curl_easy_setopt (easy, CURLOPT_CAINFO_BLOB, &blob);
      /* These instead of those of the system, not besides. */
      curl_easy_setopt (easy, CURLOPT_CAPATH, NULL);
    }
  if (http->client_certificate != NULL)
    {
      curl_easy_setopt (easy, CURLOPT_SSLCERT, http->client_certificate);
      curl_easy_setopt (easy, CURLOPT_SSLKEY, http->client_certificate);
    }
  if (http->user != NULL)
    {
      curl_easy_setopt (easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
      curl_easy_setopt (easy, CURLOPT_USERNAME, http->user);
      curl_easy_setopt (easy, CURLOPT_PASSWORD, http->password ? http->password : "");
    }
}

static void
set_limits (CURL *easy, VkHttp *http, const VkHttpRequest *request)
{
  curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (easy, CURLOPT_CONNECTTIMEOUT, MIN (CONNECT_SECONDS, http->stall_seconds));
  curl_easy_setopt (easy, CURLOPT_LOW_SPEED_LIMIT, (long) STALL_BYTES);
  curl_easy_setopt (easy, CURLOPT_LOW_SPEED_TIME, http->stall_seconds);
  curl_easy_setopt (easy, CURLOPT_TCP_KEEPALIVE, 1L);
#if CURL_AT_LEAST_VERSION(7, 87, 0)
  /* Who cancels does not wait for a name to be resolved. */
  curl_easy_setopt (easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  if (request->last_chance)
    curl_easy_setopt (easy, CURLOPT_TIMEOUT, (long) LAST_CHANCE_SECONDS);
}

static void
set_up (CURL *easy, VkHttp *http, const VkHttpRequest *request, HeaderList *headers, char *words, VkHttpExchange *exchange)
{
  curl_easy_setopt (easy, CURLOPT_URL, request->url);
  curl_easy_setopt (easy, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
  if (http->unix_socket != NULL)
    curl_easy_setopt (easy, CURLOPT_UNIX_SOCKET_PATH, http->unix_socket);
  /* "/./" in a name is a name, and signed as such. */
  curl_easy_setopt (easy, CURLOPT_PATH_AS_IS, 1L);
  set_method (easy, request);
  set_security (easy, http);
  set_limits (easy, http, request);
  curl_easy_setopt (easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt (easy, CURLOPT_ERRORBUFFER, words);
  curl_easy_setopt (easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt (easy, CURLOPT_HEADERDATA, exchange);
  curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt (easy, CURLOPT_WRITEDATA, exchange);
}

/* Runs what the channel was set up for until it is done or cancelled. */
static CURLcode
perform (struct vk_http_channel *channel, GCancellable *cancellable)
{
  GPollFD cancel = { .fd = -1 };
  gboolean has_cancel_fd = g_cancellable_make_pollfd (cancellable, &cancel);
  struct curl_waitfd extra = { .fd = cancel.fd, .events = CURL_WAIT_POLLIN };
  CURLcode code = CURLE_ABORTED_BY_CALLBACK;
  int running = 1;

  while (curl_multi_perform (channel->multi, &running) == CURLM_OK && running > 0 && !g_cancellable_is_cancelled (cancellable))
    curl_multi_poll (channel->multi, &extra, has_cancel_fd ? 1 : 0, POLL_MS, NULL);
  if (running == 0)
    {
      int left;
      const CURLMsg *message = curl_multi_info_read (channel->multi, &left);

      if (message != NULL)
        code = message->data.result;
    }
  if (has_cancel_fd)
    g_cancellable_release_fd (cancellable);
  return code;
}

static HeaderList *
header_list (const VkHttpRequest *request)
{
  g_auto (GStrv) headers = request->headers ? request->headers (request->headers_data) : NULL;
  HeaderList *list = NULL;

  for (guint i = 0; headers != NULL && headers[i] != NULL; i++)
    list = curl_slist_append (list, headers[i]);
  return list;
}

gboolean
vk_http_exchange_run (VkHttp *http, const VkHttpRequest *request, VkHttpExchange *exchange, GCancellable *cancellable, GError **error)
{
  struct vk_http_channel *channel = vk_http_take_channel (http);
  g_autoptr (HeaderList) headers = header_list (request);
  char words[CURL_ERROR_SIZE] = "";

  exchange->limit = request->limit;
  exchange->content_length = -1;
  exchange->body = g_byte_array_new ();
  exchange->headers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  set_up (channel->easy, http, request, headers, words, exchange);
  curl_multi_add_handle (channel->multi, channel->easy);
  exchange->code = perform (channel, cancellable);
  curl_multi_remove_handle (channel->multi, channel->easy);
  vk_http_give_back_channel (http, channel);
  /* Of an answer that tells of a failure the beginning is enough. */
  if (exchange->too_large && !is_success (exchange))
    {
      exchange->too_large = FALSE;
      exchange->code = CURLE_OK;
    }
  if (exchange->code != CURLE_OK)
    exchange->words = vk_http_printable (*words ? words : curl_easy_strerror (exchange->code), -1);
  return exchange->code == CURLE_OK || !g_cancellable_set_error_if_cancelled (cancellable, error);
}
