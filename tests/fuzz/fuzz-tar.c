/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tar archives, as restore - takes them from anybody. */
#include "config.h"

#include <string.h>

#include "stream/tar-reader.h"

#include "fuzz.h"

enum { RECORD = 512, SUM_AT = 148, SUM_BYTES = 8, MAGIC_AT = 257, TEXT_LIMIT = 4096 };

/* Of a header that was changed: otherwise its sum would be all that is ever looked at. */
static void
mend_sum (guint8 *header)
{
  char text[SUM_BYTES];
  guint sum = 0;

  memset (header + SUM_AT, ' ', SUM_BYTES);
  for (gsize i = 0; i < RECORD; i++)
    sum += header[i];
  g_snprintf (text, sizeof text, "%06o", sum);
  memcpy (header + SUM_AT, text, SUM_BYTES - 1);
}

static void
read_archive (VkTarReader *reader)
{
  const char *member;
  guint64 size, bytes;

  while (vk_tar_reader_next (reader, &member, &size, NULL))
    {
      g_autofree char *text = NULL;

      if (member == NULL)
        {
          vk_tar_reader_finish (reader, &bytes, NULL);
          return;
        }
      /* The names become parts of paths. */
      g_assert (strchr (member, '/') == NULL && member[0] != '.' && member[0] != '\0');
      text = vk_tar_reader_text (reader, TEXT_LIMIT, NULL);
      g_assert (text == NULL || strlen (text) == size);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const VkStreamListener nobody = { NULL, NULL };
  g_autofree guint8 *copy = g_memdup2 (data, size);
  g_autoptr (GInputStream) input = NULL;
  g_autoptr (VkTarReader) reader = NULL;

  for (gsize at = 0; at + RECORD <= size; at += RECORD)
    if (memcmp (copy + at + MAGIC_AT, "ustar", 5) == 0)
      mend_sum (copy + at);
  input = g_memory_input_stream_new_from_data (copy, (gssize) size, NULL);
  reader = vk_tar_reader_new (input, "an archive", &nobody, NULL);
  read_archive (reader);
  return 0;
}
