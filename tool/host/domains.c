/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/domains.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static void
free_domain (gpointer domain)
{
  virDomainFree (domain);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (virDomainGetName (*(virDomainPtr *) a), virDomainGetName (*(virDomainPtr *) b));
}

GPtrArray *
vk_domain_array_new (void)
{
  return g_ptr_array_new_with_free_func (free_domain);
}

GPtrArray *
vk_host_domains (VkHost *host, unsigned int flags, GError **error)
{
  GPtrArray *domains;
  virDomainPtr *list = NULL;
  int count = virConnectListAllDomains (vk_host_connection (host), &list, flags);

  if (count < 0)
    {
      vk_set_libvirt_error (error, NULL, "cannot list the domains");
      return NULL;
    }
  domains = vk_domain_array_new ();
  for (int i = 0; i < count; i++)
    g_ptr_array_add (domains, list[i]);
  free (list);
  g_ptr_array_sort (domains, compare_names);
  return domains;
}

GPtrArray *
vk_host_domain_names (VkHost *host, GError **error)
{
  g_autoptr (GPtrArray) domains = vk_host_domains (host, 0, error);
  GPtrArray *names = domains ? g_ptr_array_new_with_free_func (g_free) : NULL;

  for (guint i = 0; domains != NULL && i < domains->len; i++)
    g_ptr_array_add (names, g_strdup (virDomainGetName (g_ptr_array_index (domains, i))));
  return names;
}

VkDomainXml *
vk_host_read_domain (VkHost *host, virDomainPtr domain, unsigned int flags, char **text, GError **error)
{
  const char *name = virDomainGetName (domain); /* before the call that may fail: libvirt forgets why then */
  char *xml = virDomainGetXMLDesc (domain, flags);
  VkDomainXml *parsed;

  if (xml == NULL)
    {
      vk_set_libvirt_error (error, NULL, "cannot read the XML of the domain '%s'", name);
      return NULL;
    }
  parsed = vk_domain_xml_parse (xml, error);
  if (parsed != NULL)
    parsed->elsewhere = !vk_host_is_local (host);
  if (text != NULL)
    *text = g_strdup (xml);
  free (xml);
  return parsed;
}
