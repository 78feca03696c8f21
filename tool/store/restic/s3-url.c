/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/s3-url.h"

#include <string.h>

#include "base/error.h"
#include "store/restic/http-url.h"

#define SCHEME "s3:"

/* "/a//b/./c/../d/" as "a/b/d".  Returns: (transfer full). */
static char *
clean_prefix (const char *path)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);
  g_autoptr (GPtrArray) kept = g_ptr_array_new ();

  for (guint i = 0; parts[i] != NULL; i++)
    if (g_str_equal (parts[i], ".."))
      g_ptr_array_set_size (kept, MAX ((int) kept->len - 1, 0));
    else if (*parts[i] != '\0' && !g_str_equal (parts[i], "."))
      g_ptr_array_add (kept, parts[i]);
  g_ptr_array_add (kept, NULL);
  return g_strjoinv ("/", (char **) kept->pdata);
}

/* Takes "BUCKET/PREFIX" apart. */
static gboolean
take_path (VkS3Url *url, const char *path)
{
  gsize length = strcspn (path, "/");

  url->bucket = g_strndup (path, length);
  url->prefix = clean_prefix (path + length);
  return length > 0;
}

static gboolean
take_http (VkS3Url *url, const char *text, GError **error)
{
  g_autoptr (VkHttpUrl) http = vk_http_url_parse (text, error);
  g_autofree char *path = NULL;

  if (http == NULL)
    return FALSE;
  path = g_uri_unescape_string (http->path, NULL);
  url->tls = http->tls;
  url->host = g_strdup (http->host);
  if (path != NULL && http->unix_socket == NULL && take_path (url, path + 1))
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "s3:%s names no bucket: it must be s3:https://HOST/BUCKET/PREFIX", http->shown);
}

static gboolean
take_plain (VkS3Url *url, const char *text, GError **error)
{
  gsize length = strcspn (text, "/");

  url->tls = TRUE;
  url->host = g_strndup (text, length);
  /* "@" would be a user, who has no place here, and perhaps a password. */
  if (length > 0 && strchr (url->host, '@') == NULL && text[length] == '/' && take_path (url, text + length + 1))
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "the URL of an S3 store must be s3:HOST/BUCKET/PREFIX or s3:https://HOST/BUCKET/PREFIX");
}

VkS3Url *
vk_s3_url_parse (const char *url, GError **error)
{
  g_autoptr (VkS3Url) parsed = g_new0 (VkS3Url, 1);
  const char *text = url + strlen (SCHEME);
  gboolean ok;

  g_return_val_if_fail (g_str_has_prefix (url, SCHEME), NULL);
  if (g_str_has_prefix (text, "http:") || g_str_has_prefix (text, "https:"))
    ok = take_http (parsed, text, error);
  else
    ok = take_plain (parsed, g_str_has_prefix (text, "//") ? text + 2 : text, error);
  if (!ok)
    return NULL;
  parsed->shown = g_strdup_printf (SCHEME "%s://%s/%s%s%s", parsed->tls ? "https" : "http", parsed->host, parsed->bucket,
                                   *parsed->prefix ? "/" : "", parsed->prefix);
  return g_steal_pointer (&parsed);
}

void
vk_s3_url_free (VkS3Url *url)
{
  g_free (url->host);
  g_free (url->bucket);
  g_free (url->prefix);
  g_free (url->shown);
  g_free (url);
}
