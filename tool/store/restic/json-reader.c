/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/json-reader.h"

#include <glib/gi18n.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/error.h"

enum
{
  BUFFER_BYTES = 64 << 10,
  STRING_LIMIT = 1 << 20, /* bytes; no name, path or id is longer */
  DEPTH_LIMIT = 64,       /* skipping calls itself for each level */
};

struct VkJsonReader
{
  VkJsonFill fill;
  gpointer user_data;
  const guint8 *next; /* what has not been read of the buffer or the text */
  const guint8 *end;
  guint8 *buffer;     /* NULL for a text that is in memory */
  GString *string;    /* the last name or string */
  gboolean is_first;  /* nothing of the innermost object or array has been read */
  guint depth;
  GError *failure;
};

VkJsonReader *
vk_json_reader_new (VkJsonFill fill, gpointer user_data)
{
  VkJsonReader *reader = g_new0 (VkJsonReader, 1);

  reader->fill = fill;
  reader->user_data = user_data;
  reader->buffer = g_malloc (BUFFER_BYTES);
  reader->string = g_string_new (NULL);
  return reader;
}

VkJsonReader *
vk_json_reader_new_for_text (const void *text, gsize length)
{
  VkJsonReader *reader = g_new0 (VkJsonReader, 1);

  reader->next = length > 0 ? text : (const guint8 *) "";
  reader->end = reader->next + length;
  reader->string = g_string_new (NULL);
  return reader;
}

void
vk_json_reader_free (VkJsonReader *reader)
{
  if (reader == NULL)
    return;
  g_clear_error (&reader->failure);
  /* It may have been of a key. */
  OPENSSL_cleanse (reader->string->str, reader->string->allocated_len);
  g_string_free (reader->string, TRUE);
  g_free (reader->buffer);
  g_free (reader);
}

gboolean
vk_json_reader_is_fine (const VkJsonReader *reader)
{
  return reader->failure == NULL;
}

gboolean
vk_json_reader_fail (VkJsonReader *reader, const char *format, ...)
{
  g_autofree char *words = NULL;
  va_list args;

  if (reader->failure != NULL)
    return FALSE;
  va_start (args, format);
  words = g_strdup_vprintf (_(format), args);
  va_end (args);
  g_set_error_literal (&reader->failure, VK_ERROR, VK_ERROR_DAMAGED, words);
  return FALSE;
}

/* --- characters ----------------------------------------------------------- */

/* Whether there is another character, at reader->next. */
static gboolean
available (VkJsonReader *reader)
{
  gssize got;

  if (reader->failure != NULL)
    return FALSE;
  if (reader->next < reader->end)
    return TRUE;
  if (reader->buffer == NULL)
    return FALSE;
  got = reader->fill (reader->user_data, reader->buffer, BUFFER_BYTES, &reader->failure);
  if (got <= 0)
    return FALSE;
  reader->next = reader->buffer;
  reader->end = reader->buffer + got;
  return TRUE;
}

/* The next character, which is passed over; -1 at the end or after a failure. */
static int
take (VkJsonReader *reader)
{
  return available (reader) ? *reader->next++ : -1;
}

/* The next character that is not white space, which is left there; -1 as above. */
static int
peek (VkJsonReader *reader)
{
  while (available (reader))
    {
      guint8 c = *reader->next;

      if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
        return c;
      reader->next++;
    }
  return -1;
}

static gboolean
fail_at (VkJsonReader *reader, const char *expected)
{
  int c = peek (reader);

  if (c < 0)
    return vk_json_reader_fail (reader, "it ends where %s should be", expected);
  if (c > ' ' && c < 127)
    return vk_json_reader_fail (reader, "there is '%c' where %s should be", c, expected);
  return vk_json_reader_fail (reader, "there is byte 0x%02x where %s should be", (guint) c, expected);
}

static gboolean
expect (VkJsonReader *reader, char c, const char *expected)
{
  if (peek (reader) != c)
    return fail_at (reader, expected);
  reader->next++;
  return TRUE;
}

/* Passes over the word, such as "null". */
static gboolean
expect_word (VkJsonReader *reader, const char *word)
{
  for (; *word != '\0'; word++)
    if (take (reader) != *word)
      return vk_json_reader_fail (reader, "there is an unknown word");
  return TRUE;
}

/* --- strings -------------------------------------------------------------- */

/* Four hexadecimal digits, or -1. */
static int
take_code_unit (VkJsonReader *reader)
{
  int unit = 0;

  for (int i = 0; i < 4; i++)
    {
      int value = g_ascii_xdigit_value ((char) take (reader));

      if (value < 0)
        return -1;
      unit = unit << 4 | value;
    }
  return unit;
}

static gboolean
take_unicode_escape (VkJsonReader *reader)
{
  int unit = take_code_unit (reader);
  gunichar c = (gunichar) unit;

  if (unit >= 0xd800 && unit < 0xdc00 && take (reader) == '\\' && take (reader) == 'u')
    {
      int low = take_code_unit (reader);

      c = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((gunichar) (unit - 0xd800) << 10) + (gunichar) (low - 0xdc00) : 0;
    }
  if (unit <= 0 || !g_unichar_validate (c) || c == 0)
    return vk_json_reader_fail (reader, "a string has a character that cannot be");
  g_string_append_unichar (reader->string, c);
  return TRUE;
}

static gboolean
take_escape (VkJsonReader *reader)
{
  static const char names[] = "\"\\/bfnrt";
  static const char characters[] = "\"\\/\b\f\n\r\t";
  int c = take (reader);
  const char *found;

  if (c == 'u')
    return take_unicode_escape (reader);
  found = c > 0 ? strchr (names, c) : NULL;
  if (found == NULL)
    return vk_json_reader_fail (reader, "a string has an unknown escape sequence");
  g_string_append_c (reader->string, characters[found - names]);
  return TRUE;
}

/* Appends what comes before the next quote, escape or control character. */
static gboolean
take_plain (VkJsonReader *reader)
{
  const guint8 *begin = reader->next;

  while (reader->next < reader->end && *reader->next != '"' && *reader->next != '\\' && *reader->next >= ' ')
    reader->next++;
  g_string_append_len (reader->string, (const char *) begin, reader->next - begin);
  if (reader->string->len > STRING_LIMIT)
    return vk_json_reader_fail (reader, "a string is longer than %d bytes", STRING_LIMIT);
  return TRUE;
}

static gboolean
take_string (VkJsonReader *reader)
{
  g_string_truncate (reader->string, 0);
  if (!expect (reader, '"', "a string"))
    return FALSE;
  while (available (reader) && take_plain (reader))
    {
      int c;

      if (reader->next == reader->end)
        continue;
      c = take (reader);
      if (c == '"')
        return g_utf8_validate_len (reader->string->str, reader->string->len, NULL) ? TRUE : vk_json_reader_fail (reader, "a string is not UTF-8 text");
      if (c != '\\')
        return vk_json_reader_fail (reader, "a string has a control character in it");
      if (!take_escape (reader))
        return FALSE;
    }
  return vk_json_reader_fail (reader, "it ends within a string");
}

const char *
vk_json_reader_string (VkJsonReader *reader, gsize *length)
{
  if (!take_string (reader))
    return NULL;
  if (length != NULL)
    *length = reader->string->len;
  return reader->string->str;
}

/* --- values --------------------------------------------------------------- */

gboolean
vk_json_reader_null (VkJsonReader *reader)
{
  return peek (reader) == 'n' && expect_word (reader, "null");
}

gboolean
vk_json_reader_uint64 (VkJsonReader *reader, guint64 *value)
{
  int c = peek (reader);

  *value = 0;
  if (c < '0' || c > '9')
    return fail_at (reader, "a whole number");
  for (; available (reader) && g_ascii_isdigit ((char) *reader->next); reader->next++)
    if (!g_uint64_checked_mul (value, *value, 10) || !g_uint64_checked_add (value, *value, *reader->next - '0'))
      return vk_json_reader_fail (reader, "a number is too large");
  if (available (reader) && (*reader->next == '.' || *reader->next == 'e' || *reader->next == 'E'))
    return fail_at (reader, "a whole number");
  return reader->failure == NULL;
}

static gboolean
enter (VkJsonReader *reader, char c, const char *expected)
{
  if (!expect (reader, c, expected))
    return FALSE;
  if (++reader->depth > DEPTH_LIMIT)
    return vk_json_reader_fail (reader, "it is nested more than %d levels deep", DEPTH_LIMIT);
  reader->is_first = TRUE;
  return TRUE;
}

/* Passes over the comma before the next member or element.  FALSE at the end of
 * the object or array, which closing ends, or after a failure. */
static gboolean
advance (VkJsonReader *reader, char closing)
{
  gboolean is_first = reader->is_first;

  reader->is_first = FALSE;
  if (peek (reader) == closing)
    {
      reader->next++;
      reader->depth--;
      return FALSE;
    }
  return is_first ? reader->failure == NULL : expect (reader, ',', "a comma");
}

gboolean
vk_json_reader_object (VkJsonReader *reader)
{
  return enter (reader, '{', "an object");
}

const char *
vk_json_reader_member (VkJsonReader *reader)
{
  if (!advance (reader, '}') || !take_string (reader) || !expect (reader, ':', "a colon"))
    return NULL;
  return reader->string->str;
}

gboolean
vk_json_reader_array (VkJsonReader *reader)
{
  return enter (reader, '[', "an array");
}

gboolean
vk_json_reader_element (VkJsonReader *reader)
{
  return advance (reader, ']') && (peek (reader) >= 0 || fail_at (reader, "an element"));
}

static gboolean
skip_number (VkJsonReader *reader)
{
  static const char others[] = { '+', '-', '.', 'e', 'E' };
  gboolean any = FALSE;

  for (; available (reader) && (g_ascii_isdigit ((char) *reader->next) || memchr (others, *reader->next, sizeof others) != NULL); reader->next++)
    any = any || g_ascii_isdigit ((char) *reader->next);
  return any ? TRUE : fail_at (reader, "a value");
}

gboolean
vk_json_reader_skip (VkJsonReader *reader)
{
  switch (peek (reader))
    {
    case '{':
      vk_json_reader_object (reader);
      while (vk_json_reader_member (reader) != NULL)
        vk_json_reader_skip (reader);
      break;
    case '[':
      vk_json_reader_array (reader);
      while (vk_json_reader_element (reader))
        vk_json_reader_skip (reader);
      break;
    case '"':
      take_string (reader);
      break;
    case 't':
      return expect_word (reader, "true");
    case 'f':
      return expect_word (reader, "false");
    case 'n':
      return expect_word (reader, "null");
    default:
      return skip_number (reader);
    }
  return reader->failure == NULL;
}

gboolean
vk_json_reader_end (VkJsonReader *reader, GError **error)
{
  if (peek (reader) >= 0)
    fail_at (reader, "its end");
  if (reader->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&reader->failure));
  return FALSE;
}
