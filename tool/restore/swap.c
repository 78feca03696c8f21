/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New disks into the places of the domain's own, and back if anything fails.
 *
 * First all the present ones leave, then all the new ones come: at no moment in
 * between does the domain have a complete set, so it cannot be started with disks
 * of two different times.  The present ones go when a mark says that everything is
 * done.  What a killed run has left is finished by the next one when the mark is
 * there, and undone when it is not. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "restore/restore-private.h"
#include "view/qcow2-header.h"

enum { MAX_LINKS = 8 };

static gboolean
refuse (VkRestoreItem *item, const char *why, GError **error)
{
  return vk_fail (error, VK_ERROR_REFUSED, "the disk %s cannot be restored in place: %s: use --target or --to", item->name, why);
}

/* Why the domain's disk is no place for us, or NULL. */
static const char *
find_obstacle (const VkDisk *disk)
{
  if (disk == NULL)
    return "the domain has no such disk any more";
  if (disk->path == NULL)
    return "it is no local file or block device";
  if (disk->encrypted)
    return "it is encrypted";
  if (disk->sliced)
    return "it is a part of its image only";
  if (disk->shareable)
    return "it is shared with other domains";
  if (strcmp (disk->format, "raw") != 0 && strcmp (disk->format, "qcow2") != 0)
    return "its format is neither raw nor qcow2";
  return NULL;
}

/* Where a file really is, or was: a symbolic link to it stays one. */
static char *
resolve (const char *path)
{
  g_autofree char *at = g_strdup (path);
  g_autofree char *directory = NULL;
  g_autofree char *name = NULL;
  char *real;

  for (int i = 0; i < MAX_LINKS; i++)
    {
      g_autofree char *parent = g_path_get_dirname (at);
      g_autofree char *link = g_file_read_link (at, NULL);

      if (link == NULL)
        break;
      g_free (at);
      at = g_canonicalize_filename (link, parent);
    }
  name = g_path_get_basename (at);
  directory = g_path_get_dirname (at);
  real = realpath (directory, NULL);
  g_free (at);
  at = g_build_filename (real ? real : directory, name, NULL);
  free (real);
  return g_steal_pointer (&at);
}

/* A new image would have none, and the domain's XML may name it. */
static gboolean
has_data_file (const VkRestoreItem *item)
{
  VkQcow2Header header;

  return strcmp (item->form.format, "qcow2") == 0 && vk_qcow2_header_read (item->path, &header, NULL)
      && (header.incompatible_features & VK_QCOW2_INCOMPATIBLE_DATA_FILE) != 0;
}

gboolean
vk_restore_plan_in_place (VkRestore *restore, VkRestoreItem *item, GError **error)
{
  const VkDisk *disk = vk_domain_xml_find_disk (restore->in_place->xml, item->name);
  const char *obstacle = find_obstacle (disk);
  struct stat status;
  gboolean is_block;

  if (obstacle != NULL)
    return refuse (item, obstacle, error);
  item->path = resolve (disk->path);
  item->form.format = strcmp (disk->format, "raw") == 0 ? "raw" : "qcow2";
  if (strcmp (item->form.format, "raw") == 0)
    {
      item->form.cluster_size = 0;
      item->form.compress = FALSE;
    }
  is_block = stat (item->path, &status) == 0 && S_ISBLK (status.st_mode);
  item->delta = restore->request->delta;
  if (is_block && !vk_restore_check_unused (item, error))
    return FALSE;
  if (is_block && !item->delta && strcmp (item->form.format, "raw") != 0)
    return refuse (item, "it is a qcow2 on a block device, where only --delta can write", error);
  if (!item->delta && has_data_file (item))
    return refuse (item, "it is a qcow2 that keeps its data in another file, where only --delta can write", error);
  if (!is_block && !item->delta)
    item->staged = g_path_get_basename (item->path);
  return TRUE;
}

gboolean
vk_restore_plan_nvram (VkRestore *restore, VkRestoreItem *item)
{
  const char *path = restore->in_place->xml->nvram;
  struct stat status;

  if (path == NULL || (stat (path, &status) == 0 && !S_ISREG (status.st_mode)))
    return FALSE;
  item->path = resolve (path);
  item->staged = g_path_get_basename (item->path);
  return TRUE;
}

/* ---- one disk's files ------------------------------------------------------ */

/* The mark that everything is done. */
static const char done_name[] = ".done";

/* A file in the hidden directory beside path. */
static char *
beside (const VkRestore *restore, const char *path, const char *name)
{
  g_autofree char *parent = g_path_get_dirname (path);
  g_autofree char *directory = vk_staging_directory (parent, VK_STAGING_IN_PLACE, restore->point);

  return g_build_filename (directory, name, NULL);
}

/* Where the present file waits. */
static char *
aside_path (const VkRestore *restore, const char *path)
{
  g_autofree char *base = g_path_get_basename (path);
  g_autofree char *name = g_strconcat (VK_STAGING_ASIDE, base, NULL);

  return beside (restore, path, name);
}

static gboolean
exists (const char *path)
{
  struct stat status;

  return lstat (path, &status) == 0;
}

/* The new file gets owner and mode of the present one. */
static gboolean
dress (const VkRestore *restore G_GNUC_UNUSED, const VkRestoreItem *item, GError **error)
{
  g_autofree char *new = vk_staging_path (item->staging, item->staged);
  struct stat status;

  if (stat (item->path, &status) < 0 || (chown (new, status.st_uid, status.st_gid) == 0 && chmod (new, status.st_mode & 07777) == 0))
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "cannot give '%s' the owner and mode of '%s': %s", new, item->path, g_strerror (errno));
}

static gboolean
leave (const VkRestore *restore, const VkRestoreItem *item, GError **error)
{
  g_autofree char *aside = aside_path (restore, item->path);

  return !exists (item->path) || vk_file_rename (item->path, aside, error);
}

static gboolean
come (const VkRestore *restore G_GNUC_UNUSED, const VkRestoreItem *item, GError **error)
{
  g_autofree char *new = vk_staging_path (item->staging, item->staged);

  return vk_file_rename (new, item->path, error);
}

/* Undoes both. */
static gboolean
put_back (const VkRestore *restore, const char *path, GError **error)
{
  g_autofree char *aside = aside_path (restore, path);

  return !exists (aside) || vk_file_replace (aside, path, error);
}

static gboolean
drop_aside (const VkRestore *restore, const char *path, GError **error)
{
  g_autofree char *aside = aside_path (restore, path);

  return vk_tree_remove (aside, error);
}

static gboolean
drop_mark (const VkRestore *restore, const char *path, GError **error)
{
  g_autofree char *mark = beside (restore, path, done_name);

  return vk_tree_remove (mark, error);
}

/* ---- all of them ------------------------------------------------------------- */

typedef gboolean (*ItemFunc) (const VkRestore *restore, const VkRestoreItem *item, GError **error);

static gboolean
for_each (const VkRestore *restore, ItemFunc func, GError **error)
{
  for (guint i = 0; i < restore->items->len; i++)
    {
      const VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      if (item->staged != NULL && !func (restore, item, error))
        return FALSE;
    }
  return TRUE;
}

/* Every file of the domain that can be restored in place, of this run or not. */
static GPtrArray *
list_paths (const VkRestore *restore)
{
  const VkDomainXml *xml = restore->in_place->xml;
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < xml->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (xml->disks, i);

      if (disk->path != NULL)
        g_ptr_array_add (paths, resolve (disk->path));
    }
  if (xml->nvram != NULL)
    g_ptr_array_add (paths, resolve (xml->nvram));
  return paths;
}

typedef gboolean (*PathFunc) (const VkRestore *restore, const char *path, GError **error);

static gboolean
for_each_path (const VkRestore *restore, const GPtrArray *paths, PathFunc func, GError **error)
{
  for (guint i = 0; i < paths->len; i++)
    if (!func (restore, g_ptr_array_index (paths, i), error))
      return FALSE;
  return TRUE;
}

gboolean
vk_restore_settle (VkRestore *restore, GError **error)
{
  g_autoptr (GPtrArray) paths = list_paths (restore);
  gboolean done = FALSE;

  for (guint i = 0; i < paths->len; i++)
    {
      g_autofree char *mark = beside (restore, g_ptr_array_index (paths, i), done_name);

      done = done || exists (mark);
    }
  return for_each_path (restore, paths, done ? drop_aside : put_back, error) && for_each_path (restore, paths, drop_mark, error);
}

/* One of the hidden directories with the mark is enough. */
static gboolean
mark_done (const VkRestore *restore, GError **error)
{
  const VkRestoreItem *item = NULL;
  g_autofree char *mark = NULL;
  g_autofree char *directory = NULL;

  for (guint i = 0; i < restore->items->len; i++)
    if (((VkRestoreItem *) g_ptr_array_index (restore->items, i))->staged != NULL)
      item = g_ptr_array_index (restore->items, i);
  if (item == NULL)
    return TRUE;
  mark = beside (restore, item->path, done_name);
  directory = g_path_get_dirname (mark);
  return vk_file_write (mark, "", 0, error) && vk_file_sync (directory, error);
}

gboolean
vk_restore_swap (VkRestore *restore, GError **error)
{
  g_autoptr (GPtrArray) paths = list_paths (restore);

  for (guint i = 0; i < restore->items->len; i++)
    g_clear_pointer (&((VkRestoreItem *) g_ptr_array_index (restore->items, i))->guard, vk_nbd_server_free);
  if (!vk_in_place_check_off (restore->in_place, error) || !for_each (restore, dress, error))
    return FALSE;
  if (for_each (restore, leave, error) && for_each (restore, come, error) && mark_done (restore, error))
    return for_each_path (restore, paths, drop_aside, error);
  for_each_path (restore, paths, put_back, NULL);
  return FALSE;
}

gboolean
vk_restore_guard (VkRestore *restore, GError **error)
{
  for (guint i = 0; i < restore->n_disks; i++)
    {
      VkRestoreItem *item = g_ptr_array_index (restore->items, i);

      if (item->staged == NULL || !exists (item->path))
        continue;
      item->guard = vk_nbd_server_source (item->path, item->form.format, NULL, restore->work.path, error);
      if (item->guard == NULL)
        return FALSE;
    }
  return TRUE;
}
