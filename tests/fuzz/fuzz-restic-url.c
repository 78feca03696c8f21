/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* URLs of repositories on servers. */
#include "config.h"

#include <string.h>

#include "store/restic/http-url.h"
#include "store/restic/s3-url.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (VkHttpUrl) http = vk_http_url_parse (text, NULL);
  g_autoptr (VkS3Url) s3 = g_str_has_prefix (text, "s3:") ? vk_s3_url_parse (text, NULL) : NULL;

  /* What is shown has no password in it, unless it is a part of the rest as well. */
  g_assert (http == NULL || http->password == NULL || strlen (http->password) < 8 || strstr (http->shown, http->password) == NULL
            || strstr (http->path, http->password) != NULL);
  return 0;
}
