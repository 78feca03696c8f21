/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/tree.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "store/restic/zstd.h"

/* What is compressed and hashed at once, in bytes. */
enum { PIECE_BYTES = 64 << 10 };

enum { FILE_MODE = 0600, DIRECTORY_MODE = 0700 };

struct VkTreeWriter
{
  VkZstdWriter *zstd;
  VkDigest *digest;
  GString *text;      /* what has been neither compressed nor hashed yet */
  guint64 length;     /* of what has been */
  char *last_name;
};

VkTreeNode *
vk_tree_node_new (void)
{
  VkTreeNode *node = g_new0 (VkTreeNode, 1);

  node->name = g_strdup ("");
  node->type = g_strdup ("");
  node->mtime = g_strdup ("");
  node->atime = g_strdup ("");
  node->ctime = g_strdup ("");
  node->user = g_strdup ("");
  node->group = g_strdup ("");
  return node;
}

void
vk_tree_node_free (VkTreeNode *node)
{
  if (node == NULL)
    return;
  g_free (node->name);
  g_free (node->type);
  g_free (node->mtime);
  g_free (node->atime);
  g_free (node->ctime);
  g_free (node->user);
  g_free (node->group);
  vk_content_unref (node->content);
  g_free (node);
}

static void
replace (char **string, const char *value)
{
  g_free (*string);
  *string = g_strdup (value);
}

static VkTreeNode *
new_node (const char *name, const char *type, guint64 mode, const char *time)
{
  VkTreeNode *node = vk_tree_node_new ();

  replace (&node->name, name);
  replace (&node->type, type);
  replace (&node->mtime, time);
  replace (&node->atime, time);
  replace (&node->ctime, time);
  node->mode = mode;
  node->uid = getuid ();
  node->gid = getgid ();
  return node;
}

VkTreeNode *
vk_tree_node_new_file (const char *name, guint64 size, const char *time, VkContent *content)
{
  VkTreeNode *node = new_node (name, "file", FILE_MODE, time);

  node->size = size;
  node->links = 1;
  node->content = content ? vk_content_ref (content) : NULL;
  return node;
}

VkTreeNode *
vk_tree_node_new_directory (const char *name, const char *time, const VkResticId *subtree)
{
  VkTreeNode *node = new_node (name, "dir", VK_NODE_MODE_DIRECTORY | DIRECTORY_MODE, time);

  node->has_subtree = TRUE;
  node->subtree = *subtree;
  return node;
}

/* --- writing -------------------------------------------------------------- */

VkTreeWriter *
vk_tree_writer_new (void)
{
  VkTreeWriter *writer = g_new0 (VkTreeWriter, 1);

  writer->zstd = vk_zstd_writer_new (VK_ZSTD_LEVEL, VK_SEAL_IV_BYTES);
  writer->digest = vk_digest_new ();
  writer->text = g_string_new ("{\"nodes\":[");
  return writer;
}

void
vk_tree_writer_free (VkTreeWriter *writer)
{
  if (writer == NULL)
    return;
  vk_zstd_writer_free (writer->zstd);
  if (writer->digest != NULL)
    vk_digest_free (writer->digest);
  g_string_free (writer->text, TRUE);
  g_free (writer->last_name);
  g_free (writer);
}

static void
flush (VkTreeWriter *writer, gsize threshold)
{
  if (writer->text->len < threshold)
    return;
  vk_zstd_writer_write (writer->zstd, writer->text->str, writer->text->len);
  vk_digest_update (writer->digest, writer->text->str, writer->text->len);
  writer->length += writer->text->len;
  g_string_truncate (writer->text, 0);
}

static gboolean
is_plain (const char *text)
{
  for (; *text != '\0'; text++)
    if (!g_ascii_isprint (*text) || *text == '"' || *text == '\\')
      return FALSE;
  return TRUE;
}

static gboolean
is_name (const char *name)
{
  return *name != '\0' && is_plain (name) && strchr (name, '/') == NULL && strcmp (name, ".") != 0 && strcmp (name, "..") != 0;
}

static gboolean
check_node (const VkTreeWriter *writer, const VkTreeNode *node, guint64 content_bytes, GError **error)
{
  const char *wrong = NULL;

  if (!is_name (node->name))
    wrong = "its name cannot be written";
  else if (writer->last_name != NULL && strcmp (writer->last_name, node->name) >= 0)
    wrong = "its name comes too late";
  else if (!is_plain (node->type) || !is_plain (node->mtime) || !is_plain (node->atime) || !is_plain (node->ctime) || !is_plain (node->user) || !is_plain (node->group))
    wrong = "it has characters that cannot be written";
  else if (node->size != content_bytes)
    wrong = "its size is not that of its content";
  if (wrong == NULL)
    return TRUE;
  vk_fail (error, VK_ERROR_FAILED, "'%s' cannot be part of a tree: %s (%" PRIu64 " bytes, %" PRIu64 " in blobs)",
               node->name, wrong, node->size, content_bytes);
  return FALSE;
}

/* Plain text, escaped as Go does it: restic must find the same bytes when it
 * writes the tree again. */
static void
append_string (GString *text, const char *member, const char *value)
{
  g_string_append_printf (text, "\"%s\":\"", member);
  for (; *value != '\0'; value++)
    if (*value == '<' || *value == '>' || *value == '&')
      g_string_append_printf (text, "\\u%04x", (guint) *value);
    else
      g_string_append_c (text, *value);
  g_string_append_c (text, '"');
}

/* Members that Go leaves out when they are empty or 0. */
static void
append_optional_string (GString *text, const char *member, const char *value)
{
  if (*value == '\0')
    return;
  g_string_append_c (text, ',');
  append_string (text, member, value);
}

static void
append_optional_number (GString *text, const char *member, guint64 value)
{
  if (value != 0)
    g_string_append_printf (text, ",\"%s\":%" PRIu64, member, value);
}

static void
append_content (VkTreeWriter *writer, const VkContent *content)
{
  char id[VK_RESTIC_ID_DIGITS + 1];
  guint64 length = vk_content_length (content);
  guint64 count;

  for (guint64 i = 0; i < length; i += count)
    {
      vk_restic_id_format (vk_content_get_run (content, i, &count), id);
      for (guint64 j = 0; j < count; j++)
        {
          g_string_append (writer->text, i + j > 0 ? ",\"" : "\"");
          g_string_append_len (writer->text, id, VK_RESTIC_ID_DIGITS);
          g_string_append_c (writer->text, '"');
          flush (writer, PIECE_BYTES);
        }
    }
}

/* In the order of the fields of restic's own node. */
static void
append_node (VkTreeWriter *writer, const VkTreeNode *node)
{
  GString *text = writer->text;

  g_string_append (text, writer->last_name ? ",{" : "{");
  append_string (text, "name", node->name);
  append_optional_string (text, "type", node->type);
  append_optional_number (text, "mode", node->mode);
  append_optional_string (text, "mtime", node->mtime);
  append_optional_string (text, "atime", node->atime);
  append_optional_string (text, "ctime", node->ctime);
  g_string_append_printf (text, ",\"uid\":%" PRIu64 ",\"gid\":%" PRIu64, node->uid, node->gid);
  append_optional_string (text, "user", node->user);
  append_optional_string (text, "group", node->group);
  append_optional_number (text, "size", node->size);
  append_optional_number (text, "links", node->links);
  if (strcmp (node->type, "file") != 0)
    g_string_append (text, ",\"content\":null");
  else
    {
      g_string_append (text, ",\"content\":[");
      if (node->content != NULL)
        append_content (writer, node->content);
      g_string_append_c (text, ']');
    }
  if (node->has_subtree)
    {
      char id[VK_RESTIC_ID_DIGITS + 1];

      vk_restic_id_format (&node->subtree, id);
      append_optional_string (text, "subtree", id);
    }
  g_string_append_c (text, '}');
}

gboolean
vk_tree_writer_add (VkTreeWriter *writer, const VkTreeNode *node, guint64 content_bytes, GError **error)
{
  if (!check_node (writer, node, content_bytes, error))
    return FALSE;
  append_node (writer, node);
  flush (writer, PIECE_BYTES);
  replace (&writer->last_name, node->name);
  return TRUE;
}

gboolean
vk_tree_writer_finish (VkTreeWriter *writer, VkResticSaver *saver, VkResticId *id, GError **error)
{
  g_autoptr (GByteArray) compressed = NULL;
  g_autofree char *digest = NULL;

  /* Go's encoder ends a document with a line feed. */
  g_string_append (writer->text, "]}\n");
  flush (writer, 0);
  compressed = vk_zstd_writer_finish (g_steal_pointer (&writer->zstd));
  digest = vk_digest_finish (writer->digest);
  vk_restic_id_parse (digest, id);
  if (writer->length > VK_BLOB_LIMIT)
    return vk_fail (error, VK_ERROR_FAILED, "a tree of %" PRIu64 " bytes cannot be saved: larger chunks make it smaller", writer->length);
  return vk_restic_saver_add_compressed (saver, VK_BLOB_TREE, id, (guint32) writer->length, g_steal_pointer (&compressed), error);
}
