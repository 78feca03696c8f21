/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees: the directories of a snapshot.  They are written and read as streams,
 * so that the tree of a large disk takes little more than its ids. */
#pragma once

#include "store/restic/content.h"
#include "store/restic/lock.h"
#include "store/restic/saver.h"

/* Bits of a node's mode, as Go has them, beside the nine of the permissions. */
#define VK_NODE_MODE_DIRECTORY (1u << 31)

typedef struct
{
  char *name;          /* as restic has it in JSON, see vk_tree_writer_add() */
  char *type;          /* "file", "dir", "symlink", ... */
  guint64 mode;
  char *mtime;         /* RFC 3339 */
  char *atime;
  char *ctime;
  guint64 uid;
  guint64 gid;
  char *user;          /* "" when there is none */
  char *group;
  guint64 size;        /* bytes, of a file */
  guint64 links;
  VkContent *content;  /* of a file; NULL for an empty one and for what is no file */
  gboolean has_subtree;
  VkResticId subtree;  /* of a directory */
} VkTreeNode;

VkTreeNode *vk_tree_node_new (void);
void vk_tree_node_free (VkTreeNode *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkTreeNode, vk_tree_node_free)

/* A file of permissions 0600 or directory of 0700 that belongs to this process,
 * with all times set to time (RFC 3339).  Returns: (transfer full). */
VkTreeNode *vk_tree_node_new_file (const char *name, guint64 size, const char *time, VkContent *content);
VkTreeNode *vk_tree_node_new_directory (const char *name, const char *time, const VkResticId *subtree);

/* --- writing -------------------------------------------------------------- */

typedef struct VkTreeWriter VkTreeWriter;

VkTreeWriter *vk_tree_writer_new (void);
void vk_tree_writer_free (VkTreeWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkTreeWriter, vk_tree_writer_free)

/* Appends a node.  Nodes have to come in the byte order of their names; names
 * are printable ASCII without '"', '\' and '/'.  content_bytes is the sum of the
 * lengths of the blobs in node->content, which the caller has counted: restic
 * does not compare it with the size, so this does.  VK_ERROR_FAILED when any of
 * that is not so. */
gboolean vk_tree_writer_add (VkTreeWriter *writer, const VkTreeNode *node, guint64 content_bytes, GError **error);

/* Ends the tree and saves it.  *id gets its id. */
gboolean vk_tree_writer_finish (VkTreeWriter *writer, VkResticSaver *saver, VkResticId *id, GError **error);

/* --- reading -------------------------------------------------------------- */

/* text is a tree, decompressed.  VK_ERROR_DAMAGED when it is none.
 * Returns: (transfer full) of VkTreeNode, in order. */
GPtrArray *vk_tree_parse (const void *text, gsize length, GError **error);

/* Reads a tree.  The errors of vk_restic_load_blob().
 * Returns: (transfer full) of VkTreeNode, in order. */
GPtrArray *vk_tree_load (VkRestic *repo, const VkResticId *id, GCancellable *cancellable, GError **error);

/* The node that path ("/a/b", relative to tree) names, read tree by tree.
 * VK_ERROR_NOT_FOUND when there is none.  Returns: (transfer full). */
VkTreeNode *vk_tree_find (VkRestic *repo, const VkResticId *tree, const char *path, GCancellable *cancellable, GError **error);
