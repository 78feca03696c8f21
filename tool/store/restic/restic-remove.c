/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/restic-remove.h"

#include <string.h>

#include "base/error.h"
#include "store/restic/restic-leftovers.h"
#include "store/restic/restic-program.h"
#include "store/restic/restic-verdict.h"

/* --- removing --------------------------------------------------------------- */

/* The point as it is now: its snapshot has another id when its tags were changed. */
static const VkResticPoint *
find_again (const GPtrArray *points, const VkPoint *wanted)
{
  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if (strcmp (point->id, wanted->id) == 0 && strcmp (point->domain, wanted->domain) == 0
          && g_strcmp0 (point->manifest ? point->manifest->domain_uuid : NULL, wanted->manifest ? wanted->manifest->domain_uuid : NULL) == 0)
        return (const VkResticPoint *) point;
    }
  return NULL;
}

/* Adds the snapshot of wanted to arguments. */
static gboolean
add_snapshot (const GPtrArray *points, const VkPoint *wanted, GPtrArray *arguments, GError **error)
{
  const VkResticPoint *point = find_again (points, wanted);
  g_autofree char *name = vk_point_name (wanted);

  if (point == NULL)
    vk_fail (error, VK_ERROR_NOT_FOUND, "the restore point '%s' has been removed meanwhile", name);
  else if (point->base.is_protected)
    vk_fail (error, VK_ERROR_REFUSED, "the restore point '%s' is protected: see virt-keep unprotect", name);
  else
    {
      g_ptr_array_add (arguments, vk_restic_id_to_string (&point->snapshot));
      return TRUE;
    }
  return FALSE;
}

/* With those that are wanted their verdicts go, and others that are of no use.  Whose
 * verdicts there are is found out first: a point that comes later has none among them. */
static gboolean
forget (VkResticStore *store, const GPtrArray *wanted, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) snapshots = vk_snapshot_list (store->repo, cancellable, error);
  g_autoptr (GPtrArray) points = snapshots ? vk_restic_list (store, NULL, cancellable, error) : NULL;
  g_autoptr (GPtrArray) arguments = g_ptr_array_new_with_free_func (g_free);

  if (points == NULL)
    return FALSE;
  g_ptr_array_add (arguments, g_strdup ("forget"));
  for (guint i = 0; i < wanted->len; i++)
    if (!add_snapshot (points, g_ptr_array_index (wanted, i), arguments, error))
      return FALSE;
  vk_restic_add_idle_verdicts (points, wanted, snapshots, arguments);
  if (arguments->len == 1)
    return TRUE;
  g_ptr_array_add (arguments, NULL);
  return vk_restic_program_run (store, (const char *const *) arguments->pdata, cancellable, error);
}

gboolean
vk_restic_remove (VkStore *base, const GPtrArray *points, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  static const char *const prune[] = { "prune", NULL };
  VkResticStore *store = (VkResticStore *) base;

  if ((points->len > 0 || removal->reclaim) && !vk_restic_clear_stale_locks (base, error))
    return FALSE;
  if ((points->len > 0 || removal->reclaim) && !forget (store, points, cancellable, error))
    return FALSE;
  for (guint i = 0; i < points->len; i++)
    g_ptr_array_add (removal->removed, vk_point_name (g_ptr_array_index (points, i)));
  return !removal->reclaim || vk_restic_program_run (store, prune, cancellable, error);
}

/* No point builds on another one, and restic leaves nothing half removed that it
 * would not see to itself. */
gboolean
vk_restic_finish (VkStore *base, const char *domain, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

/* --- tags ------------------------------------------------------------------- */

/* Takes the tags that begin with one of prefixes (NULL-terminated) away. */
static void
remove_tags (VkSnapshot *snapshot, const char *const *prefixes)
{
  gsize kept = 0;

  for (gsize i = 0; snapshot->tags != NULL && snapshot->tags[i] != NULL; i++)
    {
      gboolean unwanted = FALSE;

      for (gsize k = 0; prefixes[k] != NULL; k++)
        unwanted |= g_str_has_prefix (snapshot->tags[i], prefixes[k]);
      if (unwanted)
        g_free (snapshot->tags[i]);
      else
        snapshot->tags[kept++] = snapshot->tags[i];
    }
  if (snapshot->tags != NULL)
    snapshot->tags[kept] = NULL;
}

/* Adds the tag PREFIX TEXT. */
static void
add_tag (VkSnapshot *snapshot, const char *prefix, const char *text)
{
  gsize count = snapshot->tags ? g_strv_length (snapshot->tags) : 0;

  snapshot->tags = g_renew (char *, snapshot->tags, count + 2);
  snapshot->tags[count] = g_strconcat (prefix, text, NULL);
  snapshot->tags[count + 1] = NULL;
}

/* As `restic tag' does: a new snapshot takes the place of the old one, under an
 * exclusive lock. */
static gboolean
replace_snapshot (VkResticStore *store, VkSnapshot *snapshot, VkResticLock *lock, GError **error)
{
  VkResticId old = snapshot->id;
  VkResticId id;

  if (snapshot->original == NULL)
    snapshot->original = vk_restic_id_to_string (&old);
  return vk_snapshot_save (store->repo, lock, snapshot, &id, NULL, error)
      && (vk_restic_id_equal (&id, &old) || vk_snapshot_remove (store->repo, &old, NULL, error));
}

gboolean
vk_restic_annotate (VkStore *base, const VkPoint *point, gboolean is_protected, const char *note, GError **error)
{
  static const char *const old[] = { VK_RESTIC_TAG_PROTECTED, VK_RESTIC_TAG_NOTE, NULL };
  VkResticStore *store = (VkResticStore *) base;
  g_autoptr (VkResticLock) lock = NULL;
  g_autoptr (VkSnapshot) snapshot = NULL;

  vk_restic_store_unlock (store);
  lock = vk_restic_lock_take (store->repo, TRUE, store->retry_lock, NULL, error);
  snapshot = lock ? vk_snapshot_load (store->repo, &((const VkResticPoint *) point)->snapshot, NULL, error) : NULL;
  if (snapshot == NULL)
    return FALSE;
  remove_tags (snapshot, old);
  if (is_protected)
    add_tag (snapshot, VK_RESTIC_TAG_PROTECTED, "");
  if (note != NULL)
    add_tag (snapshot, VK_RESTIC_TAG_NOTE, note);
  return replace_snapshot (store, snapshot, lock, error);
}

/* --- copying and mounting ----------------------------------------------------- */

/* Points (NULL: all of them) and the verdicts on them. */
static gboolean
add_what_to_copy (VkResticStore *store, const GPtrArray *points, GPtrArray *arguments, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) snapshots = NULL;

  if (points == NULL)
    {
      g_ptr_array_add (arguments, g_strdup ("--tag=" VK_RESTIC_TAG));
      g_ptr_array_add (arguments, g_strdup ("--tag=" VK_RESTIC_TAG_VERDICT));
      return TRUE;
    }
  snapshots = vk_snapshot_list (store->repo, cancellable, error);
  if (snapshots == NULL)
    return FALSE;
  for (guint i = 0; i < points->len; i++)
    g_ptr_array_add (arguments, vk_restic_id_to_string (&((const VkResticPoint *) g_ptr_array_index (points, i))->snapshot));
  vk_restic_add_verdicts_of (points, snapshots, arguments);
  return TRUE;
}

gboolean
vk_restic_copy (VkStore *base, const GPtrArray *points, const char *url, const VkStoreSettings *settings, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkStore) target = vk_store_open (url, settings, FALSE, error);
  g_autoptr (GPtrArray) arguments = g_ptr_array_new_with_free_func (g_free);

  if (target == NULL)
    return FALSE;
  if (target->ops != base->ops)
    return vk_fail (error, VK_ERROR_REFUSED, "the points of a restic store can be copied to a restic store only, and '%s' is none", url);
  g_ptr_array_add (arguments, g_strdup ("copy"));
  if (!vk_restic_clear_stale_locks (base, error) || !vk_restic_clear_stale_locks (target, error)
      || !add_what_to_copy ((VkResticStore *) base, points, arguments, cancellable, error))
    return FALSE;
  g_ptr_array_add (arguments, NULL);
  return vk_restic_program_copy ((VkResticStore *) base, (VkResticStore *) target, (const char *const *) arguments->pdata, cancellable, error);
}

gboolean
vk_restic_mount (VkStore *base, const char *directory, GCancellable *cancellable, GError **error)
{
  const char *arguments[] = { "mount", ("--tag=" VK_RESTIC_TAG), "--", directory, NULL };

  return vk_restic_clear_stale_locks (base, error) && vk_restic_program_run ((VkResticStore *) base, arguments, cancellable, error);
}
