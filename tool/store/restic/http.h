/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HTTP requests over libcurl, for a store that has to live with networks: what
 * fails for the moment is tried again, for a bounded time; everything can be
 * cancelled at once; nothing is larger than was asked for.
 *
 * The environment says which certificates to trust (RESTIC_CACERT), which one
 * to show (RESTIC_TLS_CLIENT_CERT), and how long to wait
 * (VIRT_KEEP_RETRY_SECONDS, VIRT_KEEP_STALL_SECONDS); proxies are libcurl's
 * business (https_proxy, ...). */
#pragma once

#include <gio/gio.h>

enum
{
  /* The largest listing. */
  VK_HTTP_MAX_LISTING = 256 * 1024 * 1024,
  /* Answers that are only looked into for what went wrong. */
  VK_HTTP_MAX_WORDS = 64 * 1024,
};

/* A server.  May be used by several threads at once. */
typedef struct VkHttp VkHttp;

typedef struct
{
  const char *location;    /* what messages call the server */
  const char *user;        /* for basic authentication, or NULL */
  const char *password;    /* or NULL */
  const char *unix_socket; /* path, or NULL for TCP */
  char *(*words_of) (GBytes *body); /* what an answer says about a failure (transfer full), or NULL */
} VkHttpOptions;

/* Connects to nothing yet.  Returns: (transfer full), or NULL with
 * VK_ERROR_USAGE when the environment says something impossible. */
VkHttp *vk_http_new (const VkHttpOptions *options, GError **error);
void vk_http_free (VkHttp *http);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkHttp, vk_http_free)

/* The headers of one attempt, "Name: value", NULL-terminated.  Called anew for
 * each, since a signature holds for some minutes only.
 * Returns: (transfer full). */
typedef char **(*VkHttpHeadersFunc) (gpointer data);

typedef struct
{
  const char *method;        /* "GET", "HEAD", "PUT", "POST" or "DELETE" */
  const char *url;           /* complete, without user and password */
  const char *what;          /* for messages: "store data/1f…" */
  VkHttpHeadersFunc headers;
  gpointer headers_data;
  GBytes *body;              /* of PUT and POST, or NULL */
  guint64 limit;             /* an answer with more bytes than that is an error */
  gboolean last_chance;      /* to clean up: one attempt, and a short one */
} VkHttpRequest;

typedef struct
{
  guint status;               /* 200, ... */
  GBytes *body;               /* empty for HEAD */
  gint64 content_length;      /* of the header, -1 when it did not say */
  GHashTable *headers;        /* lower-case name to value */
  guint attempts;             /* that it took, 1 and up */
} VkHttpResponse;

/* Sends request until there is an answer that another attempt would not change.
 * Connections that fail, answers that are cut off and the statuses 408, 429,
 * 500, 502, 503 and 504 are tried again.
 * Returns: (transfer full) the answer, whatever else its status is; NULL with
 * VK_ERROR_STORE when there was none in time, or with G_IO_ERROR_CANCELLED. */
VkHttpResponse *vk_http_send (VkHttp *http, const VkHttpRequest *request, GCancellable *cancellable, GError **error);

void vk_http_response_free (VkHttpResponse *response);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkHttpResponse, vk_http_response_free)

/* The value of a header, or NULL; name is in lower case. */
const char *vk_http_response_header (const VkHttpResponse *response, const char *name);

/* Sets *error to a sentence about an answer that is not what request was for.
 * Returns FALSE, to be returned. */
gboolean vk_http_refused (VkHttp *http, const VkHttpRequest *request, const VkHttpResponse *response, GError **error);

/* A copy of words that a server said, fit for a message: one line of at most
 * some hundred printable characters.  NULL for nothing.
 * Returns: (transfer full). */
char *vk_http_printable (const char *words, gssize length);

/* words_of for servers that answer with plain text. */
char *vk_http_text_of (GBytes *body);
