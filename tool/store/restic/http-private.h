/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the HTTP client share. */
#pragma once

#include <curl/curl.h>

#include "store/restic/http.h"

/* A handle with the connections that it keeps. */
struct vk_http_channel
{
  CURLM *multi;
  CURL *easy;
};

struct VkHttp
{
  char *location;
  char *user;              /* or NULL */
  char *password;          /* or NULL */
  char *unix_socket;
  char *(*words_of) (GBytes *body);
  GBytes *trusted;         /* PEM, or NULL for those of the system */
  char *client_certificate; /* path of a PEM file with certificate and key, or NULL */
  gint64 retry_us;         /* attempts end when so much time is lost */
  long stall_seconds;      /* without progress: the connection counts as dead */

  GMutex mutex;
  GQueue idle;             /* of struct vk_http_channel *; the last used is first */
  gboolean reached;        /* the server has answered before */
};

/* What came of one attempt. */
typedef struct
{
  CURLcode code;
  gboolean too_large;   /* the answer exceeds the limit, and was broken off */
  guint64 limit;
  char *words;          /* libcurl's, for code other than CURLE_OK */
  GByteArray *body;
  GHashTable *headers;
  guint status;
  gint64 content_length;
} VkHttpExchange;

/* One attempt.  FALSE only with G_IO_ERROR_CANCELLED. */
gboolean vk_http_exchange_run (VkHttp *http, const VkHttpRequest *request, VkHttpExchange *exchange, GCancellable *cancellable, GError **error);
void vk_http_exchange_clear (VkHttpExchange *exchange);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VkHttpExchange, vk_http_exchange_clear)

/* A channel for one thread, and back.  A connection over which a request was
 * broken off is not used again: libcurl sees to that. */
struct vk_http_channel *vk_http_take_channel (VkHttp *http);
void vk_http_give_back_channel (VkHttp *http, struct vk_http_channel *channel);
