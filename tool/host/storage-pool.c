/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/storage-pool.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/xml-edit.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (virStorageVol, virStorageVolFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (virStream, virStreamFree)

struct VkStoragePool
{
  virConnectPtr connection; /* (transfer none) */
  virStoragePoolPtr pool;
  char *name;
  char *directory; /* or NULL */
  gboolean has_files;
  gboolean is_local;
};

static const char *const file_types[] = { "dir", "fs", "netfs", NULL };

static gboolean
read_xml (VkStoragePool *pool, GError **error)
{
  char *text = virStoragePoolGetXMLDesc (pool->pool, 0);
  g_autoptr (xmlDoc) doc = NULL;
  g_autofree char *type = NULL;
  xmlNode *root;

  if (text == NULL)
    {
      vk_set_libvirt_error (error, NULL, "cannot read the XML of the storage pool '%s'", pool->name);
      return FALSE;
    }
  doc = vk_xml_parse (text, "pool.xml", error);
  free (text);
  if (doc == NULL)
    return FALSE;
  root = xmlDocGetRootElement (doc);
  type = vk_xml_attribute (root, "type");
  pool->has_files = type != NULL && g_strv_contains (file_types, type);
  if (pool->has_files && pool->is_local)
    pool->directory = vk_xml_text (root, "target/path");
  return TRUE;
}

VkStoragePool *
vk_storage_pool_open (VkHost *host, const char *name, GError **error)
{
  g_autoptr (VkStoragePool) pool = g_new0 (VkStoragePool, 1);

  pool->connection = vk_host_connection (host);
  pool->is_local = vk_host_is_local (host);
  pool->name = g_strdup (name);
  pool->pool = virStoragePoolLookupByName (pool->connection, name);
  if (pool->pool == NULL)
    {
      vk_fail (error, VK_ERROR_NOT_FOUND, "there is no storage pool '%s': see virsh pool-list --all", name);
      return NULL;
    }
  if (virStoragePoolIsActive (pool->pool) != 1)
    {
      vk_fail (error, VK_ERROR_REFUSED, "the storage pool '%s' is not started: virsh pool-start it", name);
      return NULL;
    }
  return read_xml (pool, error) && vk_storage_pool_refresh (pool, error) ? g_steal_pointer (&pool) : NULL;
}

void
vk_storage_pool_free (VkStoragePool *pool)
{
  if (pool == NULL)
    return;
  if (pool->pool != NULL)
    virStoragePoolFree (pool->pool);
  g_free (pool->directory);
  g_free (pool->name);
  g_free (pool);
}

gboolean
vk_storage_pool_has_files (const VkStoragePool *pool)
{
  return pool->has_files;
}

const char *
vk_storage_pool_directory (const VkStoragePool *pool)
{
  return pool->directory;
}

gboolean
vk_storage_pool_is_local (const VkStoragePool *pool)
{
  return pool->is_local;
}

gboolean
vk_storage_pool_available (VkStoragePool *pool, guint64 *bytes, GError **error)
{
  virStoragePoolInfo info;

  if (virStoragePoolGetInfo (pool->pool, &info) < 0)
    {
      vk_set_libvirt_error (error, NULL, "cannot ask how much room the storage pool '%s' has", pool->name);
      return FALSE;
    }
  *bytes = info.available;
  return TRUE;
}

gboolean
vk_storage_pool_refresh (VkStoragePool *pool, GError **error)
{
  if (virStoragePoolRefresh (pool->pool, 0) == 0)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "libvirt cannot look into the storage pool '%s'", pool->name);
  return FALSE;
}

static char *
path_of (virStorageVolPtr volume)
{
  char *found = virStorageVolGetPath (volume);
  char *path = g_strdup (found);

  free (found);
  return path;
}

char *
vk_storage_pool_find (VkStoragePool *pool, const char *name)
{
  g_autoptr (virStorageVol) volume = virStorageVolLookupByName (pool->pool, name);

  return volume ? path_of (volume) : NULL;
}

static char *
describe_volume (const char *name, guint64 bytes, GError **error)
{
  g_autoptr (xmlDoc) doc = xmlNewDoc (BAD_CAST "1.0");
  xmlNode *root = xmlNewNode (NULL, BAD_CAST "volume");
  g_autofree char *size = g_strdup_printf ("%" PRIu64, bytes);
  xmlNode *target;

  xmlDocSetRootElement (doc, root);
  if (!vk_xml_check_value (name, "the name of the volume", error))
    return NULL;
  xmlNewTextChild (root, NULL, BAD_CAST "name", BAD_CAST name);
  vk_xml_set_attribute (xmlNewTextChild (root, NULL, BAD_CAST "capacity", BAD_CAST size), "unit", "bytes");
  vk_xml_set_attribute (xmlNewTextChild (root, NULL, BAD_CAST "allocation", BAD_CAST "0"), "unit", "bytes");
  target = xmlNewChild (root, NULL, BAD_CAST "target", NULL);
  vk_xml_set_attribute (xmlNewChild (target, NULL, BAD_CAST "format", NULL), "type", "raw");
  return vk_xml_to_string (doc);
}

char *
vk_storage_pool_create (VkStoragePool *pool, const char *name, guint64 bytes, GError **error)
{
  g_autofree char *xml = describe_volume (name, bytes, error);
  g_autoptr (virStorageVol) volume = NULL;

  if (xml == NULL)
    return NULL;
  volume = virStorageVolCreateXML (pool->pool, xml, 0);
  if (volume == NULL)
    {
      vk_set_libvirt_error (error, NULL, "libvirt did not make the volume '%s' in the storage pool '%s'", name, pool->name);
      return NULL;
    }
  return path_of (volume);
}

gboolean
vk_storage_pool_delete (VkStoragePool *pool, const char *name, GError **error)
{
  g_autoptr (virStorageVol) volume = virStorageVolLookupByName (pool->pool, name);

  if (volume != NULL && virStorageVolDelete (volume, 0) == 0)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "cannot delete the volume '%s' in the storage pool '%s'", name, pool->name);
  return FALSE;
}

/* ---- data, through libvirt ------------------------------------------------ */

struct sending
{
  int fd;
  off_t end;
  off_t at;
  const VkUpload *upload;
  GCancellable *cancellable;
};

/* The callbacks of virStreamSendAll() and virStreamSparseSendAll(). */
static int
send_data (virStreamPtr stream G_GNUC_UNUSED, char *data, size_t length, void *opaque)
{
  struct sending *sending = opaque;
  gssize got;

  if (g_cancellable_is_cancelled (sending->cancellable))
    return -1;
  got = pread (sending->fd, data, MIN (length, (size_t) (sending->end - sending->at)), sending->at);
  if (got < 0)
    return -1;
  sending->at += got;
  if (sending->upload->progress != NULL)
    sending->upload->progress ((guint64) sending->at - sending->upload->from, sending->upload->user_data);
  return (int) got;
}

static int
find_section (virStreamPtr stream G_GNUC_UNUSED, int *in_data, long long *length, void *opaque)
{
  struct sending *sending = opaque;
  off_t data = sending->at < sending->end ? lseek (sending->fd, sending->at, SEEK_DATA) : sending->end;
  off_t hole;

  if (data < 0 || data > sending->end)
    data = sending->end;
  *in_data = data == sending->at && sending->at < sending->end;
  hole = *in_data ? lseek (sending->fd, sending->at, SEEK_HOLE) : data;
  *length = MIN (hole, sending->end) - sending->at;
  return 0;
}

static int
skip_hole (virStreamPtr stream G_GNUC_UNUSED, long long length, void *opaque)
{
  struct sending *sending = opaque;

  sending->at += length;
  return 0;
}

static gboolean
set_upload_error (VkStoragePool *pool, const char *name, GCancellable *cancellable, GError **error)
{
  if (!g_cancellable_set_error_if_cancelled (cancellable, error))
    vk_set_libvirt_error (error, NULL, "cannot write to the volume '%s' in the storage pool '%s'", name, pool->name);
  return FALSE;
}

static gboolean
send_all (VkStoragePool *pool, const char *name, struct sending *sending, GError **error)
{
  g_autoptr (virStorageVol) volume = virStorageVolLookupByName (pool->pool, name);
  g_autoptr (virStream) stream = virStreamNew (pool->connection, 0);
  int sent;

  if (volume == NULL || stream == NULL
      || virStorageVolUpload (volume, stream, sending->upload->from, sending->upload->length, pool->has_files ? VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM : 0) < 0)
    return set_upload_error (pool, name, sending->cancellable, error);
  if (pool->has_files)
    sent = virStreamSparseSendAll (stream, send_data, find_section, skip_hole, sending);
  else
    sent = virStreamSendAll (stream, send_data, sending);
  if (sent < 0)
    {
      gboolean failed = set_upload_error (pool, name, sending->cancellable, error);

      virStreamAbort (stream);
      return failed;
    }
  return virStreamFinish (stream) == 0 || set_upload_error (pool, name, sending->cancellable, error);
}

gboolean
vk_storage_pool_upload (VkStoragePool *pool, const char *name, const VkUpload *upload, GCancellable *cancellable, GError **error)
{
  struct sending sending = { .upload = upload, .cancellable = cancellable, .at = (off_t) upload->from, .end = (off_t) (upload->from + upload->length) };
  gboolean done;

  sending.fd = open (upload->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (sending.fd < 0)
    return vk_fail (error, VK_ERROR_STORE, "cannot open '%s'", upload->path);
  done = send_all (pool, name, &sending, error);
  close (sending.fd);
  return done;
}

char *
vk_storage_pool_read_head (VkStoragePool *pool, const char *name, gsize length)
{
  g_autoptr (virStorageVol) volume = virStorageVolLookupByName (pool->pool, name);
  g_autoptr (virStream) stream = virStreamNew (pool->connection, 0);
  g_autofree char *head = g_malloc0 (length + 1);
  gsize at = 0;
  int got = 0;

  if (volume == NULL || stream == NULL || virStorageVolDownload (volume, stream, 0, length, 0) < 0)
    return NULL;
  while (at < length && (got = virStreamRecv (stream, head + at, length - at)) > 0)
    at += (gsize) got;
  if (got < 0 || virStreamFinish (stream) < 0)
    return NULL;
  return g_steal_pointer (&head);
}
