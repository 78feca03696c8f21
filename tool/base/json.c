/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/json.h"

#include <string.h>

#include "base/digest.h"
#include "base/error.h"

/* The member that holds the digest of the others. */
static const char seal[] = "sha256";

enum { MAXIMUM_DEPTH = 100 };

/* The parser calls itself for each level of nesting: what is deeper than any
 * document of ours would end the program with a stack overflow. */
static gboolean
is_nested_too_deeply (const char *text)
{
  guint depth = 0;
  gboolean in_string = FALSE;

  for (; *text != '\0'; text++)
    {
      if (in_string && *text == '\\' && text[1] != '\0')
        text++;
      else if (*text == '"')
        in_string = !in_string;
      else if (!in_string && (*text == '[' || *text == '{'))
        {
          if (++depth > MAXIMUM_DEPTH)
            return TRUE;
        }
      else if (!in_string && (*text == ']' || *text == '}') && depth > 0)
        depth--;
    }
  return FALSE;
}

/* A member that stands twice in an object: every reader may take another one of them. */
typedef struct
{
  GHashTable *seen; /* of char *: where in which object */
  char *twice;      /* the name of the first such member, or NULL */
} Members;

static void
note_member (JsonParser *parser, JsonObject *object, const char *name, gpointer user_data)
{
  Members *members = user_data;

  if (!g_hash_table_add (members->seen, g_strdup_printf ("%p:%s", (void *) object, name)) && members->twice == NULL)
    members->twice = g_strdup (name);
}

JsonObject *
vk_json_parse (const char *text, const char *name, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Members members = { .seen = seen };
  g_autofree char *twice = NULL;
  g_autoptr (GError) failure = NULL;
  gboolean loaded;
  JsonNode *root;

  if (!g_utf8_validate (text, -1, NULL))
    {
      vk_fail (error, VK_ERROR_STORE, "%s: not UTF-8 text", name);
      return NULL;
    }
  if (is_nested_too_deeply (text))
    {
      vk_fail (error, VK_ERROR_STORE, "%s: nested more than %d levels deep", name, MAXIMUM_DEPTH);
      return NULL;
    }
  /* Until the parser goes, no two of its objects have the same address. */
  g_signal_connect (parser, "object-member", G_CALLBACK (note_member), &members);
  loaded = json_parser_load_from_data (parser, text, -1, &failure);
  twice = members.twice;
  if (!loaded)
    {
      vk_fail (error, VK_ERROR_STORE, "%s: not JSON: %s", name, failure->message);
      return NULL;
    }
  if (twice != NULL)
    {
      vk_fail (error, VK_ERROR_STORE, "%s: \"%s\" stands there twice", name, twice);
      return NULL;
    }
  root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    {
      vk_fail (error, VK_ERROR_STORE, "%s: not a JSON object", name);
      return NULL;
    }
  return json_object_ref (json_node_get_object (root));
}

JsonObject *
vk_json_parse_length (const void *text, gsize length, const char *name, GError **error)
{
  g_autofree char *terminated = g_strndup (length > 0 ? text : "", length);

  if (length > 0 && memchr (text, 0, length) != NULL)
    {
      vk_fail (error, VK_ERROR_STORE, "%s: it contains a NUL byte, which no text has", name);
      return NULL;
    }
  return vk_json_parse (terminated, name, error);
}

/* The member when it is there and not null. */
static JsonNode *
find_member (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node && !JSON_NODE_HOLDS_NULL (node) ? node : NULL;
}

static gboolean
set_type_error (GError **error, const char *member, const char *expected)
{
  return vk_fail (error, VK_ERROR_STORE, "\"%s\" is not %s", member, expected);
}

gboolean
vk_json_get_string (JsonObject *object, const char *member, const char *fallback, char **value, GError **error)
{
  JsonNode *node = find_member (object, member);

  if (node != NULL && json_node_get_value_type (node) != G_TYPE_STRING)
    return set_type_error (error, member, "a string");
  *value = g_strdup (node ? json_node_get_string (node) : fallback);
  return TRUE;
}

gboolean
vk_json_get_uint64 (JsonObject *object, const char *member, guint64 fallback, guint64 *value, GError **error)
{
  JsonNode *node = find_member (object, member);

  if (node != NULL && (json_node_get_value_type (node) != G_TYPE_INT64 || json_node_get_int (node) < 0))
    return set_type_error (error, member, "a whole number from 0 to 2^63-1");
  *value = node ? (guint64) json_node_get_int (node) : fallback;
  return TRUE;
}

gboolean
vk_json_get_boolean (JsonObject *object, const char *member, gboolean fallback, gboolean *value, GError **error)
{
  JsonNode *node = find_member (object, member);

  if (node != NULL && json_node_get_value_type (node) != G_TYPE_BOOLEAN)
    return set_type_error (error, member, "true or false");
  *value = node ? json_node_get_boolean (node) : fallback;
  return TRUE;
}

gboolean
vk_json_get_array (JsonObject *object, const char *member, JsonArray **value, GError **error)
{
  JsonNode *node = find_member (object, member);

  if (node != NULL && !JSON_NODE_HOLDS_ARRAY (node))
    return set_type_error (error, member, "an array");
  *value = node ? json_node_get_array (node) : NULL;
  return TRUE;
}

gboolean
vk_json_get_object (JsonObject *object, const char *member, JsonObject **value, GError **error)
{
  JsonNode *node = find_member (object, member);

  if (node != NULL && !JSON_NODE_HOLDS_OBJECT (node))
    return set_type_error (error, member, "an object");
  *value = node ? json_node_get_object (node) : NULL;
  return TRUE;
}

void
vk_json_set_string (JsonObject *object, const char *member, const char *value)
{
  g_autofree char *valid = value ? g_utf8_make_valid (value, -1) : NULL;

  if (valid != NULL)
    json_object_set_string_member (object, member, valid);
  else
    json_object_set_null_member (object, member);
}

void
vk_json_append_string (JsonObject *object, const char *member, const char *value)
{
  g_autofree char *valid = g_utf8_make_valid (value, -1);

  if (!json_object_has_member (object, member))
    json_object_set_array_member (object, member, json_array_new ());
  json_array_add_string_element (json_object_get_array_member (object, member), valid);
}

char *
vk_json_to_string (JsonObject *object, gboolean indented)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);

  json_node_set_object (node, object);
  return json_to_string (node, indented);
}

/* The digest of object's one-line text as it is. */
static char *
digest_of (JsonObject *object)
{
  g_autofree char *text = vk_json_to_string (object, FALSE);
  g_autoptr (VkDigest) digest = vk_digest_new ();

  vk_digest_update (digest, text, strlen (text));
  return vk_digest_finish (digest);
}

void
vk_json_seal (JsonObject *object)
{
  g_autofree char *digest = NULL;

  json_object_remove_member (object, seal);
  digest = digest_of (object);
  vk_json_set_string (object, seal, digest);
}

gboolean
vk_json_check_seal (JsonObject *object, GError **error)
{
  g_autofree char *stored = NULL;
  g_autofree char *found = NULL;

  if (!vk_json_get_string (object, seal, "", &stored, error))
    return FALSE;
  json_object_remove_member (object, seal);
  found = digest_of (object);
  vk_json_set_string (object, seal, stored);
  if (g_strcmp0 (stored, found) == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "it has been changed since it was written: its \"%s\" does not fit it", seal);
}
