/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/http-url.h"

#include <string.h>

#include <curl/curl.h>

#include "base/error.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CURLU, curl_url_cleanup)

static gboolean
is_unix (const char *url)
{
  return g_str_has_prefix (url, "http+unix://") || g_str_has_prefix (url, "https+unix://");
}

/* url without what stands between "://" and the last "@" of its host part,
 * whether it is well-formed or not.  Returns: (transfer full). */
static char *
without_user (const char *url)
{
  const char *authority = strstr (url, "://");
  gsize length;
  const char *at;

  if (authority == NULL)
    return g_strdup (strchr (url, '@') ? strrchr (url, '@') + 1 : url);
  authority += strlen ("://");
  /* libcurl takes "https:///user:password@host/" as if one "/" were not there. */
  if (!is_unix (url))
    authority += strspn (authority, "/");
  /* A password with a "/" in it is wrong, but is not to be shown either. */
  length = strcspn (authority, "/");
  at = g_strrstr_len (authority, (gssize) length, "@");
  if (at == NULL && strchr (authority, '@') != NULL && strchr (authority, ':') < strchr (authority, '/'))
    at = strrchr (authority, '@');
  return at ? g_strdup_printf ("%.*s%s", (int) (authority - url), url, at + 1) : g_strdup (url);
}

/* A part of the URL.  Returns: (transfer full), NULL when there is none. */
static char *
part_of (CURLU *parts, CURLUPart which, unsigned flags)
{
  char *part = NULL;
  char *copy;

  if (curl_url_get (parts, which, &part, flags) != CURLUE_OK)
    return NULL;
  copy = g_strdup (part);
  curl_free (part);
  return copy;
}

static gboolean
fail (const char *shown, const char *why, GError **error)
{
  return vk_fail (error, VK_ERROR_USAGE, "%s is not a URL of a server: %s", shown, why);
}

/* "http+unix://USER@/SOCKET:/PATH" as "http://USER@localhost/PATH", and SOCKET
 * in *socket.  Returns: (transfer full), NULL when it is not of that kind. */
static char *
split_unix (const char *url, char **socket)
{
  const char *authority = strstr (url, "://") + strlen ("://");
  gsize user_length = strcspn (authority, "/");
  const char *path = authority + user_length;
  const char *colon = strchr (path, ':');
  gboolean tls = g_str_has_prefix (url, "https");

  if (user_length > 0 && authority[user_length - 1] != '@')
    return NULL;
  if (colon != NULL && colon[1] != '\0' && colon[1] != '/')
    return NULL;
  *socket = colon ? g_strndup (path, (gsize) (colon - path)) : g_strdup (path);
  if (strlen (*socket) < 2)
    return NULL;
  return g_strdup_printf ("%s://%.*slocalhost%s", tls ? "https" : "http", (int) user_length, authority, colon ? colon + 1 : "/");
}

/* Fills url from parts; every part but user and password is there. */
static gboolean
take_parts (VkHttpUrl *url, CURLU *parts, GError **error)
{
  g_autofree char *query = part_of (parts, CURLUPART_QUERY, 0);
  g_autofree char *fragment = part_of (parts, CURLUPART_FRAGMENT, 0);
  g_autofree char *host = part_of (parts, CURLUPART_HOST, 0);
  g_autofree char *port = part_of (parts, CURLUPART_PORT, 0);
  g_autofree char *path = part_of (parts, CURLUPART_PATH, 0);
  g_autofree char *scheme = part_of (parts, CURLUPART_SCHEME, 0);

  if (query != NULL)
    return fail (url->shown, "a '?' has no place in it", error);
  if (fragment != NULL)
    return fail (url->shown, "a '#' has no place in it", error);
  if (g_strcmp0 (scheme, "http") != 0 && g_strcmp0 (scheme, "https") != 0)
    return fail (url->shown, "it must begin with http:// or https://", error);
  url->tls = g_strcmp0 (scheme, "https") == 0;
  url->host = port ? g_strdup_printf ("%s:%s", host, port) : g_strdup (host);
  url->path = g_strconcat (path, g_str_has_suffix (path, "/") ? NULL : "/", NULL);
  url->base = g_strdup_printf ("%s://%s%s", scheme, url->host, url->path);
  url->user = part_of (parts, CURLUPART_USER, CURLU_URLDECODE);
  url->password = part_of (parts, CURLUPART_PASSWORD, CURLU_URLDECODE);
  return TRUE;
}

VkHttpUrl *
vk_http_url_parse (const char *url, GError **error)
{
  g_autoptr (VkHttpUrl) parsed = g_new0 (VkHttpUrl, 1);
  g_autoptr (CURLU) parts = curl_url ();
  g_autofree char *plain = NULL;
  CURLUcode code;

  parsed->shown = without_user (url);
  if (is_unix (url))
    plain = split_unix (url, &parsed->unix_socket);
  else if (g_str_has_prefix (url, "http://") || g_str_has_prefix (url, "https://"))
    plain = g_strdup (url);
  if (plain == NULL)
    {
      fail (parsed->shown, "it must be http://HOST/PATH, https://HOST/PATH or http+unix:///SOCKET:/PATH", error);
      return NULL;
    }
  code = curl_url_set (parts, CURLUPART_URL, plain, 0);
  if (code != CURLUE_OK)
    {
      fail (parsed->shown, curl_url_strerror (code), error);
      return NULL;
    }
  return take_parts (parsed, parts, error) ? g_steal_pointer (&parsed) : NULL;
}

void
vk_http_url_free (VkHttpUrl *url)
{
  g_free (url->base);
  g_free (url->host);
  g_free (url->path);
  g_free (url->user);
  g_free (url->password);
  g_free (url->unix_socket);
  g_free (url->shown);
  g_free (url);
}
