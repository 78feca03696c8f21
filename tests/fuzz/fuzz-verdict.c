/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verdicts, as annotations.json has them, and as a tag of a snapshot. */
#include "config.h"

#include "base/json.h"
#include "store/verdict.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (JsonObject) object = vk_json_parse (text, "a verdict", NULL);
  g_autoptr (VkVerdict) from_json = object ? vk_verdict_from_json (object, NULL) : NULL;
  g_autoptr (VkVerdict) from_line = vk_verdict_from_line (text, FALSE);
  g_autofree char *line = from_line ? vk_verdict_to_line (from_line) : NULL;
  g_autofree char *shown = from_json ? vk_verdict_to_text (from_json) : NULL;

  g_assert (line == NULL || g_utf8_validate (line, -1, NULL));
  return 0;
}
