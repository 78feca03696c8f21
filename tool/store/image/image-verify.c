/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holding an image store against its manifests. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/file-digest.h"
#include "store/image/image-layout.h"
#include "transfer/null-sink.h"
#include "transfer/transfer.h"
#include "view/qcow2-header.h"
#include "view/qemu-img.h"

enum { READ_CONNECTIONS = 2 };

/* One file to be looked at, by any thread. */
typedef struct
{
  const VkPoint *point;
  const VkManifestDisk *disk; /* NULL: a file that is no disk image */
  char *path;
  guint64 size;
  const char *sha256;
  GCancellable *cancellable;
  GError *failure; /* what is wrong with it */
  VkPoint *again;  /* the point, when it was looked at a second time */
} FileCheck;

static void
file_check_free (FileCheck *check)
{
  g_free (check->path);
  g_clear_error (&check->failure);
  g_clear_pointer (&check->again, vk_point_free);
  g_free (check);
}

static gboolean
check_image (FileCheck *check, GError **error)
{
  VkQcow2Header header;

  if (!vk_qcow2_header_read (check->path, &header, error))
    return FALSE;
  if (header.size != check->disk->virtual_size)
    return vk_fail (error, VK_ERROR_DAMAGED, "the disk in it has %" PRIu64 " bytes instead of %" PRIu64, header.size, check->disk->virtual_size);
  /* Without the key nothing more can be told, and the digest is right. */
  return check->disk->secret != NULL || vk_qemu_img_check (check->path, NULL, check->cancellable, error);
}

static void
compare_file (FileCheck *check)
{
  guint64 size;
  g_autofree char *found = vk_file_sha256 (check->path, &size, check->cancellable, &check->failure);

  if (found == NULL)
    return;
  if (size != check->size)
    vk_fail (&check->failure, VK_ERROR_DAMAGED, "it has %" PRIu64 " bytes instead of %" PRIu64, size, check->size);
  else if (strcmp (found, check->sha256) != 0)
    vk_fail (&check->failure, VK_ERROR_DAMAGED, "its SHA-256 is not the one in the manifest");
  else if (check->disk != NULL)
    check_image (check, &check->failure);
}

static VkPoint *
read_again (const VkPoint *point)
{
  g_autofree char *domain_directory = g_path_get_dirname (point->location);

  return vk_image_read_point (domain_directory, point->id);
}

/* Whether the point has been removed since it was listed. */
static gboolean
is_gone (const VkPoint *point)
{
  g_autoptr (VkPoint) now = read_again (point);

  return now->removed || !vk_image_is_directory (point->location);
}

/* The image may have been replaced by a merged one since its point was listed:
 * then what its manifest says now is what counts. */
static gboolean
is_described_anew (FileCheck *check)
{
  const VkManifestDisk *disk;

  if (check->disk == NULL)
    return FALSE;
  check->again = read_again (check->point);
  disk = check->again->manifest ? vk_manifest_find_disk (check->again->manifest, check->disk->target) : NULL;
  if (disk == NULL || strcmp (disk->sha256, check->sha256) == 0)
    return FALSE;
  check->size = disk->size;
  check->sha256 = disk->sha256;
  return TRUE;
}

static void
check_file (gpointer data, gpointer user_data)
{
  FileCheck *check = data;

  compare_file (check);
  if (check->failure != NULL && is_described_anew (check))
    {
      g_clear_error (&check->failure);
      compare_file (check);
    }
  if (check->failure != NULL && is_gone (check->point))
    g_clear_error (&check->failure);
}

static VkDamage *
add_damage (GPtrArray *damages, const char *file, const char *message)
{
  VkDamage *damage = g_new0 (VkDamage, 1);

  damage->file = g_strdup (file);
  damage->message = g_strdup (message);
  damage->affects = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (damages, damage);
  return damage;
}

static gboolean
same_place (const VkPoint *a, const VkPoint *b)
{
  g_autofree char *a_directory = g_path_get_dirname (a->location);
  g_autofree char *b_directory = g_path_get_dirname (b->location);

  return strcmp (a_directory, b_directory) == 0;
}

static const VkPoint *
find_sibling (const GPtrArray *points, const VkPoint *point, const char *id)
{
  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *candidate = g_ptr_array_index (points, i);

      if (strcmp (candidate->id, id) == 0 && same_place (candidate, point))
        return candidate;
    }
  return NULL;
}

/* Whether the disk of point is read through damaged's image. */
static gboolean
builds_on (const GPtrArray *points, const VkPoint *point, const VkPoint *damaged, const char *target)
{
  while (point != NULL && point->manifest != NULL)
    {
      const VkManifestDisk *disk = vk_manifest_find_disk (point->manifest, target);

      if (point == damaged)
        return TRUE;
      if (disk == NULL || disk->base == NULL || strcmp (disk->base, point->id) >= 0)
        return FALSE;
      point = find_sibling (points, point, disk->base);
    }
  return FALSE;
}

/* Damage to an image concerns every later point that builds on it. */
static void
name_affected (VkDamage *damage, const GPtrArray *points, const FileCheck *check)
{
  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if (point == check->point || (check->disk != NULL && same_place (point, check->point) && builds_on (points, point, check->point, check->disk->target)))
        g_ptr_array_add (damage->affects, vk_point_name (point));
    }
}

static void
add_check (GPtrArray *checks, const VkPoint *point, const VkManifestDisk *disk, const char *name, guint64 size, const char *sha256, GCancellable *cancellable)
{
  FileCheck *check = g_new0 (FileCheck, 1);

  check->point = point;
  check->disk = disk;
  check->path = g_build_filename (point->location, name, NULL);
  check->size = size;
  check->sha256 = sha256;
  check->cancellable = cancellable;
  g_ptr_array_add (checks, check);
}

static GPtrArray *
collect_files (const GPtrArray *points, GCancellable *cancellable)
{
  GPtrArray *checks = g_ptr_array_new_with_free_func ((GDestroyNotify) file_check_free);

  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if (point->manifest == NULL)
        continue;
      for (guint k = 0; k < point->manifest->disks->len; k++)
        {
          const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, k);

          add_check (checks, point, disk, disk->image, disk->size, disk->sha256, cancellable);
        }
      for (guint k = 0; k < point->manifest->files->len; k++)
        {
          const VkManifestFile *file = g_ptr_array_index (point->manifest->files, k);

          add_check (checks, point, NULL, file->name, file->size, file->sha256, cancellable);
        }
    }
  return checks;
}

static gboolean
read_disk (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, const char *socket_dir, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkNbdServer) door = vk_store_open_disk (store, point, disk, socket_dir, error);
  g_autoptr (VkSink) sink = door ? vk_null_sink_new () : NULL;
  VkTransferOptions options = { .disk = disk->target, .uri = door ? vk_nbd_server_uri (door) : NULL, .max_connections = READ_CONNECTIONS };

  return door != NULL && vk_transfer_run (&options, sink, NULL, cancellable, error);
}

/* Without its key an encrypted disk cannot be judged, which is no damage. */
static gboolean
lacks_key (const VkManifestDisk *disk, const GError *failure)
{
  return disk->secret != NULL && (failure->domain == VK_LIBVIRT_ERROR || g_error_matches (failure, VK_ERROR, VK_ERROR_REFUSED));
}

/* The chain as a whole: it opens, and with socket_dir it reads.  unread (of VkDamage) gets
 * what could not be read for want of a key. */
static gboolean
check_chains (VkStore *store, const VkPoint *point, const char *socket_dir, GPtrArray *damages, GPtrArray *unread, GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < point->manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (point->manifest->disks, i);
      g_autoptr (GError) failure = NULL;
      g_autoptr (GPtrArray) chain = vk_image_chain (point, disk->target, NULL, &failure);

      if (chain != NULL && (socket_dir == NULL || read_disk (store, point, disk, socket_dir, cancellable, &failure)))
        continue;
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (is_gone (point))
        return TRUE;
      if (lacks_key (disk, failure))
        add_damage (unread, point->location, failure->message);
      else
        g_ptr_array_add (add_damage (damages, point->location, failure->message)->affects, vk_point_name (point));
    }
  return TRUE;
}

/* What could not be read is not verified; beside real damage it is only told. */
static gboolean
settle_unread (GPtrArray *damages, const GPtrArray *unread, GError **error)
{
  gboolean sound = damages->len == 0;

  for (guint i = 0; !sound && i < unread->len; i++)
    {
      const VkDamage *one = g_ptr_array_index (unread, i);

      add_damage (damages, one->file, one->message);
    }
  if (!sound || unread->len == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "not everything could be verified: %s", ((const VkDamage *) g_ptr_array_index (unread, 0))->message);
}

/* Whether a damage that was found explains what else is wrong with point. */
static gboolean
is_affected (const VkPoint *point, const GPtrArray *damages)
{
  g_autofree char *name = vk_point_name (point);

  for (guint i = 0; i < damages->len; i++)
    if (g_ptr_array_find_with_equal_func (((const VkDamage *) g_ptr_array_index (damages, i))->affects, name, g_str_equal, NULL))
      return TRUE;
  return FALSE;
}

gboolean
vk_image_verify (VkStore *store, const GPtrArray *points, const char *socket_dir, GPtrArray *damages, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) checks = collect_files (points, cancellable);
  GThreadPool *pool = g_thread_pool_new (check_file, NULL, (int) g_get_num_processors (), FALSE, NULL);
  g_autoptr (GPtrArray) unread = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_damage_free);

  for (guint i = 0; i < checks->len; i++)
    g_thread_pool_push (pool, g_ptr_array_index (checks, i), NULL);
  g_thread_pool_free (pool, FALSE, TRUE);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  for (guint i = 0; i < checks->len; i++)
    {
      const FileCheck *check = g_ptr_array_index (checks, i);

      if (check->failure != NULL)
        name_affected (add_damage (damages, check->path, check->failure->message), points, check);
    }
  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if (point->annotation_damage != NULL)
        add_damage (damages, point->location, point->annotation_damage);
      if (is_affected (point, damages))
        continue;
      if (point->damage != NULL)
        g_ptr_array_add (add_damage (damages, point->location, point->damage)->affects, vk_point_name (point));
      else if (!check_chains (store, point, socket_dir, damages, unread, cancellable, error))
        return FALSE;
    }
  return settle_unread (damages, unread, error);
}
