/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one part of error.h that calls libvirt: what links the rest does not have
 * to link libvirt. */
#include "config.h"

#include "base/error.h"

#include <glib/gi18n.h>

/* libvirt has no code of its own for a connection that breaks during a call. */
static gboolean
is_of_broken_connection (const virError *last)
{
  return last != NULL && last->domain == VIR_FROM_RPC && (last->code == VIR_ERR_INTERNAL_ERROR || last->code == VIR_ERR_SYSTEM_ERROR);
}

void
vk_set_libvirt_error (GError **error, const char *hint, const char *context_format, ...)
{
  const virError *last = virGetLastError ();
  int code = last ? last->code : VIR_ERR_INTERNAL_ERROR;
  const char *words = last && last->message ? last->message : _("unknown error");
  g_autofree char *context = NULL;
  va_list args;

  va_start (args, context_format);
  context = g_strdup_vprintf (_(context_format), args);
  va_end (args);

  if (is_of_broken_connection (last))
    vk_fail (error, VK_ERROR_CONNECTION, "%s: %s: is libvirtd still running?", context, words);
  else if (hint != NULL)
    g_set_error (error, VK_LIBVIRT_ERROR, code, "%s: %s: %s", context, words, _(hint));
  else
    g_set_error (error, VK_LIBVIRT_ERROR, code, "%s: %s", context, words);
}
