/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policy of a domain: how it is to be backed up.  It lies in the <metadata> of the domain,
 * and goes where the domain goes:
 *
 *   <virt-keep:policy xmlns:virt-keep="urn:virt-keep:policy:1">
 *     <virt-keep:level>full</virt-keep:level>
 *     <virt-keep:exclude>vdb</virt-keep:exclude>
 *     <virt-keep:exclude>vdc</virt-keep:exclude>
 *     <virt-keep:label name="tier">gold</virt-keep:label>
 *   </virt-keep:policy>
 *
 * An element is a key with one value; that of a label is "label.NAME".  Anybody who may change
 * the domain may have written it: what the keys mean, and whether the values can be, is for its
 * readers to judge. */
#pragma once

#include "host/host.h"

/* The namespace of the element. */
#define VK_POLICY_NAMESPACE "urn:virt-keep:policy:1"

/* What the key of a label begins with. */
#define VK_POLICY_LABEL "label."

typedef struct VkPolicy VkPolicy;

/* Without any key. */
VkPolicy *vk_policy_new (void);
void vk_policy_free (VkPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkPolicy, vk_policy_free)

/* text: the element.  VK_ERROR_USAGE when it is none.  Returns: (transfer full). */
VkPolicy *vk_policy_parse (const char *text, GError **error);

/* text: the XML of a domain.  One without any key where it has none; otherwise the same. */
VkPolicy *vk_policy_parse_domain (const char *text, GError **error);

/* Returns: (transfer full), the element without the namespace, as libvirt takes it. */
char *vk_policy_to_xml (const VkPolicy *policy);

/* Each key once, in the order in which they stand there.  Returns: (transfer full) of char *. */
GPtrArray *vk_policy_keys (const VkPolicy *policy);

/* The values of the key, without the space around them.  Returns: (transfer full), NULL when the
 * policy does not have it. */
char **vk_policy_values (const VkPolicy *policy, const char *key);

gboolean vk_policy_has (const VkPolicy *policy, const char *key);

/* Whether the key is there with this value, or with several of which it is one. */
gboolean vk_policy_has_value (const VkPolicy *policy, const char *key, const char *value);

/* Puts values (NULL-terminated) in the place of those that the key had.  key has to be good for
 * the name of an element, or that of a label.  VK_ERROR_REFUSED when a value cannot stand in XML. */
gboolean vk_policy_set (VkPolicy *policy, const char *key, const char *const *values, GError **error);

/* Whether it was there. */
gboolean vk_policy_remove (VkPolicy *policy, const char *key);

/* The policy of the domain as it is now; one without any key where it has none.
 * VK_LIBVIRT_ERROR, or VK_ERROR_USAGE when what is there cannot be read.
 * Returns: (transfer full). */
VkPolicy *vk_policy_read (virDomainPtr domain, GError **error);

/* Makes policy that of the domain: as it runs, and as it is defined, where it has both.  One
 * without a key removes it.  *changed: whether that was to be done. */
gboolean vk_policy_write (virDomainPtr domain, const VkPolicy *policy, gboolean *changed, GError **error);
