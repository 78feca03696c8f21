/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "backup/level.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "host/block-info.h"
#include "host/checkpoint.h"
#include "view/qemu-img.h"

enum { CHECKPOINT_XML_LIMIT = 1 << 20 };

/* The newest point that left a checkpoint, and is whole.  On NULL, *reason
 * says why there is none. */
static const VkPoint *
find_base (const GPtrArray *points, char **reason)
{
  for (int i = (int) points->len - 1; i >= 0; i--)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if (point->damage != NULL)
        {
          *reason = g_strdup_printf ("the restore point %s is damaged: %s", point->id, point->damage);
          return NULL;
        }
      if (point->manifest->checkpoint != NULL)
        return point;
    }
  *reason = g_strdup (points->len > 0 ? "no restore point of this domain in the store has a checkpoint" : "it is the first backup of this domain into this store");
  return NULL;
}

/* Gives libvirt back a checkpoint that it has forgotten: a transient domain
 * was started anew, or the domain came from another host. */
static gboolean
redefine_checkpoint (VkBackup *backup, const VkPoint *base, GError **error)
{
  const VkManifestFile *file = vk_manifest_find_file (base->manifest, "checkpoint-xml");
  g_autofree char *xml = NULL;

  if (file == NULL)
    return vk_fail (error, VK_ERROR_STORE, "the restore point %s holds no checkpoint XML", base->id);
  xml = vk_store_load_file (backup->store, base, file, CHECKPOINT_XML_LIMIT, error);
  return xml != NULL && vk_checkpoint_redefine (backup->domain, base->manifest->checkpoint, xml, error);
}

/* The same without QEMU: the bitmaps that lie in the images.  How much they
 * mark is not known before they are read, the whole disk at most. */
static GHashTable *
read_stored_bitmaps (VkBackup *backup, const VkPoint *base)
{
  GHashTable *sizes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  for (guint i = 0; i < backup->disks->len; i++)
    {
      const VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      if (disk->bitmap && vk_qemu_img_has_bitmap (disk->disk->path, base->manifest->checkpoint))
        g_hash_table_insert (sizes, g_strdup (disk->disk->target), g_memdup2 (&disk->size, sizeof disk->size));
    }
  return sizes;
}

/* Dirty bytes by disk target of the base's checkpoint; NULL with *reason. */
static GHashTable *
read_bitmaps (VkBackup *backup, const VkPoint *base, gboolean repair, char **reason)
{
  const char *name = base->manifest->checkpoint;
  g_autoptr (GError) failure = NULL;
  gboolean exists;
  GHashTable *sizes = NULL;

  if (backup->state == VK_STATE_SHUT_OFF)
    return read_stored_bitmaps (backup, base);
  exists = vk_checkpoint_exists (backup->domain, name);
  if (!exists && repair)
    {
      exists = redefine_checkpoint (backup, base, &failure);
      if (exists)
        vk_backup_warn (backup, "libvirt had forgotten the checkpoint '%s'; it was defined again, and its bitmap is good", name);
    }
  if (exists)
    sizes = vk_checkpoint_sizes (backup->domain, name, &failure);
  if (sizes == NULL)
    *reason = g_strdup_printf ("the checkpoint '%s' is gone from libvirt%s%s", name, failure ? ", and: " : "", failure ? failure->message : "");
  return sizes;
}

/* Why this disk cannot be counted from its image in the base point, or NULL. */
static char *
find_obstacle (const VkBackupDisk *disk, const VkManifestDisk *base, GHashTable *dirty)
{
  if (!disk->bitmap)
    return g_strdup_printf ("a disk of format %s%s has no dirty bitmap", disk->disk->format, strcmp (disk->disk->format, "qcow2") == 0 ? ", version 2," : "");
  if (base == NULL)
    return g_strdup ("the base point does not have this disk");
  if (!base->bitmap)
    return g_strdup ("the base point has no dirty bitmap for this disk");
  if (base->virtual_size != disk->size)
    return g_strdup_printf ("its size has changed from %" PRIu64 " to %" PRIu64 " bytes", base->virtual_size, disk->size);
  if (g_strcmp0 (base->source, disk->disk->source) != 0 || g_strcmp0 (base->format, disk->disk->format) != 0)
    return g_strdup_printf ("it is another image now, '%s' instead of '%s'", disk->disk->source ? disk->disk->source : "", base->source ? base->source : "");
  if (g_strcmp0 (base->secret, disk->secret) != 0)
    return g_strdup ("it is encrypted with another secret now, or is not any more");
  if (!g_hash_table_contains (dirty, disk->disk->target))
    return g_strdup ("its dirty bitmap is missing or broken");
  return NULL;
}

/* Why the disk in the base point cannot be built on, or NULL. */
static char *
find_damage (VkBackup *backup, const VkManifestDisk *base)
{
  g_autoptr (GError) failure = NULL;

  if (vk_store_check_base (backup->store, backup->base, base, backup->cancellable, &failure))
    return NULL;
  return g_strdup (failure->message);
}

static guint
decide_disks (VkBackup *backup, GHashTable *dirty)
{
  guint incremental = 0;

  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);
      const VkManifestDisk *base = vk_manifest_find_disk (backup->base->manifest, disk->disk->target);

      disk->reason = find_obstacle (disk, base, dirty);
      if (disk->reason == NULL)
        disk->reason = find_damage (backup, base);
      if (disk->reason != NULL)
        continue;
      disk->base = base;
      disk->dirty = *(const guint64 *) g_hash_table_lookup (dirty, disk->disk->target);
      incremental++;
    }
  return incremental;
}

/* Why the chain under base is to end, or NULL. */
static char *
describe_long_chain (const VkBackup *backup)
{
  const VkBackupRequest *request = backup->request;

  if (backup->store->ops->whole_points || request->level != VK_LEVEL_AUTO || vk_point_chain_length (backup->points, backup->base) < request->max_chain)
    return NULL;
  return g_strdup_printf ("the chain has reached its %u points (--max-chain)", request->max_chain);
}

/* Fills in base and disks as far as an incremental is possible.  Otherwise
 * returns why a full is due. */
static char *
try_base (VkBackup *backup, gboolean repair)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GHashTable) dirty = NULL;
  char *reason = NULL;

  backup->base = find_base (backup->points, &reason);
  if (backup->base == NULL)
    return reason;
  backup->long_chain = describe_long_chain (backup);
  if (backup->long_chain != NULL && !backup->request->synthetic_full)
    return g_strdup (backup->long_chain);
  /* What is merged gets a new digest, which must not make damage look sound. */
  if ((backup->request->paranoid || (backup->long_chain != NULL && repair))
      && !vk_store_check_point (backup->store, backup->base, backup->cancellable, &failure))
    return g_strdup (failure->message);
  dirty = read_bitmaps (backup, backup->base, repair, &reason);
  if (dirty != NULL && decide_disks (backup, dirty) == 0)
    reason = g_strdup_printf ("no disk can be counted from %s: %s: %s", backup->base->id,
                              ((VkBackupDisk *) g_ptr_array_index (backup->disks, 0))->disk->target, ((VkBackupDisk *) g_ptr_array_index (backup->disks, 0))->reason);
  return reason;
}

/* An incremental is possible, or a differential, whichever was asked for. */
static void
note_level (VkBackup *backup)
{
  VkManifest *manifest = backup->manifest;
  gboolean whole = backup->store->ops->whole_points;
  gboolean differential = backup->request->level == VK_LEVEL_DIFFERENTIAL;

  g_free (manifest->level);
  manifest->level = g_strdup (differential && !whole ? "differential" : "incremental");
  if (differential && whole)
    manifest->reason = g_strdup ("in this store every point holds whole disks, so that a differential is nothing else than an incremental");
  /* What a differential counts from is known when it has been rebased. */
  if (!differential || whole)
    manifest->base = g_strdup (backup->base->id);
}

gboolean
vk_backup_choose_level (VkBackup *backup, gboolean repair, GError **error)
{
  VkBackupLevel requested = backup->request->level;
  g_autofree char *reason = NULL;

  g_free (backup->manifest->level);
  backup->manifest->level = g_strdup (requested == VK_LEVEL_COPY ? "copy" : "full");
  if (requested == VK_LEVEL_COPY || requested == VK_LEVEL_FULL)
    return TRUE;
  reason = try_base (backup, repair);
  if (reason == NULL)
    {
      note_level (backup);
      return TRUE;
    }
  backup->base = NULL;
  g_clear_pointer (&backup->long_chain, g_free);
  if (requested != VK_LEVEL_AUTO && !backup->request->allow_full)
    return vk_fail (error, VK_ERROR_REFUSED, "no %s backup of '%s' is possible: %s: use --level full or auto, or add --allow-full", vk_level_words[requested], backup->xml->name, reason);
  backup->manifest->reason = g_steal_pointer (&reason);
  return TRUE;
}

guint64
vk_backup_estimate (VkBackup *backup, const VkBackupDisk *disk)
{
  virDomainBlockInfo info;

  if (disk->base != NULL)
    return disk->dirty;
  if (!vk_block_info_get (backup->domain, disk->disk->target, &info, NULL))
    return disk->size;
  return MIN (info.allocation, disk->size);
}
