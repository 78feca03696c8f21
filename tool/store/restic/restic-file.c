/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a restore point holds, out of its snapshot. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "store/restic/chunks.h"
#include "store/restic/password.h"
#include "store/restic/restic-store.h"

/* What is copied at once, in bytes. */
enum { COPY_BYTES = 4 << 20 };

/* --- the tree ------------------------------------------------------------- */

GPtrArray *
vk_restic_store_nodes (VkResticStore *store, const VkResticId *tree, GCancellable *cancellable, GError **error)
{
  GPtrArray *nodes;

  g_mutex_lock (&store->mutex);
  if (store->nodes == NULL || !vk_restic_id_equal (tree, &store->tree))
    {
      g_clear_pointer (&store->nodes, g_ptr_array_unref);
      store->nodes = vk_tree_load (store->repo, tree, cancellable, error);
      store->tree = *tree;
    }
  nodes = store->nodes ? g_ptr_array_ref (store->nodes) : NULL;
  g_mutex_unlock (&store->mutex);
  return nodes;
}

void
vk_restic_store_forget_nodes (VkResticStore *store)
{
  g_mutex_lock (&store->mutex);
  g_clear_pointer (&store->nodes, g_ptr_array_unref);
  g_mutex_unlock (&store->mutex);
}

const VkTreeNode *
vk_restic_find_node (const GPtrArray *nodes, const char *name)
{
  for (guint i = 0; i < nodes->len; i++)
    if (strcmp (((const VkTreeNode *) g_ptr_array_index (nodes, i))->name, name) == 0)
      return g_ptr_array_index (nodes, i);
  return NULL;
}

const VkTreeNode *
vk_restic_find_file (const GPtrArray *nodes, const char *name, guint64 size, GError **error)
{
  const VkTreeNode *node = vk_restic_find_node (nodes, name);

  if (node == NULL)
    vk_fail (error, VK_ERROR_NOT_FOUND, "the snapshot has no file '%s'", name);
  else if (strcmp (node->type, "file") != 0)
    vk_fail (error, VK_ERROR_DAMAGED, "'%s' in the snapshot is no file", name);
  else if (node->size != size)
    vk_fail (error, VK_ERROR_DAMAGED, "'%s' in the snapshot has %" PRIu64 " bytes instead of %" PRIu64, name, node->size, size);
  else
    return node;
  return NULL;
}

/* Whether every chunk is listed, with the length that it must have. */
static gboolean
check_chunks (VkRestic *repo, const VkChunks *chunks, const VkContent *content, GError **error)
{
  VkChunkReader reader = { .chunks = chunks, .content = content };
  const VkResticId *id;

  while (vk_chunk_reader_next (&reader, &id))
    {
      guint64 index = reader.next - 1;
      guint32 length = 0;

      if (id == NULL || (vk_restic_blob_length (repo, VK_BLOB_DATA, id, &length) && length == vk_chunks_length (chunks, index)))
        continue;
      return vk_fail (error, VK_ERROR_NOT_FOUND, "its chunk at offset %" PRIu64 " is missing in the repository, see virt-keep verify", index * chunks->chunk_size);
    }
  if (vk_chunk_reader_at_end (&reader) && reader.next == chunks->count)
    return TRUE;
  return vk_fail (error, VK_ERROR_DAMAGED, "its chunks are not of %" PRIu64 " bytes each", chunks->chunk_size);
}

gboolean
vk_restic_check_base (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error)
{
  VkResticStore *store = (VkResticStore *) base;
  g_autoptr (GPtrArray) nodes = vk_restic_store_nodes (store, &((const VkResticPoint *) point)->tree, cancellable, error);
  const VkTreeNode *node = nodes ? vk_restic_find_file (nodes, disk->image, disk->virtual_size, error) : NULL;
  g_autoptr (VkContent) empty = NULL;
  VkChunks chunks;

  if (node == NULL)
    return FALSE;
  if (node->content == NULL)
    empty = vk_content_new ();
  vk_chunks_init (&chunks, disk->virtual_size, disk->chunk_size);
  return check_chunks (store->repo, &chunks, node->content ? node->content : empty, error);
}

VkDiskReader *
vk_restic_open_file (VkResticStore *store, const VkPoint *point, const char *name, guint64 size, guint64 chunk_size, GCancellable *cancellable, GError **error)
{
  g_autofree char *point_name = vk_point_name (point);
  g_autofree char *label = g_strdup_printf ("'%s' of %s", name, point_name);
  g_autoptr (GPtrArray) nodes = NULL;
  const VkTreeNode *node;

  /* Once it is locked nothing goes away; what came before counts. */
  if (vk_restic_store_lock (store, cancellable, error) == NULL || !vk_restic_load_index (store->repo, cancellable, error))
    return NULL;
  nodes = vk_restic_store_nodes (store, &((const VkResticPoint *) point)->tree, cancellable, error);
  node = nodes ? vk_restic_find_file (nodes, name, size, error) : NULL;
  if (node == NULL)
    {
      g_prefix_error (error, "%s: ", point_name);
      return NULL;
    }
  return vk_disk_reader_new (store->repo, label, node->content, size, chunk_size, error);
}

/* --- disks ---------------------------------------------------------------- */

/* What nbdkit has to be told about a disk, and the strings in it. */
typedef struct
{
  VkNbdResticFile file;
  char *snapshot;
  char *name;
  char *key;
} Door;

static void
door_clear (Door *door)
{
  g_free (door->snapshot);
  g_free (door->name);
  vk_restic_password_free (door->key);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Door, door_clear)

/* Takes the lock, too. */
static gboolean
describe_door (VkResticStore *store, const VkPoint *point, const VkManifestDisk *disk, Door *door, GError **error)
{
  g_autofree char *point_name = vk_point_name (point);

  door->snapshot = vk_restic_id_to_string (&((const VkResticPoint *) point)->snapshot);
  door->name = g_strdup_printf ("%s of %s", disk->target, point_name);
  door->key = vk_restic_key_to_string (vk_crypto_key (vk_restic_crypto (store->repo)));
  door->file = (VkNbdResticFile) {
    .repository = vk_restic_backend (store->repo)->restic_url,
    .master_key = door->key,
    .snapshot = door->snapshot,
    .file = disk->image,
    .chunk_size = disk->chunk_size,
  };
  return vk_restic_store_lock (store, NULL, error) != NULL;
}

VkNbdServer *
vk_restic_open_disk (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, const char *socket_dir, GError **error)
{
  g_auto (Door) door = { 0 };

  if (!describe_door ((VkResticStore *) base, point, disk, &door, error))
    return NULL;
  return vk_nbd_server_restic (&door.file, door.name, socket_dir, error);
}

/* Our own lock lasts until the door has taken one. */
VkLastingDoor *
vk_restic_open_lasting (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, const VkDoorPlace *place, GError **error)
{
  g_auto (Door) door = { 0 };

  if (!describe_door ((VkResticStore *) base, point, disk, &door, error))
    return NULL;
  return vk_lasting_door_restic (&door.file, door.name, place, error);
}

/* --- small files ---------------------------------------------------------- */

char *
vk_restic_load_file (VkStore *base, const VkPoint *point, const VkManifestFile *file, gsize limit, GError **error)
{
  g_autoptr (VkDiskReader) reader = NULL;
  g_autofree char *text = NULL;

  if (file->size > limit)
    {
      vk_fail (error, VK_ERROR_STORE, "'%s' is larger than %zu bytes", file->name, limit);
      return NULL;
    }
  reader = vk_restic_open_file ((VkResticStore *) base, point, file->name, file->size, 0, NULL, error);
  if (reader == NULL)
    return NULL;
  text = g_malloc0 (file->size + 1);
  return vk_disk_reader_read (reader, text, 0, file->size, NULL, error) ? g_steal_pointer (&text) : NULL;
}

/* --- copies --------------------------------------------------------------- */

static gboolean
set_write_error (const char *path, int number, GError **error)
{
  return vk_fail (error, VK_ERROR_STORE, "cannot write '%s': %s", path, g_strerror (number));
}

static gboolean
write_all (int fd, const guint8 *data, gsize length, guint64 offset, const char *path, GError **error)
{
  while (length > 0)
    {
      ssize_t written = pwrite (fd, data, length, (off_t) offset);

      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return set_write_error (path, errno, error);
      data += written;
      offset += (guint64) written;
      length -= (gsize) written;
    }
  return TRUE;
}

/* The data; zeros are left as holes. */
static gboolean
copy_data (VkDiskReader *reader, int fd, const char *path, GCancellable *cancellable, GError **error)
{
  guint64 size = vk_disk_map_size (vk_disk_reader_map (reader));
  g_autofree guint8 *buffer = g_malloc (COPY_BYTES);
  guint64 offset = 0;

  while (offset < size)
    {
      VkDiskState state;
      guint64 run = vk_disk_map_run (vk_disk_reader_map (reader), offset, &state);
      gsize length = (gsize) MIN (run, COPY_BYTES);

      if (state != VK_DISK_ZERO
          && (!vk_disk_reader_read (reader, buffer, offset, length, cancellable, error) || !write_all (fd, buffer, length, offset, path, error)))
        return FALSE;
      offset += state == VK_DISK_ZERO ? run : length;
    }
  return TRUE;
}

gboolean
vk_restic_copy_file (VkStore *base, const VkPoint *point, const VkManifestFile *file, const char *to_path, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkDiskReader) reader = vk_restic_open_file ((VkResticStore *) base, point, file->name, file->size, 0, cancellable, error);
  int fd;
  gboolean ok;

  if (reader == NULL)
    return FALSE;
  fd = open (to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return set_write_error (to_path, errno, error);
  ok = copy_data (reader, fd, to_path, cancellable, error);
  if (ok && (ftruncate (fd, (off_t) file->size) < 0 || fsync (fd) < 0))
    ok = set_write_error (to_path, errno, error);
  if (close (fd) < 0 && ok)
    ok = set_write_error (to_path, errno, error);
  if (!ok)
    unlink (to_path);
  return ok;
}
