/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/blob-check.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"

/* Blobs that wait for a thread, for each thread. */
enum { QUEUED_PER_THREAD = 4 };

struct VkBlobCheck
{
  VkRestic *repo;
  GCancellable *cancellable;
  GHashTable *packs;   /* VkResticId to guint64, the pack's size in bytes */
  GByteArray *seen;    /* a bit a blob, by its number in the index */
  GThreadPool *pool;   /* that reads, or NULL */
  guint limit;         /* of what may be queued */

  GMutex lock;         /* over what follows */
  GCond changed;       /* there is less in the queue, or a failure */
  guint queued;
  GHashTable *faults;  /* VkResticId to VkBlobFault */
  GError *failure;     /* the first one: nothing is read after it */
};

static void
fault_free (VkBlobFault *fault)
{
  g_free (fault->file);
  g_free (fault->message);
  g_free (fault);
}

/* Takes message. */
static void
add_fault (VkBlobCheck *check, const VkResticId *id, const VkResticId *pack, char *message)
{
  VkBlobFault *fault = g_new (VkBlobFault, 1);
  g_autofree char *name = pack ? vk_restic_id_to_string (pack) : NULL;

  fault->file = name ? g_strconcat ("data/", name, NULL) : g_strdup ("index");
  fault->message = message;
  g_mutex_lock (&check->lock);
  g_hash_table_insert (check->faults, g_memdup2 (id, sizeof *id), fault);
  g_mutex_unlock (&check->lock);
}

/* --- reading -------------------------------------------------------------- */

/* A blob on its way to a thread. */
struct task
{
  VkResticId id;
  VkResticId pack;
};

static gboolean
has_failed (VkBlobCheck *check)
{
  gboolean failed;

  g_mutex_lock (&check->lock);
  failed = check->failure != NULL;
  g_mutex_unlock (&check->lock);
  return failed;
}

/* What is wrong with a blob is a fault; that it cannot be found out, a failure. */
static void
read_blob (VkBlobCheck *check, const struct task *task)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GBytes) blob = vk_restic_load_blob (check->repo, VK_BLOB_DATA, &task->id, check->cancellable, &failure);

  if (blob != NULL)
    return;
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_DAMAGED) || g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    {
      add_fault (check, &task->id, &task->pack, g_strdup (failure->message));
      return;
    }
  g_mutex_lock (&check->lock);
  if (check->failure == NULL)
    check->failure = g_steal_pointer (&failure);
  g_mutex_unlock (&check->lock);
}

/* Runs on the threads of the pool. */
static void
run (gpointer data, gpointer user_data)
{
  g_autofree struct task *task = data;
  VkBlobCheck *check = user_data;

  if (!has_failed (check))
    read_blob (check, task);
  g_mutex_lock (&check->lock);
  check->queued--;
  g_cond_signal (&check->changed);
  g_mutex_unlock (&check->lock);
}

/* Waits until less than limit is queued, or nothing for 0. */
static gboolean
wait_below (VkBlobCheck *check, guint limit, GError **error)
{
  gboolean ok;

  g_mutex_lock (&check->lock);
  while (check->queued > 0 && check->queued >= limit)
    g_cond_wait (&check->changed, &check->lock);
  ok = check->failure == NULL;
  if (!ok)
    g_propagate_error (error, g_error_copy (check->failure));
  g_mutex_unlock (&check->lock);
  return ok && !g_cancellable_set_error_if_cancelled (check->cancellable, error);
}

static gboolean
push (VkBlobCheck *check, const VkResticId *id, const VkBlobLocation *location, GError **error)
{
  struct task *task;

  if (!wait_below (check, check->limit, error))
    return FALSE;
  task = g_new (struct task, 1);
  task->id = *id;
  task->pack = location->pack;
  g_mutex_lock (&check->lock);
  check->queued++;
  g_mutex_unlock (&check->lock);
  g_thread_pool_push (check->pool, task, NULL);
  return TRUE;
}

/* --- looking -------------------------------------------------------------- */

/* Marks the blob; TRUE when it has been before. */
static gboolean
is_seen (VkBlobCheck *check, guint32 number)
{
  guint8 bit = (guint8) (1 << (number & 7));
  guint had = check->seen->len;
  gboolean seen;

  if (number / 8 >= had)
    {
      g_byte_array_set_size (check->seen, number / 8 + 1);
      memset (check->seen->data + had, 0, check->seen->len - had);
    }
  seen = check->seen->data[number / 8] & bit;
  check->seen->data[number / 8] |= bit;
  return seen;
}

/* FALSE, with a fault, when the pack is not there, or not the whole of it. */
static gboolean
check_pack (VkBlobCheck *check, const VkResticId *id, const VkBlobLocation *location)
{
  const guint64 *size = g_hash_table_lookup (check->packs, &location->pack);

  if (size == NULL)
    add_fault (check, id, &location->pack, g_strdup ("the pack is missing"));
  else if (*size < (guint64) location->offset + location->length)
    add_fault (check, id, &location->pack, g_strdup_printf ("the pack has been cut off after %" PRIu64 " bytes", *size));
  else
    return TRUE;
  return FALSE;
}

static gboolean
check_blob (VkBlobCheck *check, const VkResticId *id, GError **error)
{
  VkBlobLocation location;

  if (!vk_restic_lookup (check->repo, VK_BLOB_DATA, id, &location))
    {
      g_autofree char *name = vk_restic_id_to_string (id);

      add_fault (check, id, NULL, g_strdup_printf ("no index file lists the data blob %s", name));
      return TRUE;
    }
  if (is_seen (check, location.number) || !check_pack (check, id, &location))
    return TRUE;
  return check->pool == NULL || push (check, id, &location, error);
}

gboolean
vk_blob_check_add (VkBlobCheck *check, const VkContent *content, GError **error)
{
  guint64 index = 0;

  while (content != NULL && index < vk_content_length (content))
    {
      guint64 count;
      const VkResticId *id = vk_content_get_run (content, index, &count);

      if (!check_blob (check, id, error))
        return FALSE;
      index += count;
    }
  return !g_cancellable_set_error_if_cancelled (check->cancellable, error);
}

gboolean
vk_blob_check_finish (VkBlobCheck *check, GError **error)
{
  return wait_below (check, 0, error);
}

guint
vk_blob_check_faults (VkBlobCheck *check)
{
  return g_hash_table_size (check->faults);
}

const VkBlobFault *
vk_blob_check_find (VkBlobCheck *check, const VkResticId *id)
{
  return g_hash_table_lookup (check->faults, id);
}

/* --- opening -------------------------------------------------------------- */

static gboolean
list_packs (VkBlobCheck *check, GError **error)
{
  g_autoptr (GPtrArray) entries = vk_backend_list (vk_restic_backend (check->repo), VK_RESTIC_DATA, check->cancellable, error);

  for (guint i = 0; entries != NULL && i < entries->len; i++)
    {
      const VkBackendEntry *entry = g_ptr_array_index (entries, i);
      VkResticId id;

      if (vk_restic_id_parse (entry->name, &id))
        g_hash_table_insert (check->packs, g_memdup2 (&id, sizeof id), g_memdup2 (&entry->size, sizeof entry->size));
    }
  return entries != NULL;
}

VkBlobCheck *
vk_blob_check_new (VkRestic *repo, gboolean read, GCancellable *cancellable, GError **error)
{
  guint threads = MAX (g_get_num_processors (), vk_restic_backend (repo)->parallel);
  g_autoptr (VkBlobCheck) check = g_new0 (VkBlobCheck, 1);

  g_mutex_init (&check->lock);
  g_cond_init (&check->changed);
  check->repo = repo;
  check->cancellable = cancellable ? g_object_ref (cancellable) : NULL;
  check->limit = threads * QUEUED_PER_THREAD;
  check->packs = g_hash_table_new_full (vk_restic_id_hash, vk_restic_id_equals, g_free, g_free);
  check->faults = g_hash_table_new_full (vk_restic_id_hash, vk_restic_id_equals, g_free, (GDestroyNotify) fault_free);
  check->seen = g_byte_array_new ();
  if (!list_packs (check, error))
    return NULL;
  if (read)
    check->pool = g_thread_pool_new (run, check, (gint) threads, FALSE, error);
  return check->pool != NULL || !read ? g_steal_pointer (&check) : NULL;
}

void
vk_blob_check_free (VkBlobCheck *check)
{
  if (check == NULL)
    return;
  if (check->pool != NULL)
    g_thread_pool_free (check->pool, FALSE, TRUE);
  g_hash_table_unref (check->packs);
  g_hash_table_unref (check->faults);
  g_byte_array_unref (check->seen);
  g_clear_object (&check->cancellable);
  g_clear_error (&check->failure);
  g_cond_clear (&check->changed);
  g_mutex_clear (&check->lock);
  g_free (check);
}
