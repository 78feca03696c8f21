/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/restic-leftovers.h"

#include <inttypes.h>

#include "base/error.h"
#include "store/restic/lock-conflict.h"
#include "store/restic/restic-store.h"

/* NULL without *error: the lock is held, or has gone. */
static VkStoreLeftover *
examine (VkRestic *repo, const char *name, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (VkLockHolder) holder = vk_lock_holder_load (repo, name, NULL, &failure);
  VkStoreLeftover *leftover;

  if (holder == NULL && !g_error_matches (failure, VK_ERROR, VK_ERROR_DAMAGED))
    {
      if (!g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
        g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  if (holder != NULL && !vk_lock_holder_is_stale (holder))
    return NULL;
  leftover = g_new0 (VkStoreLeftover, 1);
  leftover->kind = "lock";
  leftover->place = g_strdup (name);
  leftover->can_clear = holder != NULL;
  if (holder != NULL)
    leftover->text = g_strdup_printf ("%s has a stale lock, %s, of %s on %s, process %" PRIu64 ", since %s",
                                      vk_restic_backend (repo)->location, holder->exclusive ? "an exclusive one" : "a shared one", holder->username, holder->hostname, holder->pid, holder->time);
  else
    leftover->text = g_strdup_printf ("%s has a lock that cannot be read, %s: %s", vk_restic_backend (repo)->location, name, failure->message);
  leftover->advice = g_strdup (holder != NULL ? "virt-keep doctor --fix or `restic unlock' removes it" : "if nobody is at work there, `restic unlock --remove-all' removes it");
  return leftover;
}

/* A lock is on the whole repository, whatever the domain. */
GPtrArray *
vk_restic_find_leftovers (VkStore *base, const char *domain_uuid, GError **error)
{
  VkRestic *repo = ((VkResticStore *) base)->repo;
  g_autoptr (GPtrArray) entries = vk_backend_list (vk_restic_backend (repo), VK_RESTIC_LOCK, NULL, error);
  g_autoptr (GPtrArray) leftovers = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_store_leftover_free);

  if (entries == NULL)
    return NULL;
  for (guint i = 0; i < entries->len; i++)
    {
      const VkBackendEntry *entry = g_ptr_array_index (entries, i);
      g_autoptr (GError) failure = NULL;
      /* restic leaves files without content behind when a disk is full. */
      VkStoreLeftover *leftover = entry->size > 0 ? examine (repo, entry->name, &failure) : NULL;

      if (leftover != NULL)
        g_ptr_array_add (leftovers, leftover);
      if (failure == NULL)
        continue;
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  return g_steal_pointer (&leftovers);
}

/* Who held it would have refreshed it under another name. */
gboolean
vk_restic_clear_leftover (VkStore *base, const VkStoreLeftover *leftover, GError **error)
{
  return vk_backend_remove (vk_restic_backend (((VkResticStore *) base)->repo), VK_RESTIC_LOCK, leftover->place, NULL, error);
}

gboolean
vk_restic_clear_stale_locks (VkStore *store, GError **error)
{
  g_autoptr (GPtrArray) leftovers = vk_restic_find_leftovers (store, NULL, error);

  for (guint i = 0; leftovers != NULL && i < leftovers->len; i++)
    {
      const VkStoreLeftover *leftover = g_ptr_array_index (leftovers, i);
      g_autoptr (GError) failure = NULL;

      if (!leftover->can_clear || vk_restic_clear_leftover (store, leftover, &failure) || g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
        continue;
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  return leftovers != NULL;
}
