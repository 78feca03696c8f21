/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What backend.c is to have, for the REST and S3 backends alone. */
#include "config.h"

#include "base/error.h"
#include "store/restic/backend.h"

const char *
vk_restic_type_directory (VkResticType type)
{
  static const char *const directories[] = { NULL, "keys", "locks", "snapshots", "index", "data" };

  return directories[type];
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
  return g_str_has_prefix (url, "s3:") ? vk_backend_s3_new (url, error) : vk_backend_rest_new (url, error);
}

void
vk_backend_free (VkBackend *backend)
{
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
vk_backend_remove (VkBackend *backend, VkResticType type, const char *name, GCancellable *cancellable, GError **error)
{
  return backend->ops->remove (backend, type, name, cancellable, error);
}
