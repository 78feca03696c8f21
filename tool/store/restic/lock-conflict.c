/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/lock-conflict.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "store/restic/unpacked.h"

/* As restic: an older lock is taken for dead. */
enum { STALE_SECONDS = 30 * 60 };

void
vk_lock_holder_free (VkLockHolder *holder)
{
  g_free (holder->time);
  g_free (holder->hostname);
  g_free (holder->username);
  g_free (holder);
}

VkLockHolder *
vk_lock_holder_parse (const void *text, gsize length, GError **error)
{
  g_autoptr (VkLockHolder) holder = g_new0 (VkLockHolder, 1);
  g_autoptr (GError) failure = NULL;
  g_autoptr (JsonObject) object = vk_json_parse_length (text, length, "its text", &failure);

  if (object != NULL
      && vk_json_get_string (object, "time", "", &holder->time, &failure)
      && vk_json_get_string (object, "hostname", "", &holder->hostname, &failure)
      && vk_json_get_string (object, "username", "", &holder->username, &failure)
      && vk_json_get_uint64 (object, "pid", 0, &holder->pid, &failure)
      && vk_json_get_boolean (object, "exclusive", FALSE, &holder->exclusive, &failure))
    return g_steal_pointer (&holder);
  g_set_error_literal (error, VK_ERROR, VK_ERROR_DAMAGED, failure->message);
  return NULL;
}

/* Whether it is a process of this host that is gone. */
static gboolean
is_dead (const VkLockHolder *holder)
{
  return strcmp (holder->hostname, g_get_host_name ()) == 0 && holder->pid > 1 && holder->pid <= G_MAXINT32
      && kill ((pid_t) holder->pid, 0) < 0 && errno == ESRCH;
}

gboolean
vk_lock_holder_is_stale (const VkLockHolder *holder)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_iso8601 (holder->time, NULL);

  if (time != NULL && g_get_real_time () / G_USEC_PER_SEC - g_date_time_to_unix (time) > STALE_SECONDS)
    return TRUE;
  return is_dead (holder);
}

static void
set_held_error (VkRestic *repo, const VkLockHolder *holder, GError **error)
{
  vk_fail (error, VK_ERROR_BUSY, "%s is locked%s by %s on %s, process %" PRIu64 ", since %s: %s",
               vk_restic_backend (repo)->location, holder->exclusive ? " exclusively" : "", holder->username, holder->hostname, holder->pid, holder->time,
               vk_lock_holder_is_stale (holder) ? "it seems to be dead, and `restic unlock' removes its lock" : "wait for it, for example with --retry-lock");
}

/* An unreadable lock may be an exclusive one. */
static gboolean
set_unreadable_error (VkRestic *repo, const char *name, const GError *failure, GError **error)
{
  vk_fail (error, VK_ERROR_BUSY, "%s has a lock that cannot be read, %s: %s: if nobody is at work there, `restic unlock --remove-all' removes it",
               vk_restic_backend (repo)->location, name, failure->message);
  return FALSE;
}

VkLockHolder *
vk_lock_holder_load (VkRestic *repo, const char *name, GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) text = vk_unpacked_load (vk_restic_backend (repo), vk_restic_crypto (repo), VK_RESTIC_LOCK, name, VK_LOCK_LIMIT, cancellable, error);

  return text ? vk_lock_holder_parse (g_bytes_get_data (text, NULL), g_bytes_get_size (text), error) : NULL;
}

/* Nobody gives that lock back any more.  One that is only old may be of a host that sleeps,
 * and stays. */
static gboolean
clear_dead (VkRestic *repo, const char *name, const VkLockHolder *holder, GCancellable *cancellable)
{
  g_autoptr (GError) failure = NULL;

  return is_dead (holder)
      && (vk_backend_remove (vk_restic_backend (repo), VK_RESTIC_LOCK, name, cancellable, &failure) || g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND));
}

/* A lock that went away meanwhile is none. */
static gboolean
refuse_conflict (VkRestic *repo, gboolean exclusive, const char *name, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (VkLockHolder) holder = vk_lock_holder_load (repo, name, cancellable, &failure);

  if (g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    return TRUE;
  if (holder == NULL && !g_error_matches (failure, VK_ERROR, VK_ERROR_DAMAGED))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (holder == NULL)
    return set_unreadable_error (repo, name, failure, error);
  if ((!exclusive && !holder->exclusive) || clear_dead (repo, name, holder, cancellable))
    return TRUE;
  set_held_error (repo, holder, error);
  return FALSE;
}

gboolean
vk_lock_refuse_conflicts (VkRestic *repo, gboolean exclusive, const char *own, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) entries = vk_backend_list (vk_restic_backend (repo), VK_RESTIC_LOCK, cancellable, error);

  if (entries == NULL)
    return FALSE;
  for (guint i = 0; i < entries->len; i++)
    {
      const VkBackendEntry *entry = g_ptr_array_index (entries, i);

      /* restic leaves files without content behind when a disk is full. */
      if (entry->size == 0 || g_strcmp0 (entry->name, own) == 0)
        continue;
      if (!refuse_conflict (repo, exclusive, entry->name, cancellable, error))
        return FALSE;
    }
  return TRUE;
}
