/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a domain is made of. */
#include "config.h"

#include "host/domain-xml.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (VkDomainXml) domain = vk_domain_xml_parse (text, NULL);

  g_assert (domain == NULL || domain->name != NULL);
  return 0;
}
