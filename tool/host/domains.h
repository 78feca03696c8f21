/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domains that libvirt knows. */
#pragma once

#include "host/domain-xml.h"
#include "host/host.h"

/* Returns: (transfer full), of virDomainPtr, which it takes and frees. */
GPtrArray *vk_domain_array_new (void);

/* flags: of virConnectListAllDomains(), 0 for all of them.
 * Returns: (transfer full) of virDomainPtr, by name. */
GPtrArray *vk_host_domains (VkHost *host, unsigned int flags, GError **error);

/* What the XML of a domain of that host says; flags: of virDomainGetXMLDesc().  *text
 * (transfer full) gets the XML itself, unless text is NULL.  Returns: (transfer full). */
VkDomainXml *vk_host_read_domain (VkHost *host, virDomainPtr domain, unsigned int flags, char **text, GError **error);

/* Their names, running or not.  Returns: (transfer full) of char *. */
GPtrArray *vk_host_domain_names (VkHost *host, GError **error);
