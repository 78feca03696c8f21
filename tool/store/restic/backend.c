/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/backend.h"

#include <string.h>

#include "base/error.h"

const char *
vk_restic_type_directory (VkResticType type)
{
  switch (type)
    {
    case VK_RESTIC_CONFIG:
      return NULL;
    case VK_RESTIC_KEY:
      return "keys";
    case VK_RESTIC_LOCK:
      return "locks";
    case VK_RESTIC_SNAPSHOT:
      return "snapshots";
    case VK_RESTIC_INDEX:
      return "index";
    case VK_RESTIC_DATA:
      return "data";
    }
  g_return_val_if_reached (NULL);
}

void
vk_backend_entry_free (VkBackendEntry *entry)
{
  g_free (entry->name);
  g_free (entry);
}

VkBackend *
vk_backend_open (const char *url, GError **error)
{
  g_autofree char *scheme = g_uri_parse_scheme (url);

  if (g_str_has_prefix (url, "local:"))
    return vk_backend_local_new (url + strlen ("local:"), error);
  if (g_path_is_absolute (url))
    return vk_backend_local_new (url, error);
  if (g_str_has_prefix (url, "rest:"))
    return vk_backend_rest_new (url, error);
  if (g_str_has_prefix (url, "s3:"))
    return vk_backend_s3_new (url, error);
  if (scheme != NULL)
    vk_fail (error, VK_ERROR_USAGE, "restic repositories behind '%s:' are not supported: give the path of a directory, 'rest:' or 's3:'", scheme);
  else
    vk_fail (error, VK_ERROR_USAGE, "'%s' is no place of a restic repository: give an absolute path", url);
  return NULL;
}

void
vk_backend_free (VkBackend *backend)
{
  if (backend != NULL)
    backend->ops->free (backend);
}

gboolean
vk_backend_create (VkBackend *backend, GCancellable *cancellable, GError **error)
{
  return backend->ops->create (backend, cancellable, error);
}

GPtrArray *
vk_backend_list (VkBackend *backend, VkResticType type, GCancellable *cancellable, GError **error)
{
  return backend->ops->list (backend, type, cancellable, error);
}

GBytes *
vk_backend_load (VkBackend *backend, VkResticType type, const char *name, guint64 offset, gsize length, GCancellable *cancellable, GError **error)
{
  return backend->ops->load (backend, type, name, offset, length, cancellable, error);
}

gboolean
vk_backend_save (VkBackend *backend, VkResticType type, const char *name, GBytes *content, GCancellable *cancellable, GError **error)
{
  return backend->ops->save (backend, type, name, content, cancellable, error);
}

gboolean
vk_backend_stat (VkBackend *backend, VkResticType type, const char *name, guint64 *size, GCancellable *cancellable, GError **error)
{
  return backend->ops->stat (backend, type, name, size, cancellable, error);
}

gboolean
vk_backend_lists_at_once (VkBackend *backend)
{
  return backend->ops->lists_at_once != NULL && backend->ops->lists_at_once (backend);
}

gboolean
vk_backend_remove (VkBackend *backend, VkResticType type, const char *name, GCancellable *cancellable, GError **error)
{
  return backend->ops->remove (backend, type, name, cancellable, error);
}
