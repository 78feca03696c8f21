/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/snapshot.h"

#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "store/restic/unpacked.h"

VkSnapshot *
vk_snapshot_new (void)
{
  return g_new0 (VkSnapshot, 1);
}

VkSnapshot *
vk_snapshot_new_own (const char *time, const char *hostname, const char *path, const char *const *tags)
{
  const char *paths[] = { path, NULL };
  VkSnapshot *snapshot = vk_snapshot_new ();

  snapshot->time = g_strdup (time);
  snapshot->paths = g_strdupv ((char **) paths);
  snapshot->tags = g_strdupv ((char **) tags);
  snapshot->hostname = g_strdup (hostname ? hostname : g_get_host_name ());
  snapshot->username = g_strdup (g_get_user_name ());
  snapshot->uid = getuid ();
  snapshot->gid = getgid ();
  snapshot->program_version = g_strdup (PACKAGE_NAME " " PACKAGE_VERSION);
  return snapshot;
}

void
vk_snapshot_free (VkSnapshot *snapshot)
{
  if (snapshot == NULL)
    return;
  g_free (snapshot->damage);
  g_free (snapshot->time);
  g_free (snapshot->parent);
  g_strfreev (snapshot->paths);
  g_free (snapshot->hostname);
  g_free (snapshot->username);
  g_strfreev (snapshot->tags);
  g_free (snapshot->original);
  g_free (snapshot->program_version);
  g_free (snapshot);
}

gboolean
vk_snapshot_has_tag (const VkSnapshot *snapshot, const char *tag)
{
  return snapshot->tags != NULL && g_strv_contains ((const char *const *) snapshot->tags, tag);
}

/* --- reading -------------------------------------------------------------- */

/* The array of strings member; empty when it is missing or null, as Go writes
 * an empty one. */
static gboolean
get_strings (JsonObject *object, const char *member, char ***strings, GError **error)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (g_free);
  JsonNode *node = json_object_get_member (object, member);
  JsonArray *array = NULL;

  if (node != NULL && !JSON_NODE_HOLDS_NULL (node) && !vk_json_get_array (object, member, &array, error))
    return FALSE;
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      JsonNode *element = json_array_get_element (array, i);

      if (json_node_get_value_type (element) != G_TYPE_STRING)
        return vk_fail (error, VK_ERROR_STORE, "\"%s\" has something else in it than text", member);
      g_ptr_array_add (list, g_strdup (json_node_get_string (element)));
    }
  g_ptr_array_add (list, NULL);
  *strings = (char **) g_ptr_array_free (g_steal_pointer (&list), FALSE);
  return TRUE;
}

static gboolean
get_fields (JsonObject *object, VkSnapshot *snapshot, GError **error)
{
  g_autofree char *tree = NULL;

  if (!vk_json_get_string (object, "time", "", &snapshot->time, error)
      || !vk_json_get_string (object, "tree", "", &tree, error)
      || !vk_json_get_string (object, "parent", NULL, &snapshot->parent, error)
      || !get_strings (object, "paths", &snapshot->paths, error)
      || !vk_json_get_string (object, "hostname", "", &snapshot->hostname, error)
      || !vk_json_get_string (object, "username", "", &snapshot->username, error)
      || !vk_json_get_uint64 (object, "uid", 0, &snapshot->uid, error)
      || !vk_json_get_uint64 (object, "gid", 0, &snapshot->gid, error)
      || !get_strings (object, "tags", &snapshot->tags, error)
      || !vk_json_get_string (object, "original", NULL, &snapshot->original, error)
      || !vk_json_get_string (object, "program_version", "", &snapshot->program_version, error))
    return FALSE;
  if (vk_restic_id_parse (tree, &snapshot->tree))
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "its tree is none");
}

static gboolean
parse_time (VkSnapshot *snapshot, GError **error)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_iso8601 (snapshot->time, NULL);

  if (time == NULL)
    return vk_fail (error, VK_ERROR_STORE, "its time is none");
  snapshot->unix_us = g_date_time_to_unix (time) * G_USEC_PER_SEC + g_date_time_get_microsecond (time);
  return TRUE;
}

VkSnapshot *
vk_snapshot_parse (const void *text, gsize length, GError **error)
{
  g_autoptr (VkSnapshot) snapshot = vk_snapshot_new ();
  g_autoptr (GError) failure = NULL;
  g_autoptr (JsonObject) object = vk_json_parse_length (text, length, "its text", &failure);

  if (object != NULL && get_fields (object, snapshot, &failure) && parse_time (snapshot, &failure))
    return g_steal_pointer (&snapshot);
  g_set_error_literal (error, VK_ERROR, VK_ERROR_DAMAGED, failure->message);
  return NULL;
}

VkSnapshot *
vk_snapshot_load (VkRestic *repo, const VkResticId *id, GCancellable *cancellable, GError **error)
{
  char name[VK_RESTIC_ID_DIGITS + 1];
  g_autoptr (GBytes) text = NULL;
  VkSnapshot *snapshot;

  vk_restic_id_format (id, name);
  text = vk_unpacked_load (vk_restic_backend (repo), vk_restic_crypto (repo), VK_RESTIC_SNAPSHOT, name, VK_SNAPSHOT_LIMIT, cancellable, error);
  if (text == NULL)
    return NULL;
  snapshot = vk_snapshot_parse (g_bytes_get_data (text, NULL), g_bytes_get_size (text), error);
  if (snapshot != NULL)
    snapshot->id = *id;
  else
    g_prefix_error (error, _("the snapshot %s is damaged: "), name);
  return snapshot;
}

/* --- listing -------------------------------------------------------------- */

/* One snapshot for the threads that read them. */
struct slot
{
  VkResticId id;
  VkSnapshot *snapshot; /* NULL: it has been removed meanwhile */
  GError *failure;      /* that of the way to the repository */
};

struct list
{
  VkRestic *repo;
  GCancellable *cancellable;
};

/* Runs on the threads of the pool. */
static void
run (gpointer data, gpointer user_data)
{
  struct slot *slot = data;
  struct list *list = user_data;
  g_autoptr (GError) failure = NULL;

  slot->snapshot = vk_snapshot_load (list->repo, &slot->id, list->cancellable, &failure);
  if (slot->snapshot != NULL || g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    return;
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_DAMAGED))
    {
      slot->snapshot = vk_snapshot_new ();
      slot->snapshot->id = slot->id;
      slot->snapshot->damage = g_strdup (failure->message);
    }
  else
    slot->failure = g_steal_pointer (&failure);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const VkSnapshot *one = *(const VkSnapshot *const *) a;
  const VkSnapshot *other = *(const VkSnapshot *const *) b;

  if ((one->damage == NULL) != (other->damage == NULL))
    return one->damage ? 1 : -1;
  if (one->unix_us != other->unix_us)
    return one->unix_us < other->unix_us ? -1 : 1;
  return memcmp (one->id.bytes, other->id.bytes, sizeof one->id.bytes);
}

static gboolean
load_slots (struct list *list, struct slot *slots, guint count, GError **error)
{
  guint threads = MAX (vk_restic_backend (list->repo)->parallel, 1);
  GThreadPool *pool = g_thread_pool_new (run, list, (gint) threads, FALSE, error);

  if (pool == NULL)
    return FALSE;
  for (guint i = 0; i < count; i++)
    g_thread_pool_push (pool, &slots[i], NULL);
  g_thread_pool_free (pool, FALSE, TRUE);
  return TRUE;
}

/* Takes what the threads have read.  FALSE with the first failure. */
static gboolean
collect (struct slot *slots, guint count, GPtrArray *snapshots, GError **error)
{
  g_autoptr (GError) first = NULL;

  for (guint i = 0; i < count; i++)
    {
      if (slots[i].snapshot != NULL)
        g_ptr_array_add (snapshots, slots[i].snapshot);
      if (first == NULL)
        first = g_steal_pointer (&slots[i].failure);
      g_clear_error (&slots[i].failure);
    }
  if (first == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&first));
  return FALSE;
}

GPtrArray *
vk_snapshot_list (VkRestic *repo, GCancellable *cancellable, GError **error)
{
  struct list list = { repo, cancellable };
  g_autoptr (GPtrArray) entries = vk_backend_list (vk_restic_backend (repo), VK_RESTIC_SNAPSHOT, cancellable, error);
  g_autoptr (GPtrArray) snapshots = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_snapshot_free);
  g_autofree struct slot *slots = NULL;

  if (entries == NULL)
    return NULL;
  slots = g_new0 (struct slot, entries->len);
  for (guint i = 0; i < entries->len; i++)
    vk_restic_id_parse (((const VkBackendEntry *) g_ptr_array_index (entries, i))->name, &slots[i].id);
  if (!load_slots (&list, slots, entries->len, error) || !collect (slots, entries->len, snapshots, error))
    return NULL;
  g_ptr_array_sort (snapshots, compare);
  return g_steal_pointer (&snapshots);
}

/* --- writing -------------------------------------------------------------- */

static void
set_strings (JsonObject *object, const char *member, char **strings)
{
  for (char **string = strings; string != NULL && *string != NULL; string++)
    vk_json_append_string (object, member, *string);
}

static void
set_optional (JsonObject *object, const char *member, const char *value)
{
  if (value != NULL && *value != '\0')
    vk_json_set_string (object, member, value);
}

/* Returns: (transfer full). */
static char *
write_json (const VkSnapshot *snapshot)
{
  g_autoptr (JsonObject) object = json_object_new ();
  char tree[VK_RESTIC_ID_DIGITS + 1];

  vk_restic_id_format (&snapshot->tree, tree);
  json_object_set_string_member (object, "time", snapshot->time);
  set_optional (object, "parent", snapshot->parent);
  json_object_set_string_member (object, "tree", tree);
  set_strings (object, "paths", snapshot->paths);
  set_optional (object, "hostname", snapshot->hostname);
  set_optional (object, "username", snapshot->username);
  json_object_set_int_member (object, "uid", (gint64) snapshot->uid);
  json_object_set_int_member (object, "gid", (gint64) snapshot->gid);
  set_strings (object, "tags", snapshot->tags);
  set_optional (object, "original", snapshot->original);
  set_optional (object, "program_version", snapshot->program_version);
  return vk_json_to_string (object, FALSE);
}

gboolean
vk_snapshot_save (VkRestic *repo, VkResticLock *lock, const VkSnapshot *snapshot, VkResticId *id, GCancellable *cancellable, GError **error)
{
  g_autofree char *json = write_json (snapshot);

  return (lock == NULL || vk_restic_lock_check (lock, error))
      && vk_unpacked_save (vk_restic_backend (repo), vk_restic_crypto (repo), VK_RESTIC_SNAPSHOT, json, strlen (json), id, NULL, cancellable, error);
}

gboolean
vk_snapshot_remove (VkRestic *repo, const VkResticId *id, GCancellable *cancellable, GError **error)
{
  char name[VK_RESTIC_ID_DIGITS + 1];

  vk_restic_id_format (id, name);
  return vk_backend_remove (vk_restic_backend (repo), VK_RESTIC_SNAPSHOT, name, cancellable, error);
}
