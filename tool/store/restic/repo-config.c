/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/repo-config.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "store/restic/polynomial.h"

static gboolean
set_damaged_error (GError **error, const char *words)
{
  return vk_fail (error, VK_ERROR_DAMAGED, "the config of the repository is damaged: %s", words);
}

static gboolean
check_version (guint64 version, GError **error)
{
  if (version == 2)
    return TRUE;
  if (version == 1)
    vk_fail (error, VK_ERROR_REFUSED, "the repository has format version 1, and only version 2 is supported: `restic migrate upgrade_repo_v2' turns it into one");
  else
    vk_fail (error, VK_ERROR_REFUSED, "the repository has format version %" PRIu64 ", and only version 2 is supported", version);
  return FALSE;
}

/* The polynomial is restic's business: any number will do. */
static gboolean
parse_fields (const char *id, const char *polynomial, VkRepoConfig *config, GError **error)
{
  VkResticId parsed;

  if (!vk_restic_id_parse (id, &parsed))
    return set_damaged_error (error, "its id is none");
  if (!g_ascii_string_to_unsigned (polynomial, 16, 1, G_MAXUINT64, &config->chunker_polynomial, NULL))
    return set_damaged_error (error, "its polynomial is none");
  vk_restic_id_format (&parsed, config->id);
  return TRUE;
}

gboolean
vk_repo_config_parse (const void *text, gsize length, VkRepoConfig *config, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (JsonObject) object = vk_json_parse_length (text, length, "its text", &failure);
  g_autofree char *id = NULL;
  g_autofree char *polynomial = NULL;
  guint64 version;

  if (object == NULL
      || !vk_json_get_uint64 (object, "version", 0, &version, &failure)
      || !vk_json_get_string (object, "id", "", &id, &failure)
      || !vk_json_get_string (object, "chunker_polynomial", "", &polynomial, &failure))
    return set_damaged_error (error, failure->message);
  return check_version (version, error) && parse_fields (id, polynomial, config, error);
}

void
vk_repo_config_make (VkRepoConfig *config)
{
  VkResticId id;

  vk_restic_random (id.bytes, sizeof id.bytes);
  vk_restic_id_format (&id, config->id);
  config->chunker_polynomial = vk_polynomial_random ();
}

gboolean
vk_repo_config_load (VkBackend *backend, VkCrypto *crypto, VkRepoConfig *config, GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) sealed = vk_backend_load (backend, VK_RESTIC_CONFIG, NULL, 0, 0, cancellable, error);
  g_autofree guint8 *text = NULL;
  gsize length;
  const guint8 *data;

  if (sealed == NULL)
    return FALSE;
  data = g_bytes_get_data (sealed, &length);
  if (length > VK_RESTIC_CONFIG_LIMIT)
    return set_damaged_error (error, "it is larger than a config");
  text = g_malloc (MAX (length, VK_SEAL_OVERHEAD));
  if (!vk_crypto_unseal (crypto, data, length, text))
    return set_damaged_error (error, "it has been changed, or is another repository's");
  return vk_repo_config_parse (text, length - VK_SEAL_OVERHEAD, config, error);
}

gboolean
vk_repo_config_save (VkBackend *backend, VkCrypto *crypto, const VkRepoConfig *config, GCancellable *cancellable, GError **error)
{
  g_autofree char *text = g_strdup_printf ("{\"version\":2,\"id\":\"%s\",\"chunker_polynomial\":\"%" G_GINT64_MODIFIER "x\"}", config->id, config->chunker_polynomial);
  gsize length = strlen (text);
  guint8 *sealed = g_malloc (length + VK_SEAL_OVERHEAD);
  g_autoptr (GBytes) content = g_bytes_new_take (sealed, length + VK_SEAL_OVERHEAD);

  vk_crypto_seal (crypto, text, length, sealed);
  return vk_backend_save (backend, VK_RESTIC_CONFIG, NULL, content, cancellable, error);
}
