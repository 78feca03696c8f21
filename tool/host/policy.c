/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/policy.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/xml-edit.h"

/* The document is kept as it is: what is not understood in it is still there when it is
 * written again. */
struct VkPolicy
{
  xmlDoc *doc;
};

VkPolicy *
vk_policy_new (void)
{
  VkPolicy *policy = g_new0 (VkPolicy, 1);

  policy->doc = xmlNewDoc (BAD_CAST "1.0");
  xmlDocSetRootElement (policy->doc, xmlNewDocNode (policy->doc, NULL, BAD_CAST "policy", NULL));
  return policy;
}

void
vk_policy_free (VkPolicy *policy)
{
  xmlFreeDoc (policy->doc);
  g_free (policy);
}

/* doc: (transfer full), or NULL for what is no XML, because of failure. */
static VkPolicy *
accept_document (xmlDoc *doc, const GError *failure, GError **error)
{
  xmlNode *root = doc ? xmlDocGetRootElement (doc) : NULL;
  VkPolicy *policy;

  if (root == NULL || strcmp ((const char *) root->name, "policy") != 0)
    {
      vk_fail (error, VK_ERROR_USAGE, "what it has in its metadata for virt-keep is no <policy>%s%s", failure ? ": " : "", failure ? failure->message : "");
      xmlFreeDoc (doc);
      return NULL;
    }
  vk_xml_strip_indentation (root);
  policy = g_new0 (VkPolicy, 1);
  policy->doc = doc;
  return policy;
}

VkPolicy *
vk_policy_parse (const char *text, GError **error)
{
  g_autoptr (GError) failure = NULL;
  xmlDoc *doc = vk_xml_parse (text, "policy", &failure);

  return accept_document (doc, failure, error);
}

VkPolicy *
vk_policy_parse_domain (const char *text, GError **error)
{
  g_autoptr (xmlDoc) domain = vk_xml_parse (text, "domain XML", error);
  xmlNode *element = domain ? vk_xml_find (xmlDocGetRootElement (domain), "metadata/*[namespace-uri() = '" VK_POLICY_NAMESPACE "']") : NULL;
  xmlDoc *doc;

  if (element == NULL)
    return domain ? vk_policy_new () : NULL;
  doc = xmlNewDoc (BAD_CAST "1.0");
  xmlDocSetRootElement (doc, xmlDocCopyNode (element, doc, 1));
  return accept_document (doc, NULL, error);
}

char *
vk_policy_to_xml (const VkPolicy *policy)
{
  return vk_xml_to_string (policy->doc);
}

/* --- keys and values ---------------------------------------------------------- */

/* What is of somebody else's namespace is no key of ours, and called so that nobody takes it
 * for one. */
static char *
key_of (xmlNode *element)
{
  const char *name = (const char *) element->name;
  g_autofree char *label = NULL;

  if (element->ns != NULL && strcmp ((const char *) element->ns->href, VK_POLICY_NAMESPACE) != 0)
    return g_strdup_printf ("%s:%s", (const char *) element->ns->href, name);
  if (strcmp (name, "label") != 0)
    return g_strdup (name);
  label = vk_xml_attribute (element, "name");
  return g_strconcat (VK_POLICY_LABEL, label, NULL);
}

static gboolean
is_of_key (xmlNode *element, const char *key)
{
  g_autofree char *own = key_of (element);

  return strcmp (own, key) == 0;
}

/* The elements of the key; of all keys for NULL. */
static GPtrArray *
find_elements (const VkPolicy *policy, const char *key)
{
  GPtrArray *elements = g_ptr_array_new ();

  for (xmlNode *child = xmlDocGetRootElement (policy->doc)->children; child != NULL; child = child->next)
    if (child->type == XML_ELEMENT_NODE && (key == NULL || is_of_key (child, key)))
      g_ptr_array_add (elements, child);
  return elements;
}

GPtrArray *
vk_policy_keys (const VkPolicy *policy)
{
  g_autoptr (GPtrArray) elements = find_elements (policy, NULL);
  GPtrArray *keys = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < elements->len; i++)
    {
      g_autofree char *key = key_of (g_ptr_array_index (elements, i));

      if (!g_ptr_array_find_with_equal_func (keys, key, g_str_equal, NULL))
        g_ptr_array_add (keys, g_steal_pointer (&key));
    }
  return keys;
}

char **
vk_policy_values (const VkPolicy *policy, const char *key)
{
  g_autoptr (GPtrArray) elements = find_elements (policy, key);
  g_autoptr (GPtrArray) values = g_ptr_array_new ();

  if (elements->len == 0)
    return NULL;
  for (guint i = 0; i < elements->len; i++)
    g_ptr_array_add (values, g_strstrip (vk_xml_text (g_ptr_array_index (elements, i), ".")));
  g_ptr_array_add (values, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&values), FALSE);
}

gboolean
vk_policy_has (const VkPolicy *policy, const char *key)
{
  g_autoptr (GPtrArray) elements = find_elements (policy, key);

  return elements->len > 0;
}

gboolean
vk_policy_has_value (const VkPolicy *policy, const char *key, const char *value)
{
  g_auto (GStrv) values = vk_policy_values (policy, key);

  return values != NULL && g_strv_contains ((const char *const *) values, value);
}

static xmlNode *
element_new (VkPolicy *policy, const char *key, const char *value)
{
  gboolean is_label = g_str_has_prefix (key, VK_POLICY_LABEL);
  xmlNode *element = xmlNewDocNode (policy->doc, NULL, BAD_CAST (is_label ? "label" : key), NULL);

  if (is_label)
    vk_xml_set_attribute (element, "name", key + strlen (VK_POLICY_LABEL));
  vk_xml_set_text (element, value);
  return element;
}

/* The key stays at its place, so that setting what is so already changes nothing. */
gboolean
vk_policy_set (VkPolicy *policy, const char *key, const char *const *values, GError **error)
{
  g_autofree char *what = g_strdup_printf ("'%s' in a policy", key);
  g_autoptr (GPtrArray) before = find_elements (policy, key);

  if (!vk_xml_check_value (key, "the key of a policy", error))
    return FALSE;
  for (gsize i = 0; values[i] != NULL; i++)
    if (!vk_xml_check_value (values[i], what, error))
      return FALSE;
  for (gsize i = 0; values[i] != NULL; i++)
    if (before->len > 0)
      xmlAddPrevSibling (g_ptr_array_index (before, 0), element_new (policy, key, values[i]));
    else
      xmlAddChild (xmlDocGetRootElement (policy->doc), element_new (policy, key, values[i]));
  for (guint i = 0; i < before->len; i++)
    vk_xml_remove (g_ptr_array_index (before, i));
  return TRUE;
}

gboolean
vk_policy_remove (VkPolicy *policy, const char *key)
{
  g_autoptr (GPtrArray) elements = find_elements (policy, key);

  for (guint i = 0; i < elements->len; i++)
    vk_xml_remove (g_ptr_array_index (elements, i));
  return elements->len > 0;
}

/* --- libvirt -------------------------------------------------------------------- */

/* *text (transfer full) is NULL when there is no policy.  flags: VIR_DOMAIN_AFFECT_... */
static gboolean
read_text (virDomainPtr domain, unsigned int flags, char **text, GError **error)
{
  char *found = virDomainGetMetadata (domain, VIR_DOMAIN_METADATA_ELEMENT, VK_POLICY_NAMESPACE, flags);

  *text = g_strdup (found);
  free (found);
  if (*text != NULL || virGetLastErrorCode () == VIR_ERR_NO_DOMAIN_METADATA)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "cannot read the policy of the domain");
  return FALSE;
}

VkPolicy *
vk_policy_read (virDomainPtr domain, GError **error)
{
  g_autofree char *text = NULL;

  if (!read_text (domain, VIR_DOMAIN_AFFECT_CURRENT, &text, error))
    return NULL;
  return text ? vk_policy_parse (text, error) : vk_policy_new ();
}

/* Whether text is another policy than wanted; NULL is for none. */
static gboolean
differs (const char *text, const char *wanted)
{
  g_autoptr (VkPolicy) policy = text ? vk_policy_parse (text, NULL) : NULL;
  g_autofree char *is = policy ? vk_policy_to_xml (policy) : NULL;

  return (text != NULL) != (wanted != NULL) || g_strcmp0 (is, wanted) != 0;
}

/* The running domain and its definition each have a <metadata> of their own.  Adds to *flags
 * those where the policy is another one. */
static gboolean
compare (virDomainPtr domain, const char *wanted, unsigned int *flags, GError **error)
{
  const struct
  {
    unsigned int flag;
    int exists;
  } places[] = {
    { VIR_DOMAIN_AFFECT_LIVE, virDomainIsActive (domain) },
    { VIR_DOMAIN_AFFECT_CONFIG, virDomainIsPersistent (domain) },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_autofree char *text = NULL;

      if (places[i].exists == 1 && !read_text (domain, places[i].flag, &text, error))
        return FALSE;
      if (places[i].exists == 1 && differs (text, wanted))
        *flags |= places[i].flag;
    }
  return TRUE;
}

gboolean
vk_policy_write (virDomainPtr domain, const VkPolicy *policy, gboolean *changed, GError **error)
{
  g_autoptr (GPtrArray) elements = find_elements (policy, NULL);
  g_autofree char *wanted = elements->len > 0 ? vk_policy_to_xml (policy) : NULL;
  unsigned int flags = 0;

  if (!compare (domain, wanted, &flags, error))
    return FALSE;
  *changed = flags != 0;
  if (flags == 0 || virDomainSetMetadata (domain, VIR_DOMAIN_METADATA_ELEMENT, wanted, wanted ? PACKAGE_NAME : NULL, VK_POLICY_NAMESPACE, flags) == 0)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "cannot write the policy of the domain");
  return FALSE;
}
