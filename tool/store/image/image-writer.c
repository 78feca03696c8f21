/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing one restore point of an image store. */
#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file-digest.h"
#include "base/files.h"
#include "base/json.h"
#include "base/writeback.h"
#include "store/domain-lock.h"
#include "store/image/image-layout.h"
#include "store/image/image-merge.h"
#include "transfer/nbd-sink.h"
#include "view/nbd-server.h"
#include "view/qcow2-header.h"
#include "view/qemu-img.h"

/* qemu-nbd writes one image on one thread: with four connections it took a
 * fifth more processor time for the same copy. */
enum { SINK_CONNECTIONS = 1 };

typedef struct
{
  VkPointWriter base;
  char *point;         /* where the finished point will be */
  char *partial;       /* where it grows; exists once opened */
  VkDomainLock *lock;
  gboolean opened;
  gboolean committed;
  GPtrArray *servers;  /* of VkNbdServer, one for each open sink */
  VkWriteback *writeback; /* of the images, once opened */
} ImageWriter;

static char *
image_name (const char *disk)
{
  return g_strdup_printf ("%s.qcow2", disk);
}

static char *
partial_path (const ImageWriter *writer, const char *name)
{
  return g_build_filename (writer->partial, name, NULL);
}

static gboolean
image_open (VkPointWriter *base, gboolean qemu_writes, GError **error)
{
  ImageWriter *writer = (ImageWriter *) base;

  if (!vk_image_recover (base->directory, error))
    return FALSE;
  if (g_mkdir (writer->partial, VK_IMAGE_POINT_MODE) < 0
      || (qemu_writes && g_chmod (writer->partial, VK_IMAGE_DIRECTORY_MODE) < 0))
    return vk_fail (error, VK_ERROR_STORE, "cannot create the directory '%s': %s", writer->partial, g_strerror (errno));
  writer->opened = TRUE;
  writer->writeback = vk_writeback_new ();
  return TRUE;
}

static char *
image_push_target (VkPointWriter *base, const char *disk, guint64 size, const VkPoint *from, const char *secret, GError **error)
{
  g_autofree char *name = image_name (disk);
  g_autofree char *path = partial_path ((ImageWriter *) base, name);
  g_autofree char *backing = from ? vk_image_backing_name (from, vk_manifest_find_disk (from->manifest, disk)) : NULL;
  VkFd held = vk_qemu_img_create_held (path, size, backing, secret, error);

  if (held < 0)
    return NULL;
  vk_writeback_add (((ImageWriter *) base)->writeback, path, held);
  return g_steal_pointer (&path);
}

static VkSink *
image_open_sink (VkPointWriter *base, const char *disk, guint64 size, const VkPoint *from, const char *secret, const char *socket_dir, GError **error)
{
  ImageWriter *writer = (ImageWriter *) base;
  g_autofree char *path = image_push_target (base, disk, size, from, secret, error);
  g_autoptr (GPtrArray) below = NULL;
  VkNbdServer *server;

  if (path == NULL)
    return NULL;
  if (from != NULL)
    {
      below = vk_image_chain (from, disk, NULL, error);
      if (below == NULL)
        return NULL;
    }
  server = vk_nbd_server_write (path, below ? (const char *const *) below->pdata : NULL, secret, socket_dir, error);
  if (server == NULL)
    return NULL;
  g_ptr_array_add (writer->servers, server);
  return vk_nbd_sink_new (vk_nbd_server_uri (server), path, size, SINK_CONNECTIONS, from == NULL, error);
}

/* The image has been written on top of base's.  Everything that changed since
 * the full image below lies in it or in the images between the two, which are
 * in the store: the guest is not asked, and needs no second bitmap for it. */
static gboolean
image_rebase_disk (VkPointWriter *base, const char *disk, const VkPoint *from, char **onto, GCancellable *cancellable, GError **error)
{
  g_autofree char *name = image_name (disk);
  g_autofree char *path = partial_path ((ImageWriter *) base, name);
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GPtrArray) chain = vk_image_chain (from, disk, &points, error);
  g_autofree char *backing = NULL;
  const VkPoint *full;

  if (chain == NULL)
    return FALSE;
  full = g_ptr_array_index (points, points->len - 1);
  *onto = g_strdup (full->id);
  backing = vk_image_backing_name (full, vk_manifest_find_disk (full->manifest, disk));
  return points->len == 1 || vk_qemu_img_rebase (path, backing, cancellable, error);
}

static gboolean
image_close_sinks (VkPointWriter *base, GError **error)
{
  ImageWriter *writer = (ImageWriter *) base;

  for (guint i = 0; i < writer->servers->len; i++)
    if (!vk_nbd_server_stop (g_ptr_array_index (writer->servers, i), error))
      return FALSE;
  g_ptr_array_set_size (writer->servers, 0);
  return TRUE;
}

typedef struct
{
  VkWriteback *writeback;
  const char *path;
  GError *error;
} SyncTask;

static gpointer
sync_image (gpointer data)
{
  SyncTask *task = data;

  /* QEMU closes an image without a word about what its fsync(2) says then.  What has been held
   * open since before it wrote is told the same. */
  vk_writeback_sync (task->writeback, task->path, &task->error);
  return NULL;
}

/* Nothing of an encrypted disk is kept that is not encrypted. */
static gboolean
check_encrypted (const char *path, const char *secret, GError **error)
{
  VkQcow2Header header;

  if (secret == NULL)
    return TRUE;
  if (!vk_qcow2_header_read (path, &header, error))
    return FALSE;
  if (!header.is_luks)
    vk_fail (error, VK_ERROR_STORE, "the image '%s' of an encrypted disk is not encrypted: it is not kept", path);
  return header.is_luks;
}

/* The disk writes while the processor hashes. */
static gboolean
image_seal_disk (VkPointWriter *base, VkManifestDisk *disk, GCancellable *cancellable, GError **error)
{
  g_autofree char *name = image_name (disk->target);
  g_autofree char *path = partial_path ((ImageWriter *) base, name);
  SyncTask task = { .writeback = ((ImageWriter *) base)->writeback, .path = path };
  GThread *thread;

  if (!check_encrypted (path, disk->secret, error))
    return FALSE;
  thread = g_thread_new ("sync", sync_image, &task);
  disk->sha256 = vk_file_sha256 (path, &disk->size, cancellable, error);
  g_thread_join (thread);
  if (disk->sha256 == NULL)
    g_clear_error (&task.error);
  else if (task.error != NULL)
    g_propagate_error (error, task.error);
  else
    disk->image = g_steal_pointer (&name);
  return disk->image != NULL;
}

static gboolean
describe_file (const char *path, const char *name, VkManifestFile *file, GError **error)
{
  file->sha256 = vk_file_sha256 (path, &file->size, NULL, error);
  file->name = g_strdup (name);
  return file->sha256 != NULL;
}

static gboolean
image_add_file (VkPointWriter *base, const char *name, const char *content, VkManifestFile *file, GError **error)
{
  g_autofree char *path = partial_path ((ImageWriter *) base, name);

  return vk_file_write (path, content, strlen (content), error) && describe_file (path, name, file, error);
}

static gboolean
image_copy_file (VkPointWriter *base, const char *name, const char *from_path, VkManifestFile *file, GError **error)
{
  g_autofree char *path = partial_path ((ImageWriter *) base, name);

  return vk_file_copy (from_path, path, error) && describe_file (path, name, file, error);
}

static gboolean
image_commit (VkPointWriter *base, const VkManifest *manifest, GError **error)
{
  ImageWriter *writer = (ImageWriter *) base;
  g_autoptr (JsonObject) object = vk_manifest_to_json (manifest);
  g_autofree char *json = vk_json_to_string (object, TRUE);
  g_autofree char *text = g_strconcat (json, "\n", NULL);
  g_autofree char *path = partial_path (writer, VK_IMAGE_MANIFEST);

  if (!vk_file_write (path, text, strlen (text), error))
    return FALSE;
  if (g_chmod (writer->partial, VK_IMAGE_POINT_MODE) < 0)
    return vk_fail (error, VK_ERROR_STORE, "cannot change the mode of '%s': %s", writer->partial, g_strerror (errno));
  if (!vk_file_sync (writer->partial, error))
    return FALSE;
  /* The rename is the commit: what fails after it leaves a complete point. */
  writer->committed = vk_file_rename (writer->partial, writer->point, error);
  return writer->committed;
}

static gboolean
image_make_full (VkPointWriter *writer, const char *reason, VkManifest *manifest, GCancellable *cancellable, GError **error)
{
  return vk_image_make_full (writer->directory, writer->id, reason, manifest, cancellable, error);
}

static void
image_writer_free (VkPointWriter *base)
{
  ImageWriter *writer = (ImageWriter *) base;

  g_ptr_array_unref (writer->servers);
  g_clear_pointer (&writer->writeback, vk_writeback_free);
  if (writer->opened && !writer->committed)
    vk_tree_remove (writer->partial, NULL);
  g_clear_pointer (&writer->lock, vk_domain_lock_release);
  g_free (writer->base.id);
  g_free (writer->base.directory);
  g_free (writer->point);
  g_free (writer->partial);
  g_free (writer);
}

static const VkPointWriterOps image_writer_ops = {
  .open = image_open,
  .push_target = image_push_target,
  .open_sink = image_open_sink,
  .rebase_disk = image_rebase_disk,
  .close_sinks = image_close_sinks,
  .seal_disk = image_seal_disk,
  .add_file = image_add_file,
  .copy_file = image_copy_file,
  .commit = image_commit,
  .make_full = image_make_full,
  .free = image_writer_free,
};

static char *
choose_id (const char *directory, GError **error)
{
  g_autoptr (GPtrArray) names = vk_image_directory_names (directory, error);
  g_autoptr (GError) failure = NULL;
  const char *newest = NULL;
  char *id;

  if (names == NULL)
    return NULL;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      if (vk_image_is_point_name (name) && (newest == NULL || strcmp (name, newest) > 0))
        newest = name;
    }
  id = vk_point_new_id (newest, &failure);
  if (id == NULL)
    g_propagate_prefixed_error (error, g_steal_pointer (&failure), "%s: ", directory);
  return id;
}

VkPointWriter *
vk_image_writer_new (VkImageStore *store, const char *domain_name, const char *domain_uuid, GError **error)
{
  ImageWriter *writer = g_new0 (ImageWriter, 1);
  g_autoptr (VkPointWriter) base = &writer->base;
  g_autofree char *partial_name = NULL;

  writer->base.ops = &image_writer_ops;
  writer->servers = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_nbd_server_free);
  writer->base.directory = vk_image_lock_directory (&store->base, domain_name, domain_uuid, error);
  if (writer->base.directory == NULL)
    return NULL;
  writer->lock = vk_domain_lock_take (writer->base.directory, VK_IMAGE_DIRECTORY_MODE, domain_name, error);
  if (writer->lock == NULL)
    return NULL;
  writer->base.id = choose_id (writer->base.directory, error);
  if (writer->base.id == NULL)
    return NULL;
  partial_name = g_strconcat (VK_IMAGE_PARTIAL_PREFIX, writer->base.id, NULL);
  writer->point = g_build_filename (writer->base.directory, writer->base.id, NULL);
  writer->partial = g_build_filename (writer->base.directory, partial_name, NULL);
  return g_steal_pointer (&base);
}
