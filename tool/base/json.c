/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/json.h"

#include "base/error.h"

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

JsonObject *
vk_json_parse (const char *text, const char *name, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (GError) failure = NULL;
  JsonNode *root;

  if (!g_utf8_validate (text, -1, NULL))
    {
      g_set_error (error, VK_ERROR, VK_ERROR_STORE, "%s: not UTF-8 text", name);
      return NULL;
    }
  if (is_nested_too_deeply (text))
    {
      g_set_error (error, VK_ERROR, VK_ERROR_STORE, "%s: nested more than %d levels deep", name, MAXIMUM_DEPTH);
      return NULL;
    }
  if (!json_parser_load_from_data (parser, text, -1, &failure))
    {
      g_set_error (error, VK_ERROR, VK_ERROR_STORE, "%s: not JSON: %s", name, failure->message);
      return NULL;
    }
  root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    {
      g_set_error (error, VK_ERROR, VK_ERROR_STORE, "%s: not a JSON object", name);
      return NULL;
    }
  return json_object_ref (json_node_get_object (root));
}

JsonObject *
vk_json_parse_length (const void *text, gsize length, const char *name, GError **error)
{
  g_autofree char *terminated = g_strndup (length > 0 ? text : "", length);

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
  g_set_error (error, VK_ERROR, VK_ERROR_STORE, "\"%s\" is not %s", member, expected);
  return FALSE;
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
