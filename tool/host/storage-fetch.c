/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/storage-fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/xml-edit.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (virStorageVol, virStorageVolFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (virStream, virStreamFree)

/* The storage pool of a directory. */
typedef struct
{
  virStoragePoolPtr pool;
  gboolean passing; /* lives as long as we need it */
} Pool;

static void
pool_clear (Pool *pool)
{
  if (pool->pool == NULL)
    return;
  if (pool->passing)
    virStoragePoolDestroy (pool->pool);
  virStoragePoolFree (pool->pool);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pool, pool_clear)

static virStoragePoolPtr
make_pool (VkHost *host, const char *directory, GError **error)
{
  g_autoptr (xmlDoc) doc = xmlNewDoc (BAD_CAST "1.0");
  xmlNode *root = xmlNewNode (NULL, BAD_CAST "pool");
  g_autofree char *random = g_uuid_string_random ();
  g_autofree char *name = g_strconcat (PACKAGE_NAME "-", random, NULL);
  g_autofree char *xml = NULL;
  virStoragePoolPtr pool;

  xmlDocSetRootElement (doc, root);
  if (!vk_xml_check_value (directory, "the name of the directory", error))
    return NULL;
  vk_xml_set_attribute (root, "type", "dir");
  xmlNewTextChild (root, NULL, BAD_CAST "name", BAD_CAST name);
  xmlNewTextChild (xmlNewChild (root, NULL, BAD_CAST "target", NULL), NULL, BAD_CAST "path", BAD_CAST directory);
  xml = vk_xml_to_string (doc);
  pool = virStoragePoolCreateXML (vk_host_connection (host), xml, 0);
  if (pool == NULL)
    vk_set_libvirt_error (error, NULL, "libvirt shows no files in '%s'", directory);
  return pool;
}

/* libvirt takes no second pool for a directory, and one that there is knows the files that were there when
 * it was started. */
static gboolean
open_pool (VkHost *host, const char *directory, Pool *pool, GError **error)
{
  pool->pool = virStoragePoolLookupByTargetPath (vk_host_connection (host), directory);
  if (pool->pool == NULL)
    {
      pool->passing = TRUE;
      pool->pool = make_pool (host, directory, error);
      return pool->pool != NULL;
    }
  if (virStoragePoolRefresh (pool->pool, 0) == 0)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "libvirt cannot look into the storage pool '%s'", virStoragePoolGetName (pool->pool));
  return FALSE;
}

typedef struct
{
  int fd;
  GCancellable *cancellable;
} Receiving;

static int
receive (virStreamPtr stream G_GNUC_UNUSED, const char *data, size_t length, void *opaque)
{
  const Receiving *receiving = opaque;

  if (g_cancellable_is_cancelled (receiving->cancellable))
    return -1;
  return (int) write (receiving->fd, data, length);
}

static gboolean
download (VkHost *host, virStorageVolPtr volume, const char *path, const char *to_path, GCancellable *cancellable, GError **error)
{
  g_auto (VkFd) fd = open (to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  g_autoptr (virStream) stream = virStreamNew (vk_host_connection (host), 0);
  Receiving receiving = { .fd = fd, .cancellable = cancellable };

  if (fd < 0)
    return vk_fail_errno (error, "cannot create '%s'", to_path);
  if (stream != NULL && virStorageVolDownload (volume, stream, 0, 0, 0) == 0)
    {
      if (virStreamRecvAll (stream, receive, &receiving) == 0 && virStreamFinish (stream) == 0)
        return TRUE;
      virStreamAbort (stream);
    }
  if (!g_cancellable_set_error_if_cancelled (cancellable, error))
    vk_set_libvirt_error (error, NULL, "libvirt cannot read '%s'", path);
  unlink (to_path);
  return FALSE;
}

gboolean
vk_storage_fetch (VkHost *host, const char *path, const char *to_path, GCancellable *cancellable, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  g_autoptr (virStorageVol) volume = virStorageVolLookupByPath (vk_host_connection (host), path);
  g_auto (Pool) pool = { 0 };

  if (volume == NULL && open_pool (host, directory, &pool, error))
    {
      volume = virStorageVolLookupByName (pool.pool, name);
      if (volume == NULL)
        vk_set_libvirt_error (error, NULL, "libvirt does not find '%s'", path);
    }
  return volume != NULL && download (host, volume, path, to_path, cancellable, error);
}

gboolean
vk_storage_list (VkHost *host, const char *directory, GPtrArray *names, GError **error)
{
  g_auto (Pool) pool = { 0 };
  virStorageVolPtr *volumes = NULL;
  int count;

  if (!open_pool (host, directory, &pool, error))
    return FALSE;
  count = virStoragePoolListAllVolumes (pool.pool, &volumes, 0);
  if (count < 0)
    {
      vk_set_libvirt_error (error, NULL, "libvirt shows no files in '%s'", directory);
      return FALSE;
    }
  for (int i = 0; i < count; i++)
    {
      g_ptr_array_add (names, g_strdup (virStorageVolGetName (volumes[i])));
      virStorageVolFree (volumes[i]);
    }
  free (volumes);
  return TRUE;
}
