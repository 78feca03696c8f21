/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The restic store: a restic repository in which some of the snapshots are
 * restore points.  A point is a snapshot with the tag VK_RESTIC_TAG, in whose
 * root directory are VK_RESTIC_MANIFEST and what the manifest names: a raw file
 * of the disk's size for each disk ("vda.raw"), and the other files.  Other
 * snapshots are verdicts, see restic-verdict.h; everything else in the repository is
 * somebody else's.  Documented in virt-keep-store(5). */
#pragma once

#include "store/restic/disk-reader.h"
#include "store/restic/host-cache.h"
#include "store/restic/lock.h"
#include "store/restic/snapshot.h"
#include "store/restic/tree.h"
#include "store/store.h"

/* The tags of a point: this one, the domain's name, its UUID, the level; those
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
  VkHostCache *manifests; /* see manifest-cache.h */
  char *password;   /* for programs that open the repository, too: see password.h */
  guint retry_lock; /* seconds */
  gsize pack_size;  /* bytes, 0 for the default */
  int compression;  /* level of zstd, see VkStoreSettings */
  GMutex mutex;     /* over what follows */
  VkResticLock *lock; /* see vk_restic_store_lock() */
  GPtrArray *nodes; /* of VkTreeNode: the tree that was read last, */
  VkResticId tree;  /* which is this one; or NULL */
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

/* See vk_store_read_password(). */
gboolean vk_restic_store_read_password (const char *location, const VkStoreSettings *settings, char **password, GCancellable *cancellable, GError **error);

/* Makes the repository and opens it; VK_ERROR_REFUSED when there is one. */
VkStore *vk_restic_store_create (const char *location, const VkStoreSettings *settings, GError **error);

/* Takes restic's shared lock, unless the store has it already, and keeps it until
 * the store is freed: nothing that can be read disappears meanwhile.  Any number
 * of threads.  Returns: (transfer none), or NULL with VK_ERROR_BUSY or what the
 * backend says. */
VkResticLock *vk_restic_store_lock (VkResticStore *store, GCancellable *cancellable, GError **error);

/* The same, but see vk_restic_lock_take_early(): for a writer. */
VkResticLock *vk_restic_store_lock_early (VkResticStore *store, GCancellable *cancellable, GError **error);

/* Gives up the lock, if there is one. */
void vk_restic_store_unlock (VkResticStore *store);

/* See VkStoreOps.list.  Of points that are damaged it has made sure, under the
 * lock, that they are not just being moved by a prune. */
GPtrArray *vk_restic_list (VkResticStore *store, const char *domain, GCancellable *cancellable, GError **error);

/* What is wrong with a point is a damage; that it cannot be found out is not. */
gboolean vk_restic_is_damage (const GError *failure);

/* What the snapshot is as a point, whatever its tags.  Returns: (transfer full),
 * damage set where it has to be; NULL when the repository cannot be reached. */
VkResticPoint *vk_restic_read_point (VkResticStore *store, const VkSnapshot *snapshot, GCancellable *cancellable, GError **error);

/* The manifest as it is in the repository: node is its file in the tree.  location is
 * what messages call the point.  Returns: (transfer full); VK_ERROR_NOT_FOUND,
 * VK_ERROR_DAMAGED. */
VkManifest *vk_restic_read_manifest (VkResticStore *store, const VkTreeNode *node, const VkResticId *tree, const char *location, GCancellable *cancellable, GError **error);

/* The root directory of a point: nodes (of VkTreeNode) of the tree; kept until
 * another one is wanted.  Returns: (transfer full). */
GPtrArray *vk_restic_store_nodes (VkResticStore *store, const VkResticId *tree, GCancellable *cancellable, GError **error);

/* Gives up what the above has kept. */
void vk_restic_store_forget_nodes (VkResticStore *store);

/* What has that name among nodes, or NULL.  (transfer none) */
const VkTreeNode *vk_restic_find_node (const GPtrArray *nodes, const char *name);

/* The file of that name among nodes, if it is one of size bytes; VK_ERROR_NOT_FOUND,
 * VK_ERROR_DAMAGED.  (transfer none) */
const VkTreeNode *vk_restic_find_file (const GPtrArray *nodes, const char *name, guint64 size, GError **error);

/* Takes the shared lock and opens a file of the point, of size bytes; chunk_size
 * as for vk_disk_map_new().  Returns: (transfer full). */
VkDiskReader *vk_restic_open_file (VkResticStore *store, const VkPoint *point, const char *name, guint64 size, guint64 chunk_size, GCancellable *cancellable, GError **error);

/* See VkStoreOps. */
char *vk_restic_load_file (VkStore *base, const VkPoint *point, const VkManifestFile *file, gsize limit, GError **error);
gboolean vk_restic_copy_file (VkStore *base, const VkPoint *point, const VkManifestFile *file, const char *to_path, GCancellable *cancellable, GError **error);
VkNbdServer *vk_restic_open_disk (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, const char *socket_dir, GError **error);
gboolean vk_restic_check_base (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error);
VkLastingDoor *vk_restic_open_lasting (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, const VkDoorPlace *place, GError **error);
gboolean vk_restic_check_disk (VkStore *base, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error);
gboolean vk_restic_verify (VkStore *base, const GPtrArray *points, const char *socket_dir, GPtrArray *damages, GCancellable *cancellable, GError **error);
