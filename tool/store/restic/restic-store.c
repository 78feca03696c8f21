/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/restic-store.h"

#include <string.h>

#include "base/error.h"
#include "store/restic/manifest-cache.h"
#include "store/restic/password.h"
#include "store/restic/restic-leftovers.h"
#include "store/restic/restic-remove.h"
#include "store/restic/restic-verdict.h"
#include "store/restic/restic-writer.h"

/* Digits of the repository's id that make the store's. */
enum { STORE_ID_DIGITS = 8 };

/* One is enough, whoever takes it. */
static VkResticLock *
take_lock (VkResticStore *store, gboolean early, GCancellable *cancellable, GError **error)
{
  VkResticLock *lock;

  g_mutex_lock (&store->mutex);
  if (store->lock == NULL)
    store->lock = early ? vk_restic_lock_take_early (store->repo, store->retry_lock, cancellable, error)
                        : vk_restic_lock_take (store->repo, FALSE, store->retry_lock, cancellable, error);
  lock = store->lock;
  g_mutex_unlock (&store->mutex);
  return lock;
}

VkResticLock *
vk_restic_store_lock (VkResticStore *store, GCancellable *cancellable, GError **error)
{
  return take_lock (store, FALSE, cancellable, error);
}

VkResticLock *
vk_restic_store_lock_early (VkResticStore *store, GCancellable *cancellable, GError **error)
{
  return take_lock (store, TRUE, cancellable, error);
}

void
vk_restic_store_unlock (VkResticStore *store)
{
  g_mutex_lock (&store->mutex);
  g_clear_pointer (&store->lock, vk_restic_lock_free);
  g_mutex_unlock (&store->mutex);
}

static GPtrArray *
restic_list (VkStore *base, const char *domain, GError **error)
{
  return vk_restic_list ((VkResticStore *) base, domain, NULL, error);
}

static void
restic_free (VkStore *base)
{
  VkResticStore *store = (VkResticStore *) base;

  g_clear_pointer (&store->lock, vk_restic_lock_free);
  g_clear_pointer (&store->nodes, g_ptr_array_unref);
  vk_host_cache_free (store->manifests);
  vk_restic_close (store->repo);
  vk_restic_password_free (store->password);
  g_mutex_clear (&store->mutex);
  g_free (base->url);
  g_free (base->id);
  g_free (store);
}

static VkPointWriter *
restic_begin_point (VkStore *base, const char *domain_name, const char *domain_uuid, GCancellable *cancellable, GError **error)
{
  return vk_restic_writer_new ((VkResticStore *) base, domain_name, domain_uuid, cancellable, error);
}

static const VkStoreOps restic_ops = {
  .whole_points = TRUE,
  .encrypted = TRUE,
  .begin_point = restic_begin_point,
  .lock_directory = vk_restic_lock_directory,
  .lock_mode = 0700,
  .find_leftovers = vk_restic_find_leftovers,
  .clear_leftover = vk_restic_clear_leftover,
  .list = restic_list,
  .open_disk = vk_restic_open_disk,
  .open_lasting = vk_restic_open_lasting,
  .door_checks = TRUE,
  .verify = vk_restic_verify,
  .check_base = vk_restic_check_base,
  .check_disk = vk_restic_check_disk,
  .load_file = vk_restic_load_file,
  .copy_file = vk_restic_copy_file,
  .remove = vk_restic_remove,
  .finish = vk_restic_finish,
  .annotate = vk_restic_annotate,
  .record_verdict = vk_restic_record_verdict,
  .copy = vk_restic_copy,
  .mount = vk_restic_mount,
  .free = restic_free,
};

static VkStore *
open_store (const char *location, const VkStoreSettings *settings, gboolean create, GError **error)
{
  VkResticStore *store = g_new0 (VkResticStore, 1);
  g_autoptr (VkStore) base = &store->base;
  g_autoptr (VkBackend) backend = vk_backend_open (location, error);
  VkPasswordSource source = { .password = settings ? settings->password : NULL, .file = settings ? settings->password_file : NULL, .no_prompt = settings && settings->no_prompt, .confirm = create };

  base->ops = &restic_ops;
  g_mutex_init (&store->mutex);
  if (backend == NULL)
    return NULL;
  store->retry_lock = settings ? settings->retry_lock : 0;
  store->pack_size = settings ? settings->pack_size : 0;
  store->compression = settings ? settings->compression : 0;
  base->url = g_strconcat ("restic:", backend->location, NULL);
  source.place = backend->location;
  store->password = vk_restic_password_get (&source, NULL, error);
  if (store->password == NULL)
    return NULL;
  store->repo = (create ? vk_restic_create : vk_restic_open) (g_steal_pointer (&backend), store->password, NULL, NULL, error);
  if (store->repo == NULL)
    return NULL;
  store->manifests = vk_manifest_cache_new (vk_restic_repo_id (store->repo));
  base->id = g_strndup (vk_restic_repo_id (store->repo), STORE_ID_DIGITS);
  return g_steal_pointer (&base);
}

VkStore *
vk_restic_store_open (const char *location, const VkStoreSettings *settings, GError **error)
{
  return open_store (location, settings, FALSE, error);
}

gboolean
vk_restic_store_read_password (const char *location, const VkStoreSettings *settings, char **password, GCancellable *cancellable, GError **error)
{
  VkPasswordSource source = { .password = settings->password, .file = settings->password_file, .no_prompt = settings->no_prompt };
  g_autoptr (VkBackend) backend = NULL;

  *password = NULL;
  if (!vk_restic_password_is_read_once (&source))
    return TRUE;
  backend = vk_backend_open (location, error);
  if (backend == NULL)
    return FALSE;
  source.place = backend->location;
  *password = vk_restic_password_get (&source, cancellable, error);
  return *password != NULL;
}

VkStore *
vk_restic_store_create (const char *location, const VkStoreSettings *settings, GError **error)
{
  return open_store (location, settings, TRUE, error);
}
