/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holding the points of a repository against their manifests. */
#include "config.h"

#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "store/restic/damage-list.h"
#include "store/restic/restic-store.h"

/* What of a file is hashed at once, in bytes. */
enum { PIECE_BYTES = 1 << 20 };

typedef struct
{
  VkResticStore *store;
  const char *only;      /* this disk of the points, and nothing else; NULL: everything */
  VkBlobCheck *blobs;
  gboolean data;
  VkDamageList *damages;
  GHashTable *unreadable; /* set of VkPoint *: nothing of them is told but that */
  GCancellable *cancellable;
} Verify;

/* --- damages -------------------------------------------------------------- */

static gboolean
settle (Verify *verify, const VkPoint *point, const char *file, GError *failure, GError **error)
{
  g_autofree char *message = NULL;

  if (!vk_restic_is_damage (failure))
    {
      g_propagate_error (error, failure);
      return FALSE;
    }
  message = file ? g_strdup_printf ("'%s': %s", file, failure->message) : g_strdup (failure->message);
  vk_damage_list_add_point (verify->damages, point, message);
  g_error_free (failure);
  return TRUE;
}

/* --- one file of a point -------------------------------------------------- */

/* The SHA-256 of a file that is no disk. */
static char *
hash_file (Verify *verify, const char *name, const VkTreeNode *node, GError **error)
{
  g_autoptr (VkDiskReader) reader = vk_disk_reader_new (verify->store->repo, name, node->content, node->size, 0, error);
  g_autoptr (VkDigest) digest = vk_digest_new ();
  g_autofree guint8 *buffer = g_malloc (PIECE_BYTES);

  if (reader == NULL)
    return NULL;
  for (guint64 offset = 0; offset < node->size; offset += PIECE_BYTES)
    {
      gsize length = (gsize) MIN (PIECE_BYTES, node->size - offset);

      if (!vk_disk_reader_read (reader, buffer, offset, length, verify->cancellable, error))
        return NULL;
      vk_digest_update (digest, buffer, length);
    }
  return vk_digest_finish (digest);
}

/* The blobs of the file, and that they add up to its size.  One that is missing is
 * no failure here: it is found among the faulty ones. */
static gboolean
check_blobs (Verify *verify, const VkTreeNode *node, guint64 chunk_size, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (VkDiskMap) map = NULL;

  if (!vk_blob_check_add (verify->blobs, node->content, error))
    return FALSE;
  map = vk_disk_map_new (verify->store->repo, node->content, node->size, chunk_size, &failure);
  if (map != NULL || g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
check_plain_file (Verify *verify, const GPtrArray *nodes, const VkManifestFile *file, GError **error)
{
  const VkTreeNode *node = vk_restic_find_file (nodes, file->name, file->size, error);
  g_autofree char *found = NULL;
  g_autoptr (GError) failure = NULL;

  if (node == NULL || !check_blobs (verify, node, 0, error))
    return FALSE;
  found = verify->data ? hash_file (verify, file->name, node, &failure) : g_strdup (file->sha256);
  if (found != NULL && strcmp (found, file->sha256) == 0)
    return TRUE;
  if (found != NULL)
    vk_fail (error, VK_ERROR_DAMAGED, "its SHA-256 is not the one in the manifest");
  else if (vk_restic_is_damage (failure))
    return TRUE;
  else
    g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
check_disk (Verify *verify, const GPtrArray *nodes, const VkManifestDisk *disk, GError **error)
{
  const VkTreeNode *node = vk_restic_find_file (nodes, disk->image, disk->virtual_size, error);
  g_autoptr (VkContent) content = NULL;
  g_autofree char *digest = NULL;

  if (node == NULL)
    return FALSE;
  content = node->content ? vk_content_ref (node->content) : vk_content_new ();
  digest = vk_content_digest (content);
  if (g_strcmp0 (disk->content_sha256, digest) == 0)
    return check_blobs (verify, node, disk->chunk_size, error);
  return vk_fail (error, VK_ERROR_DAMAGED, "it is not made of the chunks that the manifest says");
}

/* --- one point ------------------------------------------------------------ */

static gboolean
check_files (Verify *verify, const VkPoint *point, const GPtrArray *nodes, GError **error)
{
  for (guint i = 0; verify->only == NULL && i < point->manifest->files->len; i++)
    {
      const VkManifestFile *file = g_ptr_array_index (point->manifest->files, i);
      GError *failure = NULL;

      if (!check_plain_file (verify, nodes, file, &failure) && !settle (verify, point, file->name, failure, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
check_disks (Verify *verify, const VkPoint *point, const GPtrArray *nodes, GError **error)
{
  for (guint i = 0; i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      GError *failure = NULL;

      if (verify->only != NULL && strcmp (verify->only, disk->target) != 0)
        continue;
      if (!check_disk (verify, nodes, disk, &failure) && !settle (verify, point, disk->image, failure, error))
        return FALSE;
    }
  return TRUE;
}

/* What the point has may be a copy that is kept on this host.
 * Returns: (transfer full) the nodes of its tree, or NULL. */
static GPtrArray *
read_point (Verify *verify, const VkPoint *point, GError **error)
{
  const VkResticId *tree = &((const VkResticPoint *) point)->tree;
  g_autoptr (GPtrArray) nodes = vk_restic_store_nodes (verify->store, tree, verify->cancellable, error);
  const VkTreeNode *node = nodes ? vk_restic_find_node (nodes, VK_RESTIC_MANIFEST) : NULL;
  VkManifest *manifest;

  if (nodes != NULL && node == NULL)
    vk_fail (error, VK_ERROR_DAMAGED, "it has no %s", VK_RESTIC_MANIFEST);
  if (node == NULL)
    return NULL;
  manifest = vk_restic_read_manifest (verify->store, node, tree, point->location, verify->cancellable, error);
  if (manifest == NULL)
    return NULL;
  vk_manifest_free (manifest);
  return g_steal_pointer (&nodes);
}

static gboolean
check_point (Verify *verify, const VkPoint *point, GError **error)
{
  GError *failure = NULL;
  g_autoptr (GPtrArray) nodes = NULL;

  if (point->damage != NULL)
    vk_damage_list_add_point (verify->damages, point, point->damage);
  else
    nodes = read_point (verify, point, &failure);
  if (nodes == NULL)
    g_hash_table_add (verify->unreadable, (gpointer) point);
  if (nodes == NULL)
    return failure == NULL || settle (verify, point, NULL, failure, error);
  return check_files (verify, point, nodes, error) && check_disks (verify, point, nodes, error);
}

/* --- what faulty blobs mean ----------------------------------------------- */

/* Names the ranges of the file that faulty blobs hold. */
static void
name_ranges (Verify *verify, const VkPoint *point, const VkTreeNode *node, guint64 chunk_size)
{
  g_autoptr (VkDiskMap) map = vk_disk_map_new (verify->store->repo, node->content, node->size, chunk_size, NULL);
  guint64 offset = 0;
  guint64 index = 0;

  while (node->content != NULL && index < vk_content_length (node->content))
    {
      VkDiskPiece piece = { 0 };
      guint64 count;
      const VkResticId *id = vk_content_get_run (node->content, index, &count);
      const VkBlobFault *fault = vk_blob_check_find (verify->blobs, id);

      /* Without a map it is not known where a blob lies. */
      if (map != NULL && offset < node->size)
        vk_disk_map_find (map, offset, &piece);
      if (fault != NULL)
        vk_damage_list_add_fault (verify->damages, point, node->name, fault, offset, offset + count * piece.length);
      index += count;
      offset += count * piece.length;
    }
}

static guint64
chunk_size_of (const VkPoint *point, const char *name)
{
  for (guint i = 0; i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);

      if (strcmp (disk->image, name) == 0)
        return disk->chunk_size;
    }
  return 0;
}

/* Every point that has one of the faulty blobs in it. */
static gboolean
name_affected (Verify *verify, const VkPoint *point, GError **error)
{
  g_autoptr (GPtrArray) nodes = NULL;

  if (g_hash_table_contains (verify->unreadable, point))
    return TRUE;
  nodes = vk_restic_store_nodes (verify->store, &((const VkResticPoint *) point)->tree, verify->cancellable, NULL);
  for (guint i = 0; nodes != NULL && i < nodes->len; i++)
    {
      const VkTreeNode *node = g_ptr_array_index (nodes, i);

      name_ranges (verify, point, node, chunk_size_of (point, node->name));
    }
  return !g_cancellable_set_error_if_cancelled (verify->cancellable, error);
}

/* --- all of them ---------------------------------------------------------- */

static gboolean
run (Verify *verify, const GPtrArray *points, GError **error)
{
  if (vk_restic_store_lock (verify->store, verify->cancellable, error) == NULL
      || !vk_restic_load_index (verify->store->repo, verify->cancellable, error))
    return FALSE;
  verify->blobs = vk_blob_check_new (verify->store->repo, verify->data, verify->cancellable, error);
  if (verify->blobs == NULL)
    return FALSE;
  for (guint i = 0; i < points->len; i++)
    if (!check_point (verify, g_ptr_array_index (points, i), error))
      return FALSE;
  if (!vk_blob_check_finish (verify->blobs, error))
    return FALSE;
  for (guint i = 0; vk_blob_check_faults (verify->blobs) > 0 && i < points->len; i++)
    if (!name_affected (verify, g_ptr_array_index (points, i), error))
      return FALSE;
  return TRUE;
}

static gboolean
run_and_clear (Verify *verify, const GPtrArray *points, GPtrArray *damages, GError **error)
{
  gboolean ok;

  verify->damages = vk_damage_list_new (damages);
  verify->unreadable = g_hash_table_new (NULL, NULL);
  ok = run (verify, points, error);
  vk_blob_check_free (verify->blobs);
  vk_damage_list_free (verify->damages);
  g_hash_table_unref (verify->unreadable);
  return ok;
}

gboolean
vk_restic_verify (VkStore *base, const GPtrArray *points, const char *socket_dir, GPtrArray *damages, GCancellable *cancellable, GError **error)
{
  Verify verify = { .store = (VkResticStore *) base, .data = socket_dir != NULL, .cancellable = cancellable };

  return run_and_clear (&verify, points, damages, error);
}

gboolean
vk_restic_check_disk (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) damages = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_damage_free);
  g_autoptr (GPtrArray) points = g_ptr_array_new ();
  Verify verify = { .store = (VkResticStore *) base, .only = disk->target, .data = TRUE, .cancellable = cancellable };
  const VkDamage *damage;

  g_ptr_array_add (points, (gpointer) point);
  if (!run_and_clear (&verify, points, damages, error))
    return FALSE;
  if (damages->len == 0)
    return TRUE;
  damage = g_ptr_array_index (damages, 0);
  return vk_fail (error, VK_ERROR_STORE, "disk '%s' is damaged: %s: %s", disk->target, damage->file, damage->message);
}
