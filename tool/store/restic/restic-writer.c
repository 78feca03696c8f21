/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/restic-writer.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "store/domain-lock.h"
#include "store/restic/file-save.h"
#include "store/restic/manifest-cache.h"
#include "store/restic/restic-sink.h"

typedef struct
{
  VkPointWriter base;
  VkResticStore *store;
  VkResticLock *lock;     /* (transfer none) the store's */
  VkDomainLock *guard;    /* of the domain, on this host */
  char *domain_name;
  char *domain_uuid;
  GPtrArray *points;      /* of VkPoint: the domain's, oldest first */
  char *time;             /* the id as restic has times */
  char *parent;           /* the snapshot that the disks build on, or NULL */
  GCancellable *stop;     /* of the saver */
  GCancellable *cancellable;
  gulong forward;
  VkResticSaver *saver;   /* NULL until opened */
  GPtrArray *disks;       /* of VkResticDisk */
  GPtrArray *files;       /* of struct file: what the root directory consists of */
} ResticWriter;

struct file
{
  VkTreeNode *node;
  guint64 bytes; /* sum of the lengths of its blobs */
};

static void
file_free (struct file *file)
{
  vk_tree_node_free (file->node);
  g_free (file);
}

static void
add_node (ResticWriter *writer, const char *name, guint64 size, VkContent *content, guint64 bytes)
{
  struct file *file = g_new (struct file, 1);

  file->node = vk_tree_node_new_file (name, size, writer->time, content);
  file->bytes = bytes;
  g_ptr_array_add (writer->files, file);
}

static void
disk_free (VkResticDisk *disk)
{
  g_free (disk->target);
  vk_content_unref (disk->base);
  vk_content_unref (disk->content);
  g_free (disk);
}

static char *
image_name (const char *target)
{
  return g_strdup_printf ("%s.raw", target);
}

/* --- opening ---------------------------------------------------------------- */

static gboolean
restic_open (VkPointWriter *base, gboolean qemu_writes, GError **error)
{
  ResticWriter *writer = (ResticWriter *) base;
  VkResticSaverOptions options = { .lock = writer->lock, .pack_size = writer->store->pack_size, .level = writer->store->compression };

  /* What a killed writer has left are packs that nothing refers to: `restic
   * prune' removes them. */
  if (!vk_restic_load_index (writer->store->repo, writer->stop, error))
    return FALSE;
  writer->saver = vk_restic_saver_new (writer->store->repo, &options, writer->stop);
  return TRUE;
}

/* --- disks ------------------------------------------------------------------ */

/* The chunk size that the disk has had so far, or one for a new disk. */
static guint64
choose_chunk_size (const ResticWriter *writer, const char *target, guint64 size)
{
  for (guint i = writer->points->len; i > 0; i--)
    {
      const VkPoint *point = g_ptr_array_index (writer->points, i - 1);
      const VkManifestDisk *disk = point->manifest ? vk_manifest_find_disk (point->manifest, target) : NULL;

      if (disk != NULL && disk->chunk_size > 0)
        return disk->chunk_size;
    }
  return vk_chunks_choose_size (size);
}

/* from has been checked, under the lock: vk_restic_check_base(). */
static gboolean
load_base (ResticWriter *writer, VkResticDisk *disk, const VkPoint *from, GError **error)
{
  const VkResticPoint *point = (const VkResticPoint *) from;
  const VkManifestDisk *entry = vk_manifest_find_disk (from->manifest, disk->target);
  g_autoptr (GPtrArray) nodes = vk_restic_store_nodes (writer->store, &point->tree, writer->stop, error);
  const VkTreeNode *node = nodes ? vk_restic_find_file (nodes, entry->image, entry->virtual_size, error) : NULL;

  if (node == NULL)
    return FALSE;
  disk->base = node->content ? vk_content_ref (node->content) : vk_content_new ();
  g_free (writer->parent);
  writer->parent = vk_restic_id_to_string (&point->snapshot);
  return TRUE;
}

static VkSink *
restic_open_sink (VkPointWriter *base, const char *target, guint64 size, const VkPoint *from, const char *secret, const char *socket_dir, GError **error)
{
  ResticWriter *writer = (ResticWriter *) base;
  VkResticDisk *disk = g_new0 (VkResticDisk, 1);

  g_ptr_array_add (writer->disks, disk);
  disk->target = g_strdup (target);
  vk_chunks_init (&disk->chunks, size, choose_chunk_size (writer, target, size));
  if (from != NULL && !load_base (writer, disk, from, error))
    return NULL;
  return vk_restic_sink_new (disk, writer->saver, writer->stop);
}

/* What the disks build on is part of what they consist of now: a million chunks take
 * 32 MB, and the tree that is written next more. */
static gboolean
restic_close_sinks (VkPointWriter *base, GError **error)
{
  ResticWriter *writer = (ResticWriter *) base;

  for (guint i = 0; i < writer->disks->len; i++)
    {
      VkResticDisk *disk = g_ptr_array_index (writer->disks, i);

      vk_content_unref (disk->base);
      disk->base = NULL;
    }
  vk_restic_store_forget_nodes (writer->store);
  vk_restic_saver_shrink (writer->saver);
  return TRUE;
}

static VkResticDisk *
find_disk (const ResticWriter *writer, const char *target)
{
  for (guint i = 0; i < writer->disks->len; i++)
    {
      VkResticDisk *disk = g_ptr_array_index (writer->disks, i);

      if (strcmp (disk->target, target) == 0)
        return disk;
    }
  g_assert_not_reached ();
}

static gboolean
restic_seal_disk (VkPointWriter *base, VkManifestDisk *entry, GCancellable *cancellable, GError **error)
{
  const VkResticDisk *disk = find_disk ((const ResticWriter *) base, entry->target);

  entry->image = image_name (disk->target);
  entry->size = disk->chunks.size;
  entry->chunk_size = disk->chunks.chunk_size;
  entry->bytes_added = disk->bytes_added;
  entry->content_sha256 = vk_content_digest (disk->content);
  return TRUE;
}

/* --- other files ------------------------------------------------------------ */

static gboolean
add_saved (ResticWriter *writer, VkSavedFile *saved, const char *name, VkManifestFile *file)
{
  add_node (writer, name, saved->size, saved->content, saved->size);
  if (file != NULL)
    {
      file->name = g_strdup (name);
      file->size = saved->size;
      file->sha256 = g_steal_pointer (&saved->sha256);
    }
  vk_saved_file_clear (saved);
  return TRUE;
}

static gboolean
restic_add_file (VkPointWriter *base, const char *name, const char *content, VkManifestFile *file, GError **error)
{
  ResticWriter *writer = (ResticWriter *) base;
  VkSavedFile saved;

  return vk_file_save_data (writer->saver, content, strlen (content), &saved, error) && add_saved (writer, &saved, name, file);
}

static gboolean
restic_copy_file (VkPointWriter *base, const char *name, const char *from_path, VkManifestFile *file, GError **error)
{
  ResticWriter *writer = (ResticWriter *) base;
  VkSavedFile saved;

  return vk_file_save_copy (writer->saver, from_path, &saved, error) && add_saved (writer, &saved, name, file);
}

/* --- commit ----------------------------------------------------------------- */

static char *
format_manifest (const VkManifest *manifest)
{
  g_autoptr (JsonObject) object = vk_manifest_to_json (manifest);
  g_autofree char *json = vk_json_to_string (object, TRUE);

  return g_strconcat (json, "\n", NULL);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(const struct file *const *) a)->node->name, (*(const struct file *const *) b)->node->name);
}

static gboolean
save_tree (ResticWriter *writer, VkResticId *id, GError **error)
{
  g_autoptr (VkTreeWriter) tree = vk_tree_writer_new ();

  for (guint i = 0; i < writer->disks->len; i++)
    {
      const VkResticDisk *disk = g_ptr_array_index (writer->disks, i);
      g_autofree char *name = image_name (disk->target);

      add_node (writer, name, disk->chunks.size, disk->content, disk->content_bytes);
    }
  g_ptr_array_sort (writer->files, compare_names);
  for (guint i = 0; i < writer->files->len; i++)
    {
      const struct file *file = g_ptr_array_index (writer->files, i);

      if (!vk_tree_writer_add (tree, file->node, file->bytes, error))
        return FALSE;
    }
  return vk_tree_writer_finish (tree, writer->saver, id, error);
}

/* What people see in `restic snapshots', and what restic groups by: a domain is a
 * path of its own. */
static VkSnapshot *
describe (const ResticWriter *writer, const VkManifest *manifest)
{
  const char *tags[] = { VK_RESTIC_TAG, writer->domain_name, writer->domain_uuid, manifest->level, NULL };
  g_autofree char *path = g_strconcat ("/", writer->domain_name, NULL);
  VkSnapshot *snapshot = vk_snapshot_new_own (writer->time, manifest->host, path, tags);

  snapshot->parent = g_strdup (writer->parent);
  return snapshot;
}

static gboolean
restic_commit (VkPointWriter *base, const VkManifest *manifest, GError **error)
{
  ResticWriter *writer = (ResticWriter *) base;
  VkResticStore *store = writer->store;
  g_autoptr (VkSnapshot) snapshot = describe (writer, manifest);
  g_autofree char *text = format_manifest (manifest);
  VkResticId id;

  /* Packs, then the index, then the snapshot: with that the point is there. */
  if (!restic_add_file (base, VK_RESTIC_MANIFEST, text, NULL, error)
      || !save_tree (writer, &snapshot->tree, error)
      || !vk_restic_saver_flush (writer->saver, error)
      || !vk_snapshot_save (store->repo, writer->lock, snapshot, &id, writer->stop, error))
    return FALSE;
  vk_manifest_cache_put (store->manifests, vk_restic_crypto (store->repo), &snapshot->tree, text);
  return TRUE;
}

/* --- making and freeing ------------------------------------------------------ */

static void
restic_writer_free (VkPointWriter *base)
{
  ResticWriter *writer = (ResticWriter *) base;

  g_cancellable_disconnect (writer->cancellable, writer->forward);
  g_clear_object (&writer->cancellable);
  vk_restic_saver_free (writer->saver);
  g_clear_pointer (&writer->guard, vk_domain_lock_release);
  g_clear_pointer (&writer->points, g_ptr_array_unref);
  g_ptr_array_unref (writer->disks);
  g_ptr_array_unref (writer->files);
  g_object_unref (writer->stop);
  g_free (writer->base.id);
  g_free (writer->domain_name);
  g_free (writer->domain_uuid);
  g_free (writer->time);
  g_free (writer->parent);
  g_free (writer);
}

static const VkPointWriterOps restic_writer_ops = {
  .open = restic_open,
  .open_sink = restic_open_sink,
  .close_sinks = restic_close_sinks,
  .seal_disk = restic_seal_disk,
  .add_file = restic_add_file,
  .copy_file = restic_copy_file,
  .commit = restic_commit,
  .free = restic_writer_free,
};

static void
forward_cancel (GCancellable *cancellable, gpointer user_data)
{
  g_cancellable_cancel (user_data);
}

/* Two backups of one domain from this host; for those of two hosts libvirt has a
 * lock of its own, the backup job. */
char *
vk_restic_lock_directory (VkStore *base, const char *domain_name, const char *domain_uuid, GError **error)
{
  return g_build_filename (g_get_user_cache_dir (), "virt-keep", "restic", vk_restic_repo_id (((VkResticStore *) base)->repo), domain_uuid, NULL);
}

static gboolean
choose_id (ResticWriter *writer, GError **error)
{
  const VkPoint *newest = writer->points->len > 0 ? g_ptr_array_index (writer->points, writer->points->len - 1) : NULL;
  g_autoptr (GDateTime) time = NULL;

  writer->base.id = vk_point_new_id (newest ? newest->id : NULL, error);
  if (writer->base.id == NULL)
    return FALSE;
  time = g_date_time_new_from_iso8601 (writer->base.id, NULL);
  writer->time = g_date_time_format (time, "%Y-%m-%dT%H:%M:%SZ");
  return TRUE;
}

/* The lock comes first: from then on nothing that the points refer to goes away,
 * and what was known of the index before may have.  Nothing is written before
 * vk_restic_lock_check(). */
static gboolean
begin (ResticWriter *writer, GError **error)
{
  writer->guard = vk_store_lock_domain (&writer->store->base, writer->domain_name, writer->domain_uuid, error);
  if (writer->guard == NULL)
    return FALSE;
  writer->lock = vk_restic_store_lock_early (writer->store, writer->stop, error);
  if (writer->lock == NULL)
    return FALSE;
  vk_restic_forget_index (writer->store->repo);
  writer->points = vk_restic_list (writer->store, writer->domain_uuid, writer->stop, error);
  return writer->points != NULL && choose_id (writer, error);
}

VkPointWriter *
vk_restic_writer_new (VkResticStore *store, const char *domain_name, const char *domain_uuid, GCancellable *cancellable, GError **error)
{
  ResticWriter *writer = g_new0 (ResticWriter, 1);
  g_autoptr (VkPointWriter) base = &writer->base;

  writer->base.ops = &restic_writer_ops;
  writer->store = store;
  writer->domain_name = g_strdup (domain_name);
  writer->domain_uuid = g_strdup (domain_uuid);
  writer->disks = g_ptr_array_new_with_free_func ((GDestroyNotify) disk_free);
  writer->files = g_ptr_array_new_with_free_func ((GDestroyNotify) file_free);
  writer->stop = g_cancellable_new ();
  if (cancellable != NULL)
    {
      writer->cancellable = g_object_ref (cancellable);
      writer->forward = g_cancellable_connect (cancellable, G_CALLBACK (forward_cancel), writer->stop, NULL);
    }
  return begin (writer, error) ? g_steal_pointer (&base) : NULL;
}
