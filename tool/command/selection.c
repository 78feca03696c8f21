/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/selection.h"

#include <fnmatch.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "boot/boot.h"
#include "host/domain-xml.h"
#include "host/domains.h"

typedef struct
{
  VkHost *host;
  const VkSelectionRequest *request;
  VkSelection *selection;
  GHashTable *seen; /* set of UUIDs that are selected or left out */
} Selector;

static void
selected_free (VkSelected *selected)
{
  g_free (selected->name);
  g_free (selected->uuid);
  g_clear_pointer (&selected->policy, vk_policy_free);
  g_clear_error (&selected->failure);
  g_free (selected);
}

static void
left_out_free (VkLeftOutDomain *left_out)
{
  g_free (left_out->name);
  g_free (left_out->uuid);
  g_free (left_out->message);
  g_free (left_out);
}

void
vk_selection_free (VkSelection *selection)
{
  g_ptr_array_unref (selection->domains);
  g_ptr_array_unref (selection->left_out);
  g_free (selection);
}

gboolean
vk_selection_is_pattern (const char *word)
{
  return strpbrk (word, "*?[") != NULL;
}

static char *
uuid_of (virDomainPtr domain)
{
  char uuid[VIR_UUID_STRING_BUFLEN] = "";

  virDomainGetUUIDString (domain, uuid);
  return g_strdup (uuid);
}

/* Why a domain that nobody has named is left out; NULL when it is not.  A domain that is
 * gone meanwhile, or whose XML cannot be read, is for the command to complain of. */
static const char *
reason_to_leave_out (const Selector *selector, virDomainPtr domain, const char *uuid, char **message)
{
  const char *name = virDomainGetName (domain);
  g_autofree char *text = NULL;
  g_autoptr (VkDomainXml) xml = NULL;
  g_autoptr (VkBoot) boot = NULL;
  char *libvirt_text;

  for (gsize i = 0; selector->request->excluded != NULL && selector->request->excluded[i] != NULL; i++)
    if (fnmatch (selector->request->excluded[i], name, 0) == 0)
      {
        *message = g_strdup_printf ("--exclude-domain %s", selector->request->excluded[i]);
        return "excluded";
      }
  boot = vk_boot_find (selector->host, name, NULL);
  if (boot != NULL && g_strcmp0 (boot->uuid, uuid) == 0)
    {
      *message = g_strdup_printf ("it was booted from the restore point %s", boot->point);
      return "booted";
    }
  libvirt_text = virDomainGetXMLDesc (domain, 0);
  text = g_strdup (libvirt_text);
  free (libvirt_text);
  xml = text ? vk_domain_xml_parse (text, NULL) : NULL;
  for (guint i = 0; xml != NULL && i < xml->disks->len; i++)
    if (strcmp (((const VkDisk *) g_ptr_array_index (xml->disks, i))->device, "disk") == 0)
      return NULL;
  if (xml == NULL)
    return NULL;
  *message = g_strdup ("it has no disk");
  return "no-disk";
}

static VkSelected *
selected_new (virDomainPtr domain, const char *uuid)
{
  VkSelected *selected = g_new0 (VkSelected, 1);

  selected->name = g_strdup (virDomainGetName (domain));
  selected->uuid = g_strdup (uuid);
  selected->policy = vk_policy_read (domain, &selected->failure);
  return selected;
}

/* A domain whose policy cannot be read fails, rather than not to be there. */
static gboolean
is_wanted (const Selector *selector, const VkSelected *selected)
{
  const char *const *selectors = selector->request->selectors;

  for (gsize i = 0; selectors != NULL && selectors[i] != NULL; i++)
    {
      const char *equals = strchr (selectors[i], '=');
      g_autofree char *key = g_strndup (selectors[i], (gsize) (equals - selectors[i]));

      if (selected->policy != NULL && !vk_policy_has_value (selected->policy, key, equals + 1))
        return FALSE;
    }
  return TRUE;
}

static void
add_named (Selector *selector, virDomainPtr domain, const char *word, GError **error)
{
  g_autofree char *uuid = uuid_of (domain);

  if (g_hash_table_add (selector->seen, g_strdup (uuid)))
    g_ptr_array_add (selector->selection->domains, selected_new (domain, uuid));
  else
    vk_fail (error, VK_ERROR_USAGE, "the domain '%s' is named twice", word);
}

static void
add_found (Selector *selector, virDomainPtr domain)
{
  g_autofree char *uuid = uuid_of (domain);
  g_autofree char *message = NULL;
  VkSelected *selected;
  const char *reason;

  if (!g_hash_table_add (selector->seen, g_strdup (uuid)))
    return;
  selected = selected_new (domain, uuid);
  if (!is_wanted (selector, selected))
    {
      selected_free (selected);
      return;
    }
  reason = reason_to_leave_out (selector, domain, uuid, &message);
  if (reason != NULL)
    {
      VkLeftOutDomain *left_out = g_new0 (VkLeftOutDomain, 1);

      left_out->name = g_steal_pointer (&selected->name);
      left_out->uuid = g_steal_pointer (&uuid);
      left_out->reason = reason;
      left_out->message = g_steal_pointer (&message);
      g_ptr_array_add (selector->selection->left_out, left_out);
      selected_free (selected);
    }
  else
    g_ptr_array_add (selector->selection->domains, selected);
}

static virDomainPtr
find_by_name (const GPtrArray *domains, const char *name)
{
  for (guint i = 0; i < domains->len; i++)
    if (strcmp (virDomainGetName (g_ptr_array_index (domains, i)), name) == 0)
      return g_ptr_array_index (domains, i);
  return NULL;
}

static gboolean
add_pattern (Selector *selector, const GPtrArray *domains, const char *pattern, GError **error)
{
  gboolean matches = FALSE;

  for (guint i = 0; i < domains->len; i++)
    if (pattern == NULL || fnmatch (pattern, virDomainGetName (g_ptr_array_index (domains, i)), 0) == 0)
      {
        matches = TRUE;
        add_found (selector, g_ptr_array_index (domains, i));
      }
  if (matches || pattern == NULL)
    return TRUE;
  return vk_fail (error, VK_ERROR_NOT_FOUND, "no domain has a name like '%s': see virsh list --all", pattern);
}

/* Names before patterns, so that what is named is not left out. */
static gboolean
select_words (Selector *selector, const GPtrArray *domains, GError **error)
{
  g_autoptr (GError) failure = NULL;
  const char *const *words = selector->request->words;

  for (gsize i = 0; words[i] != NULL && failure == NULL; i++)
    {
      virDomainPtr exact = find_by_name (domains, words[i]);
      g_autoptr (virDomain) found = NULL;

      if (exact != NULL)
        add_named (selector, exact, words[i], &failure);
      else if (!vk_selection_is_pattern (words[i]) && (found = vk_host_find_domain (selector->host, words[i], &failure)) != NULL)
        add_named (selector, found, words[i], &failure);
    }
  for (gsize i = 0; words[i] != NULL && failure == NULL; i++)
    if (vk_selection_is_pattern (words[i]) && find_by_name (domains, words[i]) == NULL)
      add_pattern (selector, domains, words[i], &failure);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

VkSelection *
vk_selection_new (VkHost *host, const VkSelectionRequest *request, GError **error)
{
  g_autoptr (VkSelection) selection = g_new0 (VkSelection, 1);
  g_autoptr (GPtrArray) domains = NULL;
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Selector selector = { host, request, selection, seen };
  gboolean done;

  selection->domains = g_ptr_array_new_with_free_func ((GDestroyNotify) selected_free);
  selection->left_out = g_ptr_array_new_with_free_func ((GDestroyNotify) left_out_free);
  domains = vk_host_domains (host, 0, error);
  if (domains == NULL)
    return NULL;
  done = request->all ? add_pattern (&selector, domains, NULL, error) : select_words (&selector, domains, error);
  if (done && request->selectors != NULL && selection->domains->len + selection->left_out->len == 0)
    {
      g_autofree char *wanted = g_strjoinv ("' and '", (char **) request->selectors);

      vk_fail (error, VK_ERROR_NOT_FOUND, "no domain has '%s' in its policy: see virt-keep policy set", wanted);
      return NULL;
    }
  return done ? g_steal_pointer (&selection) : NULL;
}
