/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For the bench of memory: makes the newest restore point of a restic repository one
 * whose disks have different chunks throughout, which the index lists and which are
 * not there.  A backup builds on them, as it reads none.
 *
 *   swell REPO [CHUNK-BYTES]    the password is in RESTIC_PASSWORD
 *
 * With CHUNK-BYTES the disks are in chunks of that size from then on, as if they had
 * been from the beginning. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "store/manifest.h"
#include "store/restic/index-file.h"
#include "store/restic/snapshot.h"
#include "store/restic/tree.h"

/* The chunks of a disk in packs of 16 MiB, and a stored chunk's length in bytes. */
enum { PACK_BLOBS = 16, STORED_BYTES = 1 << 20 };

static VkIndexPack *
make_pack (VkContent *content, guint64 chunk_size, guint64 count)
{
  VkIndexPack *pack = g_new0 (VkIndexPack, 1);

  vk_restic_random (&pack->id, sizeof pack->id);
  pack->blobs = g_array_new (FALSE, FALSE, sizeof (VkPackBlob));
  for (guint i = 0; i < count; i++)
    {
      VkPackBlob blob = { .offset = i * STORED_BYTES, .length = STORED_BYTES, .raw_length = (guint32) chunk_size, .type = VK_BLOB_DATA };

      vk_restic_random (&blob.id, sizeof blob.id);
      vk_content_append (content, &blob.id, 1);
      g_array_append_val (pack->blobs, blob);
    }
  return pack;
}

/* Index files for as many chunks as the disk has.  Returns: (transfer full). */
static VkContent *
invent_chunks (VkRestic *repo, const VkManifestDisk *disk, GError **error)
{
  g_autoptr (VkContent) content = vk_content_new ();
  guint64 left = disk->virtual_size / disk->chunk_size;

  while (left > 0)
    {
      g_autoptr (GPtrArray) packs = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_index_pack_free);
      gsize size;

      for (; left > 0 && packs->len < VK_INDEX_FILE_BLOBS / PACK_BLOBS; left -= MIN (left, PACK_BLOBS))
        g_ptr_array_add (packs, make_pack (content, disk->chunk_size, MIN (left, PACK_BLOBS)));
      if (!vk_index_file_save (vk_restic_backend (repo), vk_restic_crypto (repo), packs, &size, NULL, error))
        return NULL;
    }
  return g_steal_pointer (&content);
}

static VkTreeNode *
find_node (const GPtrArray *nodes, const char *name)
{
  for (guint i = 0; i < nodes->len; i++)
    if (strcmp (((VkTreeNode *) g_ptr_array_index (nodes, i))->name, name) == 0)
      return g_ptr_array_index (nodes, i);
  g_error ("the point has no %s", name);
}

static VkManifest *
load_manifest (VkRestic *repo, const VkTreeNode *node, GError **error)
{
  g_autoptr (GBytes) blob = vk_restic_load_blob (repo, VK_BLOB_DATA, vk_content_get (node->content, 0), NULL, error);
  g_autofree char *text = blob ? g_strndup (g_bytes_get_data (blob, NULL), g_bytes_get_size (blob)) : NULL;

  return text ? vk_manifest_parse (text, node->name, error) : NULL;
}

static gboolean
save_manifest (VkResticSaver *saver, const VkManifest *manifest, VkTreeNode *node, GError **error)
{
  g_autoptr (JsonObject) object = vk_manifest_to_json (manifest);
  g_autofree char *text = vk_json_to_string (object, TRUE);
  VkResticId id;

  node->size = strlen (text);
  g_clear_pointer (&node->content, vk_content_unref);
  node->content = vk_content_new ();
  if (!vk_restic_saver_add (saver, VK_BLOB_DATA, text, strlen (text), &id, error))
    return FALSE;
  vk_content_append (node->content, &id, 1);
  return TRUE;
}

static gboolean
save_tree (VkResticSaver *saver, const GPtrArray *nodes, VkResticId *id, GError **error)
{
  g_autoptr (VkTreeWriter) tree = vk_tree_writer_new ();

  for (guint i = 0; i < nodes->len; i++)
    {
      const VkTreeNode *node = g_ptr_array_index (nodes, i);

      if (!vk_tree_writer_add (tree, node, node->size, error))
        return FALSE;
    }
  return vk_tree_writer_finish (tree, saver, id, error) && vk_restic_saver_flush (saver, error);
}

static gboolean
swell (VkRestic *repo, guint64 chunk_size, GError **error)
{
  g_autoptr (GPtrArray) snapshots = vk_snapshot_list (repo, NULL, error);
  VkSnapshot *snapshot = snapshots && snapshots->len > 0 ? g_ptr_array_index (snapshots, snapshots->len - 1) : NULL;
  VkResticId old = snapshot ? snapshot->id : (VkResticId) { 0 };
  g_autoptr (GPtrArray) nodes = snapshot ? vk_tree_load (repo, &snapshot->tree, NULL, error) : NULL;
  VkTreeNode *file = nodes ? find_node (nodes, "manifest.json") : NULL;
  g_autoptr (VkManifest) manifest = file ? load_manifest (repo, file, error) : NULL;
  g_autoptr (VkResticSaver) saver = vk_restic_saver_new (repo, NULL, NULL);

  for (guint i = 0; manifest != NULL && i < manifest->disks->len; i++)
    {
      VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);
      VkTreeNode *node = find_node (nodes, disk->image);

      if (chunk_size != 0)
        disk->chunk_size = chunk_size;
      vk_content_unref (node->content);
      node->content = invent_chunks (repo, disk, error);
      if (node->content == NULL)
        return FALSE;
      g_free (disk->content_sha256);
      disk->content_sha256 = vk_content_digest (node->content);
    }
  return manifest != NULL
      && save_manifest (saver, manifest, file, error)
      && save_tree (saver, nodes, &snapshot->tree, error)
      && vk_snapshot_save (repo, NULL, snapshot, &snapshot->id, NULL, error)
      && vk_snapshot_remove (repo, &old, NULL, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  guint64 chunk_size = argc == 3 ? g_ascii_strtoull (argv[2], NULL, 10) : 0;
  VkBackend *backend = argc == 2 || argc == 3 ? vk_backend_open (argv[1], &error) : NULL;
  g_autoptr (VkRestic) repo = backend ? vk_restic_open (backend, g_getenv ("RESTIC_PASSWORD"), NULL, NULL, &error) : NULL;

  if (repo != NULL && vk_restic_load_index (repo, NULL, &error) && swell (repo, chunk_size, &error))
    return 0;
  fprintf (stderr, "swell: %s\n", error ? error->message : "which repository?");
  return 1;
}
