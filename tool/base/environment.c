/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/environment.h"

#include "base/error.h"

enum
{
  /* More of anything than that is a mistake. */
  MAX_SECONDS = 24 * 60 * 60,
  /* Longer than a server of files takes to come back, and than a repository on a
   * network may be tried again. */
  COPY_STALL_SECONDS = 600,
  /* What the kernel has taken in and not written yet may be a fifth of the memory. */
  FLUSH_FACTOR = 6,
};

gboolean
vk_environment_seconds (const char *name, guint64 fallback, guint64 *seconds, GError **error)
{
  const char *text = g_getenv (name);

  *seconds = fallback;
  if (text == NULL || *text == '\0' || g_ascii_string_to_unsigned (text, 10, 1, MAX_SECONDS, seconds, NULL))
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "%s=%s is not a number of seconds from 1 to %d", name, text, MAX_SECONDS);
}

gboolean
vk_copy_patience (guint64 *seconds, GError **error)
{
  return vk_environment_seconds ("VIRT_KEEP_COPY_STALL_SECONDS", COPY_STALL_SECONDS, seconds, error);
}

gboolean
vk_flush_patience (guint64 *seconds, GError **error)
{
  gboolean ok = vk_copy_patience (seconds, error);

  *seconds *= FLUSH_FACTOR;
  return ok;
}
