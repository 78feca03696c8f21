/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attempts until one is good for something. */
#include "config.h"

#include <inttypes.h>

#include "base/error.h"
#include "store/restic/http-private.h"

enum
{
  FIRST_PAUSE_MS = 250,
  MAX_PAUSE_MS = 20 * 1000,
  /* For a server that has never answered: the URL may just be wrong, and who
   * typed it waits for the answer. */
  FIRST_CONTACT_US = 10 * G_USEC_PER_SEC,
};

/* Whether the same request could end otherwise the next time. */
static gboolean
is_passing_code (CURLcode code)
{
  switch (code)
    {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return TRUE;
    default:
      return FALSE;
    }
}

static gboolean
is_passing_status (guint status)
{
  return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

static gboolean
is_worth_another (const VkHttpExchange *exchange)
{
  if (exchange->code != CURLE_OK)
    return is_passing_code (exchange->code);
  return is_passing_status (exchange->status);
}

static gboolean
was_reached (VkHttp *http, gboolean now)
{
  gboolean reached;

  g_mutex_lock (&http->mutex);
  http->reached = http->reached || now;
  reached = http->reached;
  g_mutex_unlock (&http->mutex);
  return reached;
}

/* How long to wait after that attempt, in microseconds: twice as long each time,
 * between half of that and all of it by chance, so that not all who were turned
 * away come back at once.  The server may ask for more. */
static gint64
pause_after (const VkHttpExchange *exchange, guint attempt)
{
  gint64 limit_ms = MIN (MAX_PAUSE_MS, FIRST_PAUSE_MS << MIN (attempt - 1, 10));
  gint64 pause_us = (gint64) ((double) (limit_ms * 1000) * g_random_double_range (0.5, 1.0));
  const char *asked = exchange->code == CURLE_OK ? g_hash_table_lookup (exchange->headers, "retry-after") : NULL;
  guint64 seconds;

  if (asked != NULL && g_ascii_string_to_unsigned (asked, 10, 0, G_MAXINT, &seconds, NULL))
    return MAX (pause_us, (gint64) seconds * G_USEC_PER_SEC);
  return pause_us;
}

/* Waits for that long, unless cancelled. */
static void
wait_for (gint64 pause_us, GCancellable *cancellable)
{
  GPollFD cancel = { .fd = -1 };
  gint timeout_ms = (gint) (pause_us / 1000);

  if (!g_cancellable_make_pollfd (cancellable, &cancel))
    {
      g_usleep ((gulong) pause_us);
      return;
    }
  g_poll (&cancel, 1, timeout_ms);
  g_cancellable_release_fd (cancellable);
}

static VkHttpResponse *
response_of (VkHttpExchange *exchange, guint attempts)
{
  VkHttpResponse *response = g_new0 (VkHttpResponse, 1);

  response->status = exchange->status;
  response->body = g_byte_array_free_to_bytes (g_steal_pointer (&exchange->body));
  response->content_length = exchange->content_length;
  response->headers = g_steal_pointer (&exchange->headers);
  response->attempts = attempts;
  return response;
}

static const char *
hint_for (CURLcode code)
{
  switch (code)
    {
    case CURLE_PEER_FAILED_VERIFICATION:
      return "; RESTIC_CACERT names the certificates to trust";
    case CURLE_SSL_CERTPROBLEM:
      return "; RESTIC_TLS_CLIENT_CERT must name a PEM file with a certificate and its key";
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return "; is the URL right, and does the server run?";
    default:
      return "";
    }
}

/* The sentence about the last attempt.  Returns FALSE, to be returned. */
static gboolean
set_error (VkHttp *http, const VkHttpRequest *request, const VkHttpExchange *exchange, guint attempts, gint64 began, GError **error)
{
  gint64 seconds = (g_get_monotonic_time () - began) / G_USEC_PER_SEC;
  g_autofree char *tried = attempts > 1 ? g_strdup_printf (" (%u attempts in %" PRId64 " seconds)", attempts, seconds) : g_strdup ("");
  g_autofree char *words = NULL;

  if (exchange->too_large)
    vk_fail (error, VK_ERROR_STORE, "%s: cannot %s: the server sends more than the %" PRIu64 " bytes that were asked for",
                 http->location, request->what, request->limit);
  else if (exchange->code != CURLE_OK)
    vk_fail (error, VK_ERROR_STORE, "%s: cannot %s: %s%s%s", http->location, request->what, exchange->words, hint_for (exchange->code), tried);
  else
    {
      g_autoptr (GBytes) body = g_bytes_new (exchange->body->data, exchange->body->len);

      words = http->words_of (body);
      vk_fail (error, VK_ERROR_STORE, "%s: cannot %s: the server answers with status %u%s%s%s", http->location, request->what,
                   exchange->status, words ? ": " : "", words ? words : "", tried);
    }
  return FALSE;
}

VkHttpResponse *
vk_http_send (VkHttp *http, const VkHttpRequest *request, GCancellable *cancellable, GError **error)
{
  gint64 began = g_get_monotonic_time ();
  gint64 lost = 0;

  for (guint attempt = 1; !g_cancellable_set_error_if_cancelled (cancellable, error); attempt++)
    {
      g_auto (VkHttpExchange) exchange = { 0 };
      gint64 attempt_began = g_get_monotonic_time ();
      gint64 pause;
      gint64 patience;

      if (!vk_http_exchange_run (http, request, &exchange, cancellable, error))
        return NULL;
      patience = was_reached (http, exchange.code == CURLE_OK) ? http->retry_us : MIN (http->retry_us, FIRST_CONTACT_US);
      if (exchange.code == CURLE_OK && !is_passing_status (exchange.status))
        return response_of (&exchange, attempt);
      pause = pause_after (&exchange, attempt);
      /* An upload over a slow line may run for longer than all the patience
       * there is, and may fail at its end: it is worth another. */
      lost += pause + MIN (g_get_monotonic_time () - attempt_began, http->stall_seconds * G_USEC_PER_SEC);
      if (request->last_chance || !is_worth_another (&exchange) || lost > patience)
        {
          set_error (http, request, &exchange, attempt, began, error);
          return NULL;
        }
      wait_for (pause, cancellable);
    }
  return NULL;
}
