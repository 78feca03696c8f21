/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/lock.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "store/manifest.h"
#include "store/restic/lock-conflict.h"
#include "store/restic/unpacked.h"

/* How often locks in the way are looked at again. */
enum { RETRY_MS = 5000 };

/* restic's: others take a lock for dead after 30 minutes, and whoever holds it
 * stops well before. */
const VkResticLockTimes vk_restic_lock_times_default = { .settle_ms = 200, .refresh_ms = 5 * 60 * 1000, .retry_ms = 30 * 1000, .expiry_ms = 45 * 60 * 1000 / 2 };

struct VkResticLock
{
  VkRestic *repo;
  gboolean exclusive;
  VkResticLockTimes times;
  GCancellable *lost_cancellable;
  GCancellable *stop_cancellable; /* ends a refresh that hangs when the lock is given back */
  GThread *thread;

  GMutex lock;       /* over what follows */
  GCond wake;        /* stop was set, or settling is over */
  gboolean stop;
  gboolean settling; /* others have not had the time to see the lock */
  GError *conflict;  /* what was found then: the lock is none */
  gint64 refreshed;  /* when the lock was last written; see now() */
  gboolean removed;  /* by somebody else */

  GPtrArray *names;  /* of char *: the lock's file, last, and older ones that could not be removed; the thread's while it runs */
};

/* Microseconds of a clock that goes on while the machine is asleep: others go on
 * then, too. */
static gint64
now (void)
{
  struct timespec time;

  clock_gettime (CLOCK_BOOTTIME, &time);
  return (gint64) time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

/* --- the lock's file ------------------------------------------------------ */

/* Returns: (transfer full). */
static char *
describe_holder (gboolean exclusive)
{
  g_autoptr (JsonObject) object = json_object_new ();
  g_autofree char *time = vk_time_now ();

  json_object_set_string_member (object, "time", time);
  json_object_set_boolean_member (object, "exclusive", exclusive);
  vk_json_set_string (object, "hostname", g_get_host_name ());
  vk_json_set_string (object, "username", g_get_user_name ());
  json_object_set_int_member (object, "pid", getpid ());
  json_object_set_int_member (object, "uid", getuid ());
  json_object_set_int_member (object, "gid", getgid ());
  return vk_json_to_string (object, FALSE);
}

static gboolean
write_file (VkResticLock *lock, GCancellable *cancellable, GError **error)
{
  g_autofree char *json = describe_holder (lock->exclusive);
  gint64 written = now ();
  VkResticId id;
  gboolean ok = vk_unpacked_save (vk_restic_backend (lock->repo), vk_restic_crypto (lock->repo), VK_RESTIC_LOCK, json, strlen (json), &id, NULL, cancellable, error);

  /* After a failure it may be there nonetheless, and has to be removed. */
  g_ptr_array_insert (lock->names, ok ? -1 : 0, vk_restic_id_to_string (&id));
  if (!ok)
    return FALSE;
  g_mutex_lock (&lock->lock);
  lock->refreshed = written;
  g_mutex_unlock (&lock->lock);
  return TRUE;
}

/* Removes all files of the lock but the last keep ones.  What cannot be removed
 * is tried again the next time. */
static void
remove_files (VkResticLock *lock, guint keep)
{
  g_autoptr (GError) first = NULL;

  for (guint i = lock->names->len; i > keep; i--)
    {
      guint index = i - keep - 1;

      if (vk_backend_remove (vk_restic_backend (lock->repo), VK_RESTIC_LOCK, g_ptr_array_index (lock->names, index), NULL, first ? NULL : &first))
        g_ptr_array_remove_index (lock->names, index);
    }
  if (first != NULL)
    g_message ("a lock of ours on %s cannot be removed: %s", vk_restic_backend (lock->repo)->location, first->message);
}

/* --- taking it ------------------------------------------------------------ */

static gboolean
sleep_for (guint64 ms, GCancellable *cancellable, GError **error)
{
  GPollFD cancel = { .fd = -1 };

  if (g_cancellable_make_pollfd (cancellable, &cancel))
    {
      g_poll (&cancel, 1, (gint) ms);
      g_cancellable_release_fd (cancellable);
    }
  else
    g_usleep (ms * 1000);
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

/* The last name is of our own file, if there is one. */
static gboolean
refuse_conflicts (VkResticLock *lock, GCancellable *cancellable, GError **error)
{
  const char *own = lock->names->len > 0 ? g_ptr_array_index (lock->names, lock->names->len - 1) : NULL;

  return vk_lock_refuse_conflicts (lock->repo, lock->exclusive, own, cancellable, error);
}

/* Others that write theirs at the same time are seen by one of the two sides,
 * or by both. */
static gboolean
settle (VkResticLock *lock, GCancellable *cancellable, GError **error)
{
  return sleep_for (lock->times.settle_ms, cancellable, error) && refuse_conflicts (lock, cancellable, error);
}

/* With early, the thread settles it.  Not when so much time has gone by that an
 * exclusive lock may have come and gone since its last look: whoever held that has not
 * seen ours, and may have removed what is about to be read. */
static gboolean
try_to_take (VkResticLock *lock, gboolean early, GCancellable *cancellable, GError **error)
{
  gint64 begun = now ();

  if (refuse_conflicts (lock, cancellable, error) && write_file (lock, cancellable, error))
    {
      lock->settling = early && now () - begun < (gint64) lock->times.settle_ms * 1000;
      if (lock->settling || settle (lock, cancellable, error))
        return TRUE;
    }
  remove_files (lock, 0);
  return FALSE;
}

static gboolean
take (VkResticLock *lock, gboolean early, guint retry_seconds, GCancellable *cancellable, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + (gint64) retry_seconds * G_USEC_PER_SEC;

  for (;;)
    {
      g_autoptr (GError) failure = NULL;
      gint64 left;

      if (try_to_take (lock, early, cancellable, &failure))
        return TRUE;
      left = (deadline - g_get_monotonic_time ()) / 1000;
      if (left <= 0 || !g_error_matches (failure, VK_ERROR, VK_ERROR_BUSY))
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      if (!sleep_for ((guint64) MIN (left, RETRY_MS), cancellable, error))
        return FALSE;
    }
}

/* --- holding it ----------------------------------------------------------- */

/* That the file has gone means that somebody took the lock for dead, and may be
 * removing data by now.  Returns whether it is known to be there. */
static gboolean
is_in_place (VkResticLock *lock)
{
  g_autoptr (GError) failure = NULL;
  guint64 size;

  if (vk_backend_stat (vk_restic_backend (lock->repo), VK_RESTIC_LOCK, g_ptr_array_index (lock->names, lock->names->len - 1), &size, lock->stop_cancellable, &failure))
    return TRUE;
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    {
      g_mutex_lock (&lock->lock);
      lock->removed = TRUE;
      g_mutex_unlock (&lock->lock);
    }
  return FALSE;
}

static gboolean
refresh (VkResticLock *lock)
{
  g_autoptr (GError) failure = NULL;

  if (!is_in_place (lock))
    return FALSE;
  if (!write_file (lock, lock->stop_cancellable, &failure))
    {
      g_debug ("the lock could not be refreshed: %s", failure->message);
      return FALSE;
    }
  remove_files (lock, 1);
  return TRUE;
}

/* Waits for ms milliseconds; FALSE when the lock is to be given back. */
static gboolean
hold_for (VkResticLock *lock, guint ms)
{
  gint64 deadline = g_get_monotonic_time () + (gint64) ms * 1000;
  gboolean stop;

  g_mutex_lock (&lock->lock);
  while (!lock->stop && g_cond_wait_until (&lock->wake, &lock->lock, deadline))
    ;
  stop = lock->stop;
  g_mutex_unlock (&lock->lock);
  return !stop;
}

/* FALSE when the lock is none, and does not stand in others' way any more. */
static gboolean
settle_late (VkResticLock *lock)
{
  GError *conflict = NULL;
  gboolean ok = settle (lock, lock->stop_cancellable, &conflict);

  if (!ok)
    remove_files (lock, 0);
  g_mutex_lock (&lock->lock);
  lock->settling = FALSE;
  lock->conflict = conflict;
  g_cond_broadcast (&lock->wake);
  g_mutex_unlock (&lock->lock);
  return ok;
}

/* Refreshes the lock until it is given back or lost. */
static gpointer
run (gpointer user_data)
{
  VkResticLock *lock = user_data;
  gboolean fresh = TRUE;
  gboolean held = !lock->settling || settle_late (lock);

  while (held && hold_for (lock, fresh ? lock->times.refresh_ms : lock->times.retry_ms) && !vk_restic_lock_is_lost (lock))
    fresh = refresh (lock);
  if (vk_restic_lock_is_lost (lock))
    g_cancellable_cancel (lock->lost_cancellable);
  return NULL;
}

/* --- from outside --------------------------------------------------------- */

static void
release (VkResticLock *lock)
{
  g_object_unref (lock->lost_cancellable);
  g_object_unref (lock->stop_cancellable);
  g_ptr_array_unref (lock->names);
  g_clear_error (&lock->conflict);
  g_mutex_clear (&lock->lock);
  g_cond_clear (&lock->wake);
  g_free (lock);
}

VkResticLock *
vk_restic_lock_take_timed (VkRestic *repo, gboolean exclusive, gboolean early, guint retry_seconds, const VkResticLockTimes *times, GCancellable *cancellable, GError **error)
{
  VkResticLock *lock = g_new0 (VkResticLock, 1);

  lock->repo = repo;
  lock->exclusive = exclusive;
  lock->times = *times;
  lock->lost_cancellable = g_cancellable_new ();
  lock->stop_cancellable = g_cancellable_new ();
  lock->names = g_ptr_array_new_with_free_func (g_free);
  g_mutex_init (&lock->lock);
  g_cond_init (&lock->wake);
  if (!take (lock, early, retry_seconds, cancellable, error))
    {
      release (lock);
      return NULL;
    }
  lock->thread = g_thread_new ("restic lock", run, lock);
  return lock;
}

/* Of two that write theirs and then look, whatever the other does, one has written first,
 * and the other sees it: unless a listing can be old there is nothing to wait for. */
static VkResticLock *
take_usual (VkRestic *repo, gboolean exclusive, gboolean early, guint retry_seconds, GCancellable *cancellable, GError **error)
{
  VkResticLockTimes times = vk_restic_lock_times_default;

  if (vk_backend_lists_at_once (vk_restic_backend (repo)))
    times.settle_ms = 0;
  return vk_restic_lock_take_timed (repo, exclusive, early, retry_seconds, &times, cancellable, error);
}

VkResticLock *
vk_restic_lock_take (VkRestic *repo, gboolean exclusive, guint retry_seconds, GCancellable *cancellable, GError **error)
{
  return take_usual (repo, exclusive, FALSE, retry_seconds, cancellable, error);
}

/* Who wants to wait for a lock waits for it, too: it may take more than one try. */
VkResticLock *
vk_restic_lock_take_early (VkRestic *repo, guint retry_seconds, GCancellable *cancellable, GError **error)
{
  return take_usual (repo, FALSE, retry_seconds == 0, retry_seconds, cancellable, error);
}

void
vk_restic_lock_free (VkResticLock *lock)
{
  if (lock == NULL)
    return;
  g_mutex_lock (&lock->lock);
  lock->stop = TRUE;
  g_cond_broadcast (&lock->wake);
  g_mutex_unlock (&lock->lock);
  g_cancellable_cancel (lock->stop_cancellable);
  g_thread_join (lock->thread);
  remove_files (lock, 0);
  release (lock);
}

gboolean
vk_restic_lock_is_lost (VkResticLock *lock)
{
  return !vk_restic_lock_check (lock, NULL);
}

gboolean
vk_restic_lock_check (VkResticLock *lock, GError **error)
{
  const char *why = NULL;
  gboolean conflict;

  g_mutex_lock (&lock->lock);
  while (lock->settling)
    g_cond_wait (&lock->wake, &lock->lock);
  conflict = lock->conflict != NULL;
  if (conflict)
    g_propagate_error (error, g_error_copy (lock->conflict));
  else if (lock->removed)
    why = "somebody removed it";
  else if (now () - lock->refreshed > (gint64) lock->times.expiry_ms * 1000)
    why = "it could not be refreshed in time";
  g_mutex_unlock (&lock->lock);
  if (conflict)
    return FALSE;
  if (why == NULL)
    return TRUE;
  vk_fail (error, VK_ERROR_STORE, "the lock on %s is lost, since %s: nothing more is written there; run the command again",
               vk_restic_backend (lock->repo)->location, why);
  return FALSE;
}

GCancellable *
vk_restic_lock_lost_cancellable (VkResticLock *lock)
{
  return lock->lost_cancellable;
}
