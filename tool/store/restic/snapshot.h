/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots: what restic calls a point. */
#pragma once

#include "store/restic/lock.h"

/* More bytes than this, decompressed, are no snapshot. */
enum { VK_SNAPSHOT_LIMIT = 64 << 20 };

typedef struct
{
  VkResticId id;   /* its file's name; not for vk_snapshot_save() */
  char *damage;    /* why it cannot be read, or NULL; then nothing but id is set */
  char *time;      /* RFC 3339 */
  gint64 unix_us;  /* the same in microseconds since 1970; not for vk_snapshot_save() */
  VkResticId tree;
  char *parent;    /* 64 digits, or NULL */
  char **paths;
  char *hostname;  /* "" when the file has none; so are the strings below */
  char *username;
  guint64 uid;
  guint64 gid;
  char **tags;
  char *original;  /* 64 digits, or NULL: what it was before restic changed tags */
  char *program_version;
} VkSnapshot;

VkSnapshot *vk_snapshot_new (void);

/* A snapshot that this program makes now, of one path: time is RFC 3339, hostname may be NULL
 * for this host, tags are NULL-terminated.  Returns: (transfer full), without a tree. */
VkSnapshot *vk_snapshot_new_own (const char *time, const char *hostname, const char *path, const char *const *tags);
void vk_snapshot_free (VkSnapshot *snapshot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkSnapshot, vk_snapshot_free)

gboolean vk_snapshot_has_tag (const VkSnapshot *snapshot, const char *tag);

/* text is what has been unsealed and decompressed.  VK_ERROR_DAMAGED when it is
 * no snapshot.  Returns: (transfer full). */
VkSnapshot *vk_snapshot_parse (const void *text, gsize length, GError **error);

/* All of the repository, whoever made them, oldest first, then those that cannot
 * be read (damage is set).  Returns: (transfer full) of VkSnapshot. */
GPtrArray *vk_snapshot_list (VkRestic *repo, GCancellable *cancellable, GError **error);

/* VK_ERROR_NOT_FOUND, VK_ERROR_DAMAGED.  Returns: (transfer full). */
VkSnapshot *vk_snapshot_load (VkRestic *repo, const VkResticId *id, GCancellable *cancellable, GError **error);

/* Writes it, unless lock (NULL: none) is lost; durable on success.  *id gets its
 * name.  Everything it refers to must be durable and in the index: see
 * vk_restic_saver_flush(). */
gboolean vk_snapshot_save (VkRestic *repo, VkResticLock *lock, const VkSnapshot *snapshot, VkResticId *id, GCancellable *cancellable, GError **error);

/* Removes the file of the snapshot; no such file is a success.  Only under an
 * exclusive lock. */
gboolean vk_snapshot_remove (VkRestic *repo, const VkResticId *id, GCancellable *cancellable, GError **error);
