/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times, spans and numbers of the command line, each after a byte that says which. */
#include "config.h"

#include "command/command.h"
#include "store/retention.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = size > 0 ? g_strndup ((const char *) data + 1, size - 1) : g_strdup ("");
  guint seconds;
  VkSpan span;
  int count;

  switch (size > 0 ? data[0] % 3 : 0)
    {
    case 0:
      vk_parse_seconds ("--wait", text, &seconds, NULL);
      break;
    case 1:
      vk_span_parse ("--keep-within", text, &span, NULL);
      break;
    default:
      vk_retention_parse_count ("--keep-last", text, &count, NULL);
    }
  return 0;
}
