/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots as restore points. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "store/restic/manifest-cache.h"
#include "store/restic/restic-store.h"
#include "store/restic/restic-verdict.h"

/* --- one point ------------------------------------------------------------ */

gboolean
vk_restic_is_damage (const GError *failure)
{
  return g_error_matches (failure, VK_ERROR, VK_ERROR_DAMAGED) || g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND);
}

/* What the file holds, NUL-terminated.  Returns: (transfer full). */
static char *
read_text (VkRestic *repo, const VkTreeNode *node, gsize limit, GCancellable *cancellable, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint64 i = 0; node->content != NULL && i < vk_content_length (node->content); i++)
    {
      g_autoptr (GBytes) blob = vk_restic_load_blob (repo, VK_BLOB_DATA, vk_content_get (node->content, i), cancellable, error);

      if (blob == NULL)
        return NULL;
      if (g_bytes_get_size (blob) > limit - text->len)
        {
          vk_fail (error, VK_ERROR_DAMAGED, "it is larger than %zu bytes", limit);
          return NULL;
        }
      g_string_append_len (text, g_bytes_get_data (blob, NULL), (gssize) g_bytes_get_size (blob));
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static VkManifest *
parse_manifest (const char *text, const char *location, GError **error)
{
  g_autofree char *name = g_strdup_printf ("%s: " VK_RESTIC_MANIFEST, location);
  g_autoptr (GError) failure = NULL;
  VkManifest *manifest = vk_manifest_parse (text, name, &failure);

  if (manifest == NULL)
    g_set_error_literal (error, VK_ERROR, VK_ERROR_DAMAGED, failure->message);
  return manifest;
}

/* The manifest that is kept on this host, of a tree that the repository still has;
 * the index has been loaded.  Returns: (transfer full) or NULL. */
static VkManifest *
copied_manifest (VkResticStore *store, const VkSnapshot *snapshot, const char *location)
{
  g_autofree char *text = NULL;

  if (vk_restic_lookup (store->repo, VK_BLOB_TREE, &snapshot->tree, NULL))
    text = vk_manifest_cache_get (store->manifests, vk_restic_crypto (store->repo), &snapshot->tree);
  return text ? parse_manifest (text, location, NULL) : NULL;
}

VkManifest *
vk_restic_read_manifest (VkResticStore *store, const VkTreeNode *node, const VkResticId *tree, const char *location, GCancellable *cancellable, GError **error)
{
  g_autofree char *text = read_text (store->repo, node, VK_MANIFEST_LIMIT, cancellable, error);
  VkManifest *manifest;

  if (text == NULL)
    {
      g_prefix_error (error, VK_RESTIC_MANIFEST ": ");
      return NULL;
    }
  manifest = parse_manifest (text, location, error);
  if (manifest != NULL)
    vk_manifest_cache_put (store->manifests, vk_restic_crypto (store->repo), tree, text);
  return manifest;
}

static VkManifest *
find_manifest (VkResticStore *store, const VkSnapshot *snapshot, const char *location, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkTreeNode) node = vk_tree_find (store->repo, &snapshot->tree, VK_RESTIC_MANIFEST, cancellable, error);

  if (node != NULL)
    return vk_restic_read_manifest (store, node, &snapshot->tree, location, cancellable, error);
  g_prefix_error (error, VK_RESTIC_MANIFEST ": ");
  return NULL;
}

/* A point's id says when it was made. */
static char *
id_of_time (const VkSnapshot *snapshot)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (snapshot->unix_us / G_USEC_PER_SEC);

  return g_date_time_format (time, "%Y%m%dT%H%M%SZ");
}

/* The first tag that is a UUID. */
static const char *
find_uuid (const VkSnapshot *snapshot)
{
  for (char **tag = snapshot->tags; tag != NULL && *tag != NULL; tag++)
    if (g_uuid_string_is_valid (*tag))
      return *tag;
  return NULL;
}

static void
read_annotations (VkPoint *point, const VkSnapshot *snapshot)
{
  point->is_protected = vk_snapshot_has_tag (snapshot, VK_RESTIC_TAG_PROTECTED);
  point->verdict = vk_restic_read_verdict (snapshot);
  for (char **tag = snapshot->tags; tag != NULL && *tag != NULL; tag++)
    if (point->note == NULL && g_str_has_prefix (*tag, VK_RESTIC_TAG_NOTE))
      point->note = g_strdup (*tag + strlen (VK_RESTIC_TAG_NOTE));
}

/* Names a point that cannot name itself. */
static void
name_by_snapshot (VkPoint *point, const VkSnapshot *snapshot)
{
  const char *uuid = find_uuid (snapshot);

  if (snapshot->damage != NULL)
    {
      g_autofree char *name = vk_restic_id_to_string (&snapshot->id);

      point->id = g_strndup (name, 8);
    }
  else
    point->id = id_of_time (snapshot);
  point->domain = g_strdup (uuid ? uuid : "unknown");
}

VkResticPoint *
vk_restic_read_point (VkResticStore *store, const VkSnapshot *snapshot, GCancellable *cancellable, GError **error)
{
  VkResticPoint *point = g_new0 (VkResticPoint, 1);
  g_autoptr (VkPoint) base = &point->base;
  g_autofree char *name = vk_restic_id_to_string (&snapshot->id);
  g_autoptr (GError) failure = NULL;

  point->snapshot = snapshot->id;
  point->tree = snapshot->tree;
  base->location = g_strdup_printf ("%s, snapshot %.8s", store->base.url, name);
  base->damage = g_strdup (snapshot->damage);
  if (snapshot->damage == NULL)
    base->manifest = copied_manifest (store, snapshot, base->location);
  if (snapshot->damage == NULL && base->manifest == NULL)
    base->manifest = find_manifest (store, snapshot, base->location, cancellable, &failure);
  if (failure != NULL && !vk_restic_is_damage (failure))
    {
      g_propagate_prefixed_error (error, g_steal_pointer (&failure), "%s: ", base->location);
      return NULL;
    }
  if (failure != NULL)
    base->damage = g_strdup (failure->message);
  if (base->manifest != NULL)
    {
      base->id = g_strdup (base->manifest->id);
      base->domain = g_strdup (base->manifest->domain_name);
    }
  else
    name_by_snapshot (base, snapshot);
  read_annotations (base, snapshot);
  return (VkResticPoint *) g_steal_pointer (&base);
}

/* --- all of them ---------------------------------------------------------- */

/* One snapshot for the threads that read them. */
struct slot
{
  const VkSnapshot *snapshot;
  VkResticPoint *point;
  GError *failure;
};

struct list
{
  VkResticStore *store;
  GCancellable *cancellable;
};

/* Runs on the threads of the pool. */
static void
run (gpointer data, gpointer user_data)
{
  struct slot *slot = data;
  struct list *list = user_data;

  slot->point = vk_restic_read_point (list->store, slot->snapshot, list->cancellable, &slot->failure);
}

/* Whether the snapshot may be a point of what the user calls domain.  One that
 * cannot be read may be anybody's: it is shown among all.  Where somebody has taken
 * the tags away, the manifest tells. */
static gboolean
is_candidate (const VkSnapshot *snapshot, const char *domain)
{
  if (snapshot->damage != NULL)
    return domain == NULL;
  return vk_snapshot_has_tag (snapshot, VK_RESTIC_TAG)
      && (domain == NULL || find_uuid (snapshot) == NULL || vk_snapshot_has_tag (snapshot, domain));
}

static gboolean
is_of_domain (const VkPoint *point, const VkSnapshot *snapshot, const char *domain)
{
  if (domain == NULL)
    return TRUE;
  if (point->manifest != NULL)
    return strcmp (point->manifest->domain_name, domain) == 0 || strcmp (point->manifest->domain_uuid, domain) == 0;
  return vk_snapshot_has_tag (snapshot, domain);
}

/* Takes the points that are wanted.  FALSE with the first failure. */
static gboolean
collect (GArray *slots, const char *domain, GPtrArray *points, GError **error)
{
  gboolean ok = TRUE;

  for (guint i = 0; i < slots->len; i++)
    {
      struct slot *slot = &g_array_index (slots, struct slot, i);
      g_autoptr (VkPoint) point = (VkPoint *) slot->point;

      if (slot->failure != NULL && ok)
        {
          g_propagate_error (error, g_steal_pointer (&slot->failure));
          ok = FALSE;
        }
      g_clear_error (&slot->failure);
      if (ok && is_of_domain (point, slot->snapshot, domain))
        g_ptr_array_add (points, g_steal_pointer (&point));
    }
  return ok;
}

static const char *
uuid_of (const VkPoint *point)
{
  return point->manifest ? point->manifest->domain_uuid : point->domain;
}

/* A domain's points follow each other, oldest first. */
static int
compare (gconstpointer a, gconstpointer b)
{
  const VkPoint *one = *(const VkPoint *const *) a;
  const VkPoint *other = *(const VkPoint *const *) b;
  int order = strcmp (one->domain, other->domain);

  if (order == 0)
    order = strcmp (uuid_of (one), uuid_of (other));
  return order ? order : strcmp (one->id, other->id);
}

static gboolean
read_points (struct list *list, GArray *slots, GError **error)
{
  guint threads = MAX (vk_restic_backend (list->store->repo)->parallel, 1);
  GThreadPool *pool = g_thread_pool_new (run, list, (gint) threads, FALSE, error);

  if (pool == NULL)
    return FALSE;
  for (guint i = 0; i < slots->len; i++)
    g_thread_pool_push (pool, &g_array_index (slots, struct slot, i), NULL);
  g_thread_pool_free (pool, FALSE, TRUE);
  return TRUE;
}

/* Forgets the manifests of points that are gone. */
static void
sweep_manifests (VkResticStore *store, const GPtrArray *snapshots)
{
  g_autoptr (GHashTable) trees = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < snapshots->len; i++)
    g_hash_table_add (trees, vk_restic_id_to_string (&((const VkSnapshot *) g_ptr_array_index (snapshots, i))->tree));
  vk_host_cache_sweep (store->manifests, trees);
}

static GPtrArray *
list_once (struct list *list, const char *domain, GError **error)
{
  g_autoptr (GPtrArray) snapshots = vk_snapshot_list (list->store->repo, list->cancellable, error);
  g_autoptr (GPtrArray) points = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_point_free);
  g_autoptr (GArray) slots = g_array_new (FALSE, FALSE, sizeof (struct slot));

  if (snapshots == NULL)
    return NULL;
  for (guint i = 0; i < snapshots->len; i++)
    {
      struct slot slot = { .snapshot = g_ptr_array_index (snapshots, i) };

      if (is_candidate (slot.snapshot, domain))
        g_array_append_val (slots, slot);
    }
  /* After the snapshots: the index is to know all that they are made of. */
  if (slots->len > 0 && !vk_restic_load_index (list->store->repo, list->cancellable, error))
    return NULL;
  if (!read_points (list, slots, error) || !collect (slots, domain, points, error))
    return NULL;
  sweep_manifests (list->store, snapshots);
  vk_restic_apply_verdicts (points, snapshots);
  g_ptr_array_sort (points, compare);
  return g_steal_pointer (&points);
}

static gboolean
any_is_damaged (const GPtrArray *points)
{
  for (guint i = 0; i < points->len; i++)
    if (((const VkPoint *) g_ptr_array_index (points, i))->damage != NULL)
      return TRUE;
  return FALSE;
}

GPtrArray *
vk_restic_list (VkResticStore *store, const char *domain, GCancellable *cancellable, GError **error)
{
  struct list list = { store, cancellable };
  GPtrArray *points = list_once (&list, domain, error);
  VkResticLock *lock;

  if (points == NULL || !any_is_damaged (points))
    return points;
  /* A prune may just have moved what they are made of: look again while there
   * can be none. */
  g_ptr_array_unref (points);
  lock = vk_restic_store_lock (store, cancellable, error);
  if (lock == NULL || !vk_restic_lock_check (lock, error))
    return NULL;
  return list_once (&list, domain, error);
}
