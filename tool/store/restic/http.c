/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/http-private.h"

#include <string.h>

#include "base/environment.h"
#include "base/error.h"

enum
{
  RETRY_SECONDS = 300,
  STALL_SECONDS = 120,
  MAX_SHOWN_WORDS = 300,
  /* An idle connection more than that is closed. */
  MAX_IDLE = 32,
};

static gpointer
initialise_curl (gpointer unused)
{
  if (curl_global_init (CURL_GLOBAL_DEFAULT) != CURLE_OK)
    g_error ("libcurl cannot be initialised");
  return NULL;
}

/* The certificates in the files that RESTIC_CACERT lists, as one text. */
static gboolean
read_trusted (VkHttp *http, GError **error)
{
  const char *list = g_getenv ("RESTIC_CACERT");
  g_auto (GStrv) paths = g_strsplit (list ? list : "", ",", -1);
  g_autoptr (GByteArray) all = g_byte_array_new ();

  for (guint i = 0; paths[i] != NULL; i++)
    {
      g_autofree char *text = NULL;
      g_autoptr (GError) why = NULL;
      gsize length = 0;

      if (!g_file_get_contents (paths[i], &text, &length, &why) || strstr (text, "-----BEGIN ") == NULL)
        return vk_fail (error, VK_ERROR_USAGE, "RESTIC_CACERT: %s holds no certificate in PEM format%s%s", paths[i], why ? ": " : "", why ? why->message : "");
      g_byte_array_append (all, (const guint8 *) text, (guint) length);
      g_byte_array_append (all, (const guint8 *) "\n", 1);
    }
  if (all->len > 0)
    http->trusted = g_byte_array_free_to_bytes (g_steal_pointer (&all));
  return TRUE;
}

static gboolean
read_environment (VkHttp *http, GError **error)
{
  const char *certificate = g_getenv ("RESTIC_TLS_CLIENT_CERT");
  guint64 retry_seconds;
  guint64 stall_seconds;

  if (!vk_environment_seconds ("VIRT_KEEP_RETRY_SECONDS", RETRY_SECONDS, &retry_seconds, error))
    return FALSE;
  if (!vk_environment_seconds ("VIRT_KEEP_STALL_SECONDS", STALL_SECONDS, &stall_seconds, error))
    return FALSE;
  http->retry_us = (gint64) retry_seconds * G_USEC_PER_SEC;
  http->stall_seconds = (long) stall_seconds;
  if (certificate != NULL && *certificate != '\0')
    http->client_certificate = g_strdup (certificate);
  return read_trusted (http, error);
}

VkHttp *
vk_http_new (const VkHttpOptions *options, GError **error)
{
  static GOnce once = G_ONCE_INIT;
  g_autoptr (VkHttp) http = g_new0 (VkHttp, 1);

  g_once (&once, initialise_curl, NULL);
  g_mutex_init (&http->mutex);
  http->location = g_strdup (options->location);
  http->unix_socket = g_strdup (options->unix_socket);
  http->words_of = options->words_of;
  http->user = g_strdup (options->user);
  http->password = g_strdup (options->password);
  if (!read_environment (http, error))
    return NULL;
  return g_steal_pointer (&http);
}

static void
free_channel (struct vk_http_channel *channel)
{
  curl_easy_cleanup (channel->easy);
  curl_multi_cleanup (channel->multi);
  g_free (channel);
}

void
vk_http_free (VkHttp *http)
{
  struct vk_http_channel *channel;

  while ((channel = g_queue_pop_head (&http->idle)) != NULL)
    free_channel (channel);
  g_mutex_clear (&http->mutex);
  g_clear_pointer (&http->trusted, g_bytes_unref);
  g_free (http->client_certificate);
  g_free (http->unix_socket);
  g_free (http->password);
  g_free (http->user);
  g_free (http->location);
  g_free (http);
}

struct vk_http_channel *
vk_http_take_channel (VkHttp *http)
{
  struct vk_http_channel *channel;

  g_mutex_lock (&http->mutex);
  channel = g_queue_pop_head (&http->idle);
  g_mutex_unlock (&http->mutex);
  if (channel != NULL)
    return channel;
  channel = g_new0 (struct vk_http_channel, 1);
  channel->multi = curl_multi_init ();
  channel->easy = curl_easy_init ();
  if (channel->multi == NULL || channel->easy == NULL)
    g_error ("libcurl has no memory");
  return channel;
}

void
vk_http_give_back_channel (VkHttp *http, struct vk_http_channel *channel)
{
  curl_easy_reset (channel->easy);
  g_mutex_lock (&http->mutex);
  if (g_queue_get_length (&http->idle) < MAX_IDLE)
    g_queue_push_head (&http->idle, g_steal_pointer (&channel));
  g_mutex_unlock (&http->mutex);
  if (channel != NULL)
    free_channel (channel);
}

char *
vk_http_printable (const char *words, gssize length)
{
  g_autofree char *text = g_utf8_make_valid (words, length);
  GString *shown = g_string_new (NULL);

  for (const char *c = text; *c != '\0' && shown->len < MAX_SHOWN_WORDS; c = g_utf8_next_char (c))
    {
      gunichar character = g_utf8_get_char (c);

      g_string_append_unichar (shown, g_unichar_isprint (character) ? character : ' ');
    }
  g_strstrip (shown->str);
  if (*shown->str != '\0')
    return g_string_free (shown, FALSE);
  g_string_free (shown, TRUE);
  return NULL;
}

char *
vk_http_text_of (GBytes *body)
{
  gsize length;
  const char *text = g_bytes_get_data (body, &length);

  return text ? vk_http_printable (text, (gssize) length) : NULL;
}

/* What can be done about a status that is no success.  NULL: nothing is known. */
static const char *
hint_for (guint status, const VkHttp *http)
{
  switch (status)
    {
    case 301:
    case 302:
    case 307:
    case 308:
      return "the server wants another URL to be used";
    case 401:
      return http->user ? "user name or password are wrong" : "a user name and password are needed";
    case 403:
      return "access is denied";
    case 413:
      return "the server does not take files of that size";
    case 507:
      return "the server has no space left";
    default:
      return NULL;
    }
}

gboolean
vk_http_refused (VkHttp *http, const VkHttpRequest *request, const VkHttpResponse *response, GError **error)
{
  const char *hint = hint_for (response->status, http);
  g_autofree char *words = http->words_of (response->body);

  vk_fail (error, VK_ERROR_STORE, "%s: cannot %s: the server answers with status %u%s%s%s%s", http->location, request->what,
               response->status, hint ? ", " : "", hint ? hint : "", words ? ": " : "", words ? words : "");
  return FALSE;
}

const char *
vk_http_response_header (const VkHttpResponse *response, const char *name)
{
  return g_hash_table_lookup (response->headers, name);
}

void
vk_http_response_free (VkHttpResponse *response)
{
  g_bytes_unref (response->body);
  g_hash_table_unref (response->headers);
  g_free (response);
}
