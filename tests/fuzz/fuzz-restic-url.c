/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* URLs of repositories on servers. */
#include "config.h"

#include <string.h>

#include "store/restic/http-url.h"
#include "store/restic/s3-url.h"

#include "fuzz.h"

/* Whether a part of the URL that is no secret has the password in it as well. */
static gboolean
is_also_public (const VkHttpUrl *url)
{
  return strstr (url->path, url->password) != NULL || strstr (url->host, url->password) != NULL
         || (url->unix_socket != NULL && strstr (url->unix_socket, url->password) != NULL);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (VkHttpUrl) http = vk_http_url_parse (text, NULL);
  g_autoptr (VkS3Url) s3 = g_str_has_prefix (text, "s3:") ? vk_s3_url_parse (text, NULL) : NULL;

  /* A shorter one may be a part of anything. */
  if (http != NULL && http->password != NULL && strlen (http->password) >= 8 && !is_also_public (http))
    g_assert (strstr (http->shown, http->password) == NULL);
  return 0;
}
