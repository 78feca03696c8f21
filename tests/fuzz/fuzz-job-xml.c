/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libvirt says about a backup that runs. */
#include "config.h"

#include "host/job-info.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_auto (GStrv) targets = NULL;
  const char *mode;

  vk_job_backup_parse (text, &mode, &targets);
  g_assert ((mode == NULL) == (targets == NULL));
  return 0;
}
