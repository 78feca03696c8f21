/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading JSON that somebody else may have written: every member is checked
 * for its type before it is used. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

/* Parses text, which must be one JSON object.  name is what messages call it.
 * Returns: (transfer full), or NULL with VK_ERROR_STORE set. */
JsonObject *vk_json_parse (const char *text, const char *name, GError **error);

/* The same for length bytes (NULL for none) that need no NUL behind them. */
JsonObject *vk_json_parse_length (const void *text, gsize length, const char *name, GError **error);

/* The member of object, or a copy of fallback when it is missing or null.
 * Returns: (transfer full); FALSE with VK_ERROR_STORE when it is of another
 * type. */
gboolean vk_json_get_string (JsonObject *object, const char *member, const char *fallback, char **value, GError **error);

/* As above, for a whole number that is not negative. */
gboolean vk_json_get_uint64 (JsonObject *object, const char *member, guint64 fallback, guint64 *value, GError **error);
gboolean vk_json_get_boolean (JsonObject *object, const char *member, gboolean fallback, gboolean *value, GError **error);

/* The array member, or NULL in *value when it is missing. */
gboolean vk_json_get_array (JsonObject *object, const char *member, JsonArray **value, GError **error);

/* The object member, or NULL in *value when it is missing or null. */
gboolean vk_json_get_object (JsonObject *object, const char *member, JsonObject **value, GError **error);

/* Sets member to value, or to null when value is NULL.  What is not UTF-8 in a
 * file name is replaced, since JSON has nothing else. */
void vk_json_set_string (JsonObject *object, const char *member, const char *value);

/* Appends value to the array member, which is made when it is missing. */
void vk_json_append_string (JsonObject *object, const char *member, const char *value);

/* object as text, on one line or indented.  Returns: (transfer full). */
char *vk_json_to_string (JsonObject *object, gboolean indented);
