/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "restic-fixture.h"

#include <string.h>

#include "store/manifest.h"
#include "store/restic/key.h"
#include "store/restic/repo-config.h"

#define MANIFEST "{\"format\":\"a test's\"}\n"

void
restic_make_repository (const char *path, const char *password)
{
  static const VkScryptCost cheap = { 2, 1, 1 };
  g_autoptr (VkBackend) backend = vk_backend_local_new (path, NULL);
  VkResticKey master;
  g_autoptr (VkCrypto) crypto = NULL;
  g_autoptr (GBytes) key = NULL;
  char name[VK_RESTIC_ID_DIGITS + 1];
  VkRepoConfig config;
  VkResticId id;

  vk_restic_random (&master, sizeof master);
  crypto = vk_crypto_new (&master);
  g_assert_true (vk_backend_create (backend, NULL, NULL));
  key = vk_key_file_make (&master, password, &cheap, NULL);
  vk_restic_id_of (g_bytes_get_data (key, NULL), g_bytes_get_size (key), &id);
  vk_restic_id_format (&id, name);
  g_assert_true (vk_backend_save (backend, VK_RESTIC_KEY, name, key, NULL, NULL));
  vk_repo_config_make (&config);
  g_assert_true (vk_repo_config_save (backend, crypto, &config, NULL, NULL));
}

VkRestic *
restic_open_repository (const char *path, const VkResticOptions *options, GError **error)
{
  return vk_restic_open (vk_backend_local_new (path, NULL), "secret", options, NULL, error);
}

VkRestic *
restic_make_and_open (const char *path, const VkResticOptions *options)
{
  g_autoptr (GError) error = NULL;
  VkRestic *repo;

  restic_make_repository (path, "secret");
  repo = restic_open_repository (path, options, &error);
  g_assert_no_error (error);
  return repo;
}

static gboolean
is_zero (const guint8 *data, gsize length)
{
  return data[0] == 0 && memcmp (data, data + 1, length - 1) == 0;
}

VkContent *
restic_save_file (VkResticSaver *saver, const guint8 *data, gsize length, gsize chunk_bytes, GError **error)
{
  static const guint8 zeros[RESTIC_ZERO_BYTES];
  gsize chunks = (length + chunk_bytes - 1) / chunk_bytes;
  g_autofree VkResticId *ids = g_new0 (VkResticId, chunks);
  g_autofree guint *repeats = g_new0 (guint, chunks);
  g_autoptr (VkContent) content = vk_content_new ();
  gboolean ok = TRUE;

  for (gsize i = 0; ok && i < chunks; i++)
    {
      const guint8 *chunk = data + i * chunk_bytes;
      gsize size = MIN (chunk_bytes, length - i * chunk_bytes);
      gboolean zero = size % RESTIC_ZERO_BYTES == 0 && is_zero (chunk, size);

      repeats[i] = zero ? (guint) (size / RESTIC_ZERO_BYTES) : 1;
      ok = vk_restic_saver_add (saver, VK_BLOB_DATA, zero ? zeros : chunk, zero ? sizeof zeros : size, &ids[i], error);
    }
  if (!ok || !vk_restic_saver_flush (saver, error))
    return NULL;
  for (gsize i = 0; i < chunks; i++)
    vk_content_append (content, &ids[i], repeats[i]);
  return g_steal_pointer (&content);
}

static gboolean
save_tree (VkResticSaver *saver, VkContent *disk, gsize length, const char *time, VkResticId *tree, GError **error)
{
  g_autoptr (VkTreeWriter) writer = vk_tree_writer_new ();
  g_autoptr (VkContent) manifest = vk_content_new ();
  g_autoptr (VkTreeNode) manifest_node = vk_tree_node_new_file ("manifest.json", strlen (MANIFEST), time, manifest);
  g_autoptr (VkTreeNode) disk_node = vk_tree_node_new_file ("vda.raw", length, time, disk);
  VkResticId id;

  if (!vk_restic_saver_add (saver, VK_BLOB_DATA, MANIFEST, strlen (MANIFEST), &id, error))
    return FALSE;
  vk_content_append (manifest, &id, 1);
  return vk_tree_writer_add (writer, manifest_node, strlen (MANIFEST), error)
      && vk_tree_writer_add (writer, disk_node, length, error)
      && vk_tree_writer_finish (writer, saver, tree, error);
}

gboolean
restic_save_point (VkRestic *repo, VkResticLock *lock, VkResticSaver *saver, const guint8 *disk, gsize length, gsize chunk_bytes, VkResticId *id, GError **error)
{
  static const char *paths[] = { "/a-domain", NULL };
  static const char *tags[] = { "virt-keep", "a-domain", NULL };
  g_autoptr (VkContent) content = restic_save_file (saver, disk, length, chunk_bytes, error);
  g_autoptr (VkSnapshot) snapshot = vk_snapshot_new ();

  if (content == NULL)
    return FALSE;
  snapshot->time = vk_time_now ();
  snapshot->paths = g_strdupv ((char **) paths);
  snapshot->tags = g_strdupv ((char **) tags);
  snapshot->hostname = g_strdup ("a-host");
  snapshot->username = g_strdup ("somebody");
  return save_tree (saver, content, length, snapshot->time, &snapshot->tree, error)
      && vk_restic_saver_flush (saver, error)
      && vk_snapshot_save (repo, lock, snapshot, id, NULL, error);
}

GByteArray *
restic_load_file (VkRestic *repo, const VkResticId *snapshot_id, const char *path, GError **error)
{
  g_autoptr (VkSnapshot) snapshot = vk_snapshot_load (repo, snapshot_id, NULL, error);
  g_autoptr (VkTreeNode) node = snapshot ? vk_tree_find (repo, &snapshot->tree, path, NULL, error) : NULL;
  g_autoptr (GByteArray) file = g_byte_array_new ();

  if (node == NULL)
    return NULL;
  for (guint64 i = 0; node->content != NULL && i < vk_content_length (node->content); i++)
    {
      g_autoptr (GBytes) blob = vk_restic_load_blob (repo, VK_BLOB_DATA, vk_content_get (node->content, i), NULL, error);

      if (blob == NULL)
        return NULL;
      g_byte_array_append (file, g_bytes_get_data (blob, NULL), (guint) g_bytes_get_size (blob));
    }
  return g_steal_pointer (&file);
}
