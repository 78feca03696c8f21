/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests of restore points. */
#include "config.h"

#include <string.h>

#include "store/manifest.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (VkManifest) manifest = vk_manifest_parse (text, "a manifest", NULL);
  g_autoptr (JsonObject) again = NULL;

  if (manifest == NULL)
    return 0;
  /* The names become parts of paths. */
  for (guint i = 0; i < manifest->disks->len; i++)
    g_assert (strchr (((VkManifestDisk *) g_ptr_array_index (manifest->disks, i))->image, '/') == NULL);
  for (guint i = 0; i < manifest->files->len; i++)
    g_assert (((VkManifestFile *) g_ptr_array_index (manifest->files, i))->name[0] != '.');
  again = vk_manifest_to_json (manifest);
  return 0;
}
