/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/error.h"

#include <glib/gi18n.h>

G_DEFINE_QUARK (vk-error-quark, vk_error)
G_DEFINE_QUARK (vk-libvirt-error-quark, vk_libvirt_error)

struct error_class
{
  const char *name;
  int exit_code;
};

static const struct error_class error_classes[] = {
  [VK_ERROR_FAILED] = { "failed", 1 },
  [VK_ERROR_USAGE] = { "usage", 2 },
  [VK_ERROR_NOT_FOUND] = { "not-found", 3 },
  [VK_ERROR_BUSY] = { "busy", 4 },
  [VK_ERROR_REFUSED] = { "refused", 5 },
  [VK_ERROR_GUEST] = { "guest", 6 },
  [VK_ERROR_ABORTED] = { "aborted", 7 },
  [VK_ERROR_CONNECTION] = { "connection", 8 },
  [VK_ERROR_STORE] = { "store", 9 },
  [VK_ERROR_NOT_CLOSED] = { "not-closed", 10 },
  [VK_ERROR_UNCHANGED] = { "unchanged", 11 },
  [VK_ERROR_DAMAGED] = { "damaged", 12 },
  [VK_ERROR_NOT_PROVEN] = { "not-proven", 13 },
  [VK_ERROR_FROZEN] = { "frozen", 14 },
  [VK_ERROR_SCRATCH] = { "scratch", 15 },
  [VK_ERROR_HOOK] = { "hook", 16 },
  [VK_ERROR_SOME_FAILED] = { "some-failed", 17 },
  [VK_ERROR_ALL_FAILED] = { "all-failed", 18 },
  [VK_ERROR_INTERRUPTED] = { "interrupted", 130 },
  [VK_ERROR_TERMINATED] = { "terminated", 143 },
  [VK_ERROR_HUNG_UP] = { "hung-up", 129 },
};

/* In parentheses, as it may be a macro, too. */
gboolean
(vk_fail) (GError **error, VkError code, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (_(format), args);
  va_end (args);
  g_set_error_literal (error, VK_ERROR, (int) code, text);
  return FALSE;
}

/* The class of our own that an error of libvirt's belongs to. */
static VkError
class_of_libvirt_error (int code)
{
  switch (code)
    {
    case VIR_ERR_NO_DOMAIN:
    case VIR_ERR_NO_DOMAIN_BACKUP:
    case VIR_ERR_NO_DOMAIN_CHECKPOINT:
      return VK_ERROR_NOT_FOUND;
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_INVALID_CONN:
    case VIR_ERR_RPC:
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
      return VK_ERROR_CONNECTION;
    case VIR_ERR_OPERATION_TIMEOUT:
      return VK_ERROR_BUSY;
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
    case VIR_ERR_CHECKPOINT_INCONSISTENT:
      return VK_ERROR_REFUSED;
    default:
      return VK_ERROR_FAILED;
    }
}

static const struct error_class *
class_of (const GError *error)
{
  if (error->domain == VK_ERROR && error->code >= 0 && error->code < (int) G_N_ELEMENTS (error_classes))
    return &error_classes[error->code];
  if (error->domain == VK_LIBVIRT_ERROR)
    return &error_classes[class_of_libvirt_error (error->code)];
  if (error->domain == G_OPTION_ERROR)
    return &error_classes[VK_ERROR_USAGE];
  return &error_classes[VK_ERROR_FAILED];
}

int
vk_error_exit_code (const GError *error)
{
  return error ? class_of (error)->exit_code : 0;
}

const char *
vk_error_class_name (const GError *error)
{
  return class_of (error)->name;
}
