/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the steps of a restore share. */
#pragma once

#include "restore/restore.h"
#include "restore/staging.h"
#include "restore/work-dir.h"

/* One disk or file of the point, and the place it goes to. */
typedef struct
{
  const VkManifestDisk *disk; /* or NULL */
  const VkManifestFile *file; /* or NULL */
  const char *name;           /* in results: the disk's target, or the file's name */
  char *path;                 /* of the file or block device, or QEMU's URI of the image; of a volume its name, while there is none */
  char *staged;               /* file name until it is placed, or NULL: it is written where it is to be */
  VkStaging *staging;         /* (transfer none) where it is staged */
  char *volume;               /* name of the volume in the pool, or NULL */
  gboolean is_created;        /* the volume was made by this run */
  gboolean complete;          /* copied, maybe by an earlier run */
  VkNbdServer *door;          /* to the disk in the store, or NULL: */
  char *source;               /* its images, read without a door */
  VkImageForm form;           /* of a new image */
  gboolean delta;             /* only what differs is written */
  guint64 written;            /* delta: bytes */
  char *hidden;               /* delta: what the file is called meanwhile, or NULL */
  gboolean is_half;           /* delta: an earlier run may have written to it */
  VkNbdServer *guard;         /* holds QEMU's lock on the disk that is to be replaced */
} VkRestoreItem;

typedef struct
{
  VkStore *store;
  const VkPoint *point;
  const VkRestoreRequest *request;
  VkReporter *reporter;
  GCancellable *cancellable;
  char *directory;       /* absolute, or NULL */
  VkWorkDir work;        /* private */
  VkStoragePool *pool;   /* or NULL */
  VkInPlace *in_place;   /* or NULL */
  GPtrArray *items;      /* of VkRestoreItem: disks first */
  GPtrArray *stagings;   /* of VkStaging */
  VkProgressItem *progress; /* a disk each, then the total */
  gsize n_disks;
  gsize current;         /* disk being copied */
} VkRestore;

/* Fills in items: what is wanted, and where it goes.  Nothing is written. */
gboolean vk_restore_plan (VkRestore *restore, GError **error);

/* Whether the name that an item gets is free: VK_ERROR_REFUSED when not. */
gboolean vk_restore_refuse_existing (const char *path, GError **error);

/* Fills in an item's path for a disk that --target sends to place. */
gboolean vk_restore_plan_target (VkRestore *restore, VkRestoreItem *item, const char *place, GError **error);

/* Before anything is written: whether what is at the target of an item can take
 * the disk.  A new image at a URI is made. */
gboolean vk_restore_prepare_target (VkRestore *restore, VkRestoreItem *item, GError **error);

/* VK_ERROR_REFUSED when somebody uses the item's block device. */
gboolean vk_restore_check_unused (const VkRestoreItem *item, GError **error);

/* Opens the doors to the disks that are still to be copied, and looks whether the
 * file systems have room for them.  VK_ERROR_STORE when one has not. */
gboolean vk_restore_check_space (VkRestore *restore, GError **error);

/* Copies a disk to where it is staged, or to its place, and checks it. */
gboolean vk_restore_copy_disk (VkRestore *restore, VkRestoreItem *item, GError **error);

/* Volumes: chooses the name, copies where that is not done by way of a staged
 * file, and gives a staged file its place.  vk_restore_drop_volume() takes back
 * what was made. */
gboolean vk_restore_plan_volume (VkRestore *restore, VkRestoreItem *item, GError **error);
gboolean vk_restore_copy_volume (VkRestore *restore, VkRestoreItem *item, GError **error);
gboolean vk_restore_place_volume (VkRestore *restore, VkRestoreItem *item, GError **error);
void vk_restore_drop_volume (VkRestore *restore, VkRestoreItem *item);

/* Copies the disk to the new file path, with the form of the request, and hashes beside it what
 * the store does not check by itself.  Nothing is left on failure. */
gboolean vk_restore_copy_to_file (VkRestore *restore, VkRestoreItem *item, const char *path, GError **error);

/* The same over the block device or image that is at target; without finish it keeps the
 * mark at its beginning. */
gboolean vk_restore_copy_over (VkRestore *restore, VkRestoreItem *item, const char *target, gboolean finish, GError **error);

/* What finish does, for the block device or file path. */
gboolean vk_restore_finish_over (VkRestore *restore, VkRestoreItem *item, const char *path, GError **error);

/* For vk_qemu_img_convert(): the fraction of the present disk. */
void vk_restore_show_fraction (double fraction, gpointer restore);

/* In place: where a disk, or the firmware's variables, are now.  FALSE for
 * variables that the domain does not have. */
gboolean vk_restore_plan_in_place (VkRestore *restore, VkRestoreItem *item, GError **error);
gboolean vk_restore_plan_nvram (VkRestore *restore, VkRestoreItem *item);

/* Finishes or undoes what a killed run has left of any restore in place. */
gboolean vk_restore_settle (VkRestore *restore, GError **error);

/* Keeps the domain from being started, as far as QEMU's locks do that, until the
 * swap. */
gboolean vk_restore_guard (VkRestore *restore, GError **error);

/* Puts what is staged into its places, all or nothing. */
gboolean vk_restore_swap (VkRestore *restore, GError **error);

/* Gives the disks other names, writes what differs into one, and gives all of them their
 * names back; or, after a failure, those that nothing was written to. */
gboolean vk_restore_hide (VkRestore *restore, GError **error);
gboolean vk_restore_copy_delta (VkRestore *restore, VkRestoreItem *item, GError **error);
gboolean vk_restore_show (VkRestore *restore, GError **error);
void vk_restore_show_untouched (VkRestore *restore, GError **error);

/* VK_ERROR_REFUSED for a disk that an interrupted delta has left under another name. */
gboolean vk_restore_refuse_half_written (VkRestore *restore, VkRestoreItem *item, GError **error);

/* Opens the disk in the store for its way to its place. */
gboolean vk_restore_open_source (VkRestore *restore, VkRestoreItem *item, GError **error);

/* For vk_qemu_img_convert() and the like. */
const char *vk_restore_source (const VkRestoreItem *item);
