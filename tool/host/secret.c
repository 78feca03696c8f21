/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/secret.h"

#include <glib/gi18n.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (virSecret, virSecretFree)

char *
vk_secret_find (VkHost *host, const char *usage, GError **error)
{
  g_autoptr (virSecret) secret = virSecretLookupByUsage (vk_host_connection (host), VIR_SECRET_USAGE_TYPE_VOLUME, usage);
  char uuid[VIR_UUID_STRING_BUFLEN];

  if (secret != NULL && virSecretGetUUIDString (secret, uuid) == 0)
    return g_strdup (uuid);
  vk_set_libvirt_error (error, N_("see virsh secret-list"), "libvirt has no secret for the volume '%s'", usage);
  return NULL;
}

typedef struct
{
  unsigned char *bytes;
  size_t length;
} Value;

static void
wipe (gpointer data)
{
  Value *value = data;

  explicit_bzero (value->bytes, value->length);
  free (value->bytes);
  g_free (value);
}

GBytes *
vk_secret_value (VkHost *host, const char *uuid, GError **error)
{
  g_autoptr (virSecret) secret = virSecretLookupByUUIDString (vk_host_connection (host), uuid);
  Value *value;
  unsigned char *bytes;
  size_t length;

  if (secret == NULL)
    {
      vk_set_libvirt_error (error, N_("define it there with virsh secret-define, and give it the key with virsh secret-set-value"), "the disk is encrypted, and libvirt does not have its secret %s", uuid);
      return NULL;
    }
  bytes = virSecretGetValue (secret, &length, 0);
  if (bytes == NULL)
    {
      vk_set_libvirt_error (error, N_("it needs a value, and must not be private"), "the disk is encrypted, and libvirt does not tell the value of its secret %s", uuid);
      return NULL;
    }
  value = g_new0 (Value, 1);
  value->bytes = bytes;
  value->length = length;
  return g_bytes_new_with_free_func (bytes, length, wipe, value);
}
