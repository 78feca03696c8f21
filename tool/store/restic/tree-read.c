/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/tree.h"

#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "store/restic/json-reader.h"
#include "store/restic/zstd.h"

static void
read_string (VkJsonReader *reader, char **string)
{
  const char *text = vk_json_reader_string (reader, NULL);

  if (text == NULL)
    return;
  g_free (*string);
  *string = g_strdup (text);
}

static gboolean
read_id (VkJsonReader *reader, VkResticId *id)
{
  gsize length;
  const char *text = vk_json_reader_string (reader, &length);

  if (text == NULL)
    return FALSE;
  return vk_restic_id_parse_length (text, length, id) ? TRUE : vk_json_reader_fail (reader, "an id in it is none");
}

/* Ids that repeat, as in a disk with much free space, are counted. */
static void
read_content (VkJsonReader *reader, VkTreeNode *node)
{
  VkResticId id;
  VkResticId last;
  guint64 count = 0;

  if (vk_json_reader_null (reader) || !vk_json_reader_array (reader))
    return;
  vk_content_unref (node->content);
  node->content = vk_content_new ();
  while (vk_json_reader_element (reader) && read_id (reader, &id))
    {
      if (count > 0 && !vk_restic_id_equal (&id, &last))
        {
          vk_content_append (node->content, &last, count);
          count = 0;
        }
      last = id;
      count++;
    }
  if (count > 0)
    vk_content_append (node->content, &last, count);
}

static void
read_subtree (VkJsonReader *reader, VkTreeNode *node)
{
  if (!vk_json_reader_null (reader))
    node->has_subtree = read_id (reader, &node->subtree);
}

/* One of the members that are text; FALSE when member is none. */
static gboolean
read_text_member (VkJsonReader *reader, const char *member, VkTreeNode *node)
{
  const struct
  {
    const char *name;
    char **string;
  } members[] = {
    { "name", &node->name }, { "type", &node->type }, { "mtime", &node->mtime }, { "atime", &node->atime },
    { "ctime", &node->ctime }, { "user", &node->user }, { "group", &node->group },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    if (strcmp (member, members[i].name) == 0)
      {
        read_string (reader, members[i].string);
        return TRUE;
      }
  return FALSE;
}

static gboolean
read_number_member (VkJsonReader *reader, const char *member, VkTreeNode *node)
{
  const struct
  {
    const char *name;
    guint64 *number;
  } members[] = {
    { "mode", &node->mode }, { "uid", &node->uid }, { "gid", &node->gid }, { "size", &node->size }, { "links", &node->links },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    if (strcmp (member, members[i].name) == 0)
      {
        vk_json_reader_uint64 (reader, members[i].number);
        return TRUE;
      }
  return FALSE;
}

/* A name is used to make paths. */
static gboolean
check_name (VkJsonReader *reader, const char *name)
{
  if (*name == '\0' || strchr (name, '/') != NULL || strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
    return vk_json_reader_fail (reader, "a name in it is none of a file");
  return TRUE;
}

/* Returns: (transfer full), or NULL. */
static VkTreeNode *
read_node (VkJsonReader *reader)
{
  g_autoptr (VkTreeNode) node = vk_tree_node_new ();
  const char *member;

  if (!vk_json_reader_object (reader))
    return NULL;
  while ((member = vk_json_reader_member (reader)) != NULL)
    {
      if (strcmp (member, "content") == 0)
        read_content (reader, node);
      else if (strcmp (member, "subtree") == 0)
        read_subtree (reader, node);
      else if (!read_text_member (reader, member, node) && !read_number_member (reader, member, node))
        vk_json_reader_skip (reader);
    }
  return check_name (reader, node->name) ? g_steal_pointer (&node) : NULL;
}

static void
read_nodes (VkJsonReader *reader, GPtrArray *nodes)
{
  if (vk_json_reader_null (reader) || !vk_json_reader_array (reader))
    return;
  while (vk_json_reader_element (reader))
    {
      VkTreeNode *node = read_node (reader);

      if (node == NULL)
        return;
      g_ptr_array_add (nodes, node);
    }
}

static GPtrArray *
read_tree (VkJsonReader *reader, GError **error)
{
  g_autoptr (GPtrArray) nodes = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_tree_node_free);
  const char *member;

  vk_json_reader_object (reader);
  while ((member = vk_json_reader_member (reader)) != NULL)
    {
      if (strcmp (member, "nodes") == 0)
        read_nodes (reader, nodes);
      else
        vk_json_reader_skip (reader);
    }
  return vk_json_reader_end (reader, error) ? g_steal_pointer (&nodes) : NULL;
}

GPtrArray *
vk_tree_parse (const void *text, gsize length, GError **error)
{
  g_autoptr (VkJsonReader) reader = vk_json_reader_new_for_text (text, length);

  return read_tree (reader, error);
}

/* --- out of a repository -------------------------------------------------- */

/* Where the text of a tree comes from, and what has come. */
struct source
{
  VkZstdReader *zstd;  /* NULL when it is not compressed */
  const guint8 *plain; /* what is left then */
  gsize left;
  VkDigest *digest;
};

static gssize
fill (gpointer user_data, void *buffer, gsize size, GError **error)
{
  struct source *source = user_data;
  gssize got;

  if (source->zstd != NULL)
    got = vk_zstd_reader_read (source->zstd, buffer, size, error);
  else
    {
      got = (gssize) MIN (size, source->left);
      memcpy (buffer, source->plain, (gsize) got);
      source->plain += got;
      source->left -= (gsize) got;
    }
  if (got > 0)
    vk_digest_update (source->digest, buffer, (gsize) got);
  return got;
}

/* Nothing that was read counts unless the whole of it is what the id says. */
static gboolean
check_source (struct source *source, const char *id, GError **error)
{
  g_autofree char *digest = vk_digest_finish (source->digest);

  if (strcmp (digest, id) == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_DAMAGED, "its content has another SHA-256 than its id");
}

/* Returns: (transfer full). */
static GPtrArray *
read_stored (GBytes *stored, guint32 raw_length, const char *id, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (stored, &size);
  g_autoptr (VkZstdReader) zstd = raw_length ? vk_zstd_reader_new (data, size, raw_length) : NULL;
  g_autoptr (VkDigest) digest = vk_digest_new ();
  struct source source = { .zstd = zstd, .plain = data, .left = size, .digest = digest };
  g_autoptr (VkJsonReader) reader = vk_json_reader_new (fill, &source);
  g_autoptr (GPtrArray) nodes = read_tree (reader, error);

  if (nodes == NULL || !check_source (&source, id, error))
    return NULL;
  return g_steal_pointer (&nodes);
}

GPtrArray *
vk_tree_load (VkRestic *repo, const VkResticId *id, GCancellable *cancellable, GError **error)
{
  guint32 raw_length;
  g_autoptr (GBytes) stored = vk_restic_load_stored (repo, VK_BLOB_TREE, id, &raw_length, cancellable, error);
  g_autoptr (GError) failure = NULL;
  char name[VK_RESTIC_ID_DIGITS + 1];
  GPtrArray *nodes;

  if (stored == NULL)
    return NULL;
  vk_restic_id_format (id, name);
  nodes = read_stored (stored, raw_length, name, &failure);
  if (nodes == NULL)
    vk_fail (error, VK_ERROR_DAMAGED, "the tree blob %s is damaged: %s", name, failure->message);
  return nodes;
}

/* Takes the node of that name out of the tree.  Returns: (transfer full). */
static VkTreeNode *
take_node (VkRestic *repo, const VkResticId *tree, const char *name, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) nodes = vk_tree_load (repo, tree, cancellable, error);

  if (nodes == NULL)
    return NULL;
  for (guint i = 0; i < nodes->len; i++)
    {
      const VkTreeNode *node = g_ptr_array_index (nodes, i);

      if (strcmp (node->name, name) == 0)
        return g_ptr_array_steal_index (nodes, i);
    }
  vk_fail (error, VK_ERROR_NOT_FOUND, "there is no '%s' in its directory", name);
  return NULL;
}

VkTreeNode *
vk_tree_find (VkRestic *repo, const VkResticId *tree, const char *path, GCancellable *cancellable, GError **error)
{
  g_auto (GStrv) names = g_strsplit (path, "/", -1);
  g_autoptr (VkTreeNode) node = NULL;
  VkResticId directory = *tree;

  for (char **name = names; *name != NULL; name++)
    {
      if (**name == '\0')
        continue;
      if (node != NULL && !node->has_subtree)
        {
          vk_fail (error, VK_ERROR_NOT_FOUND, "there is no '%s': '%s' is no directory", path, node->name);
          return NULL;
        }
      g_clear_pointer (&node, vk_tree_node_free);
      node = take_node (repo, &directory, *name, cancellable, error);
      if (node == NULL)
        return NULL;
      directory = node->subtree;
    }
  if (node == NULL)
    vk_fail (error, VK_ERROR_NOT_FOUND, "'%s' names no file", path);
  return g_steal_pointer (&node);
}
