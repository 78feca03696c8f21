/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/restic-verdict.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "store/restic/file-save.h"

/* --- whose verdict it is ---------------------------------------------------- */

/* "UUID ID": names and times alone may be shared by domains.  Returns: (transfer full). */
static char *
key_of_point (const VkPoint *point)
{
  return g_strdup_printf ("%s %s", point->manifest ? point->manifest->domain_uuid : point->domain, point->id);
}

/* The same of the point that the verdict is of; NULL for another snapshot. */
static char *
key_of_verdict (const VkSnapshot *snapshot)
{
  const char *uuid = NULL, *id = NULL;

  if (!vk_snapshot_has_tag (snapshot, VK_RESTIC_TAG_VERDICT) || vk_snapshot_has_tag (snapshot, VK_RESTIC_TAG))
    return NULL;
  for (char **tag = snapshot->tags; *tag != NULL; tag++)
    if (g_uuid_string_is_valid (*tag))
      uuid = *tag;
    else if (g_str_has_prefix (*tag, VK_RESTIC_TAG_OF))
      id = *tag + strlen (VK_RESTIC_TAG_OF);
  return uuid != NULL && id != NULL ? g_strdup_printf ("%s %s", uuid, id) : NULL;
}

static VkVerdict *
verdict_of_tag (const char *tag)
{
  if (g_str_has_prefix (tag, VK_RESTIC_TAG_PROVEN))
    return vk_verdict_from_line (tag + strlen (VK_RESTIC_TAG_PROVEN), TRUE);
  if (g_str_has_prefix (tag, VK_RESTIC_TAG_NOT_PROVEN))
    return vk_verdict_from_line (tag + strlen (VK_RESTIC_TAG_NOT_PROVEN), FALSE);
  return NULL;
}

VkVerdict *
vk_restic_read_verdict (const VkSnapshot *snapshot)
{
  VkVerdict *verdict = NULL;

  for (char **tag = snapshot->tags; verdict == NULL && tag != NULL && *tag != NULL; tag++)
    verdict = verdict_of_tag (*tag);
  return verdict;
}

/* --- the newest ------------------------------------------------------------- */

/* Key -> VkSnapshot (transfer none): the newest of each point. */
static GHashTable *
find_newest (const GPtrArray *snapshots)
{
  GHashTable *newest = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < snapshots->len; i++)
    {
      VkSnapshot *snapshot = g_ptr_array_index (snapshots, i);
      char *key = key_of_verdict (snapshot);

      if (key != NULL)
        g_hash_table_replace (newest, key, snapshot);
    }
  return newest;
}

static const VkSnapshot *
find_of_point (GHashTable *newest, const VkPoint *point)
{
  g_autofree char *key = key_of_point (point);

  return g_hash_table_lookup (newest, key);
}

void
vk_restic_apply_verdicts (const GPtrArray *points, const GPtrArray *snapshots)
{
  g_autoptr (GHashTable) newest = find_newest (snapshots);

  for (guint i = 0; i < points->len; i++)
    {
      VkPoint *point = g_ptr_array_index (points, i);
      const VkSnapshot *snapshot = find_of_point (newest, point);
      VkVerdict *verdict = snapshot ? vk_restic_read_verdict (snapshot) : NULL;

      if (verdict == NULL)
        continue;
      /* One in the tags of the point itself has been there before. */
      vk_verdict_free (point->verdict);
      point->verdict = verdict;
    }
}

void
vk_restic_add_verdicts_of (const GPtrArray *points, const GPtrArray *snapshots, GPtrArray *ids)
{
  g_autoptr (GHashTable) newest = find_newest (snapshots);

  for (guint i = 0; i < points->len; i++)
    {
      const VkSnapshot *snapshot = find_of_point (newest, g_ptr_array_index (points, i));

      if (snapshot != NULL)
        g_ptr_array_add (ids, vk_restic_id_to_string (&snapshot->id));
    }
}

/* --- those that tell nothing any more --------------------------------------- */

/* Returns: (transfer full) the keys of points. */
static GHashTable *
keys_of_points (const GPtrArray *points)
{
  GHashTable *keys = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < points->len; i++)
    g_hash_table_add (keys, key_of_point (g_ptr_array_index (points, i)));
  return keys;
}

static gboolean
any_is_damaged (const GPtrArray *snapshots)
{
  for (guint i = 0; i < snapshots->len; i++)
    if (((const VkSnapshot *) g_ptr_array_index (snapshots, i))->damage != NULL)
      return TRUE;
  return FALSE;
}

void
vk_restic_add_idle_verdicts (const GPtrArray *points, const GPtrArray *gone, const GPtrArray *snapshots, GPtrArray *ids)
{
  g_autoptr (GHashTable) newest = find_newest (snapshots);
  g_autoptr (GHashTable) there = keys_of_points (points);
  g_autoptr (GHashTable) leaving = keys_of_points (gone);
  gboolean may_hide = any_is_damaged (snapshots);

  for (guint i = 0; i < snapshots->len; i++)
    {
      const VkSnapshot *snapshot = g_ptr_array_index (snapshots, i);
      g_autofree char *key = key_of_verdict (snapshot);

      if (key != NULL
          && (g_hash_table_lookup (newest, key) != snapshot || g_hash_table_contains (leaving, key) || (!may_hide && !g_hash_table_contains (there, key))))
        g_ptr_array_add (ids, vk_restic_id_to_string (&snapshot->id));
    }
}

/* --- recording -------------------------------------------------------------- */

/* What people and other programs find in VK_RESTIC_VERDICT.  Returns: (transfer full). */
static char *
describe (const VkPoint *point, const VkVerdict *verdict)
{
  g_autoptr (JsonObject) object = json_object_new ();
  g_autofree char *name = vk_point_name (point);
  g_autofree char *json = NULL;

  vk_json_set_string (object, "point", name);
  vk_json_set_string (object, "domain_uuid", point->manifest->domain_uuid);
  json_object_set_object_member (object, "verdict", vk_verdict_to_json (verdict));
  json = vk_json_to_string (object, TRUE);
  return g_strconcat (json, "\n", NULL);
}

static gboolean
add_file (VkTreeWriter *tree, VkResticSaver *saver, const char *name, const char *time, const void *data, gsize length, GError **error)
{
  g_autoptr (VkTreeNode) node = NULL;
  VkSavedFile saved;

  if (!vk_file_save_data (saver, data, length, &saved, error))
    return FALSE;
  node = vk_tree_node_new_file (name, saved.size, time, saved.content);
  vk_saved_file_clear (&saved);
  return vk_tree_writer_add (tree, node, length, error);
}

/* In the order of their names, as a tree has to have them. */
static gboolean
save_tree (VkResticSaver *saver, const char *time, const char *text, GBytes *screenshot, VkResticId *id, GError **error)
{
  g_autoptr (VkTreeWriter) tree = vk_tree_writer_new ();

  return (screenshot == NULL || add_file (tree, saver, VK_RESTIC_SCREENSHOT, time, g_bytes_get_data (screenshot, NULL), g_bytes_get_size (screenshot), error))
      && add_file (tree, saver, VK_RESTIC_VERDICT, time, text, strlen (text), error)
      && vk_tree_writer_finish (tree, saver, id, error)
      && vk_restic_saver_flush (saver, error);
}

/* A path of its own: restic does not count it among the points of the domain. */
static VkSnapshot *
make_snapshot (const VkPoint *point, const VkVerdict *verdict, const char *time)
{
  const VkManifest *manifest = point->manifest;
  g_autofree char *line = vk_verdict_to_line (verdict);
  g_autofree char *of = g_strconcat (VK_RESTIC_TAG_OF, point->id, NULL);
  g_autofree char *found = g_strconcat (verdict->proven ? VK_RESTIC_TAG_PROVEN : VK_RESTIC_TAG_NOT_PROVEN, line, NULL);
  g_autofree char *path = g_strconcat ("/" VK_RESTIC_TAG_VERDICT "/", manifest->domain_name, NULL);
  const char *tags[] = { VK_RESTIC_TAG_VERDICT, manifest->domain_uuid, of, found, NULL };

  return vk_snapshot_new_own (time, manifest->host, path, tags);
}

/* The store has been locked: the point stays. */
static gboolean
is_there (VkResticStore *store, const VkPoint *point, GError **error)
{
  g_autoptr (GPtrArray) points = vk_restic_list (store, point->manifest->domain_uuid, NULL, error);
  g_autoptr (GHashTable) there = points ? keys_of_points (points) : NULL;
  g_autofree char *key = key_of_point (point);
  g_autofree char *name = vk_point_name (point);

  if (there == NULL || g_hash_table_contains (there, key))
    return there != NULL;
  return vk_fail (error, VK_ERROR_NOT_FOUND, "the restore point '%s' has been removed meanwhile", name);
}

gboolean
vk_restic_record_verdict (VkStore *base, const VkPoint *point, const VkVerdict *verdict, GBytes *screenshot, GError **error)
{
  VkResticStore *store = (VkResticStore *) base;
  VkResticLock *lock = vk_restic_store_lock (store, NULL, error);
  VkResticSaverOptions options = { .lock = lock, .pack_size = store->pack_size, .level = store->compression };
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  /* Of two in one second one is the newer. */
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%dT%H:%M:%S.%fZ");
  g_autofree char *text = describe (point, verdict);
  g_autoptr (VkSnapshot) snapshot = make_snapshot (point, verdict, time);
  g_autoptr (VkResticSaver) saver = NULL;
  VkResticId id;

  if (lock == NULL)
    return FALSE;
  /* What was known of it before the lock may have been pruned. */
  vk_restic_forget_index (store->repo);
  if (!is_there (store, point, error) || !vk_restic_load_index (store->repo, NULL, error))
    return FALSE;
  saver = vk_restic_saver_new (store->repo, &options, NULL);
  return save_tree (saver, time, text, screenshot, &snapshot->tree, error)
      && vk_snapshot_save (store->repo, lock, snapshot, &id, NULL, error);
}
