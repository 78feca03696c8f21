/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The restic store: a restic repository in which some of the snapshots are
 * restore points.  A point is a snapshot with the tag VK_RESTIC_TAG, in whose
 * root directory are VK_RESTIC_MANIFEST and what the manifest names: a raw file
 * of the disk's size for each disk ("vda.raw"), and the other files.  Everything
 * else in the repository is somebody else's.  Documented in virt-keep-store(5). */
#pragma once

#include "store/restic/lock.h"
#include "store/restic/snapshot.h"
#include "store/restic/tree.h"
#include "store/store.h"

/* The tags of a point: this one, the domain's name, its UUID, the level; the two
 * below where they apply.  Only the first one is needed to read a point. */
#define VK_RESTIC_TAG "virt-keep"

/* The point is protected from removal. */
#define VK_RESTIC_TAG_PROTECTED "virt-keep:protected"

/* Before a note. */
#define VK_RESTIC_TAG_NOTE "virt-keep:note:"

#define VK_RESTIC_MANIFEST "manifest.json"

typedef struct
{
  VkStore base;     /* url: without a password that may be in the user's; id: the first digits of the repository's */
  VkRestic *repo;
  char *password;   /* for programs that open the repository, too: see password.h */
  guint retry_lock; /* seconds */
  gsize pack_size;  /* bytes, 0 for the default */
  int compression;  /* level of zstd, see VkStoreSettings */
  GMutex mutex;     /* over what follows */
  VkResticLock *lock; /* see vk_restic_store_lock() */
} VkResticStore;

/* What the list of this store consists of.  id and domain of one whose manifest
 * cannot be read are taken from the snapshot's time and tags; of one whose
 * snapshot cannot be read, from its name. */
typedef struct
{
  VkPoint base;
  VkResticId snapshot;
  VkResticId tree;
} VkResticPoint;

/* Opens the repository at location, which is what restic's -r takes; the
 * password is asked for on the terminal where it comes from nowhere else.
 * settings may be NULL.  Returns: (transfer full), see vk_store_open(). */
VkStore *vk_restic_store_open (const char *location, const VkStoreSettings *settings, GError **error);

/* Makes the repository and opens it; VK_ERROR_REFUSED when there is one. */
VkStore *vk_restic_store_create (const char *location, const VkStoreSettings *settings, GError **error);

/* Takes restic's shared lock, unless the store has it already, and keeps it until
 * the store is freed: nothing that can be read disappears meanwhile.  Any number
 * of threads.  Returns: (transfer none), or NULL with VK_ERROR_BUSY or what the
 * backend says. */
VkResticLock *vk_restic_store_lock (VkResticStore *store, GCancellable *cancellable, GError **error);

/* See VkStoreOps.list.  Of points that are damaged it has made sure, under the
 * lock, that they are not just being moved by a prune. */
GPtrArray *vk_restic_list (VkResticStore *store, const char *domain, GCancellable *cancellable, GError **error);

/* What the snapshot is as a point, whatever its tags.  Returns: (transfer full),
 * damage set where it has to be; NULL when the repository cannot be reached. */
VkResticPoint *vk_restic_read_point (VkResticStore *store, const VkSnapshot *snapshot, GCancellable *cancellable, GError **error);
