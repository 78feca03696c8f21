/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads JSON as a stream, for documents of which a tree of objects in memory
 * would be many times larger than what is wanted from them.
 *
 * The first failure is kept and makes everything after it fail; ask for it with
 * vk_json_reader_end(). */
#pragma once

#include <glib.h>

/* Gives up to size bytes of the document: how many, 0 at its end, or -1 with
 * *error set. */
typedef gssize (*VkJsonFill) (gpointer user_data, void *buffer, gsize size, GError **error);

typedef struct VkJsonReader VkJsonReader;

VkJsonReader *vk_json_reader_new (VkJsonFill fill, gpointer user_data);

/* Of text (not copied), which must outlive the reader. */
VkJsonReader *vk_json_reader_new_for_text (const void *text, gsize length);

void vk_json_reader_free (VkJsonReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkJsonReader, vk_json_reader_free)

/* Whether the next value is null, which is then passed over. */
gboolean vk_json_reader_null (VkJsonReader *reader);

/* The next value is an object; vk_json_reader_member() gives its members. */
gboolean vk_json_reader_object (VkJsonReader *reader);

/* The name of the next member, valid until the next call; the value has to be
 * read or skipped then.  NULL at the end of the object or after a failure. */
const char *vk_json_reader_member (VkJsonReader *reader);

/* The next value is an array; while vk_json_reader_element() is TRUE there is an
 * element, which has to be read or skipped. */
gboolean vk_json_reader_array (VkJsonReader *reader);
gboolean vk_json_reader_element (VkJsonReader *reader);

/* The next value, of that type.  Text is UTF-8 without NUL characters and valid
 * until the next call; NULL after a failure. */
const char *vk_json_reader_string (VkJsonReader *reader, gsize *length);
gboolean vk_json_reader_uint64 (VkJsonReader *reader, guint64 *value);

/* Passes over the next value, whatever it is. */
gboolean vk_json_reader_skip (VkJsonReader *reader);

/* Whether nothing has failed so far. */
gboolean vk_json_reader_is_fine (const VkJsonReader *reader);

/* Makes the reader fail with VK_ERROR_DAMAGED: the document is not what the
 * caller knows how to read.  Returns FALSE. */
gboolean vk_json_reader_fail (VkJsonReader *reader, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Reads to the end of the document, where nothing but white space may be left.
 * FALSE with the first failure, VK_ERROR_DAMAGED for malformed JSON. */
gboolean vk_json_reader_end (VkJsonReader *reader, GError **error);
