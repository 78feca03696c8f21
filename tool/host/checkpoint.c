/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/checkpoint.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/xml.h"
#include "host/question.h"

char *
vk_checkpoint_name (const char *store_id, const char *point_id)
{
  return g_strdup_printf ("virt-keep-%s-%s", store_id, point_id);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GPtrArray *
vk_checkpoint_list (virDomainPtr domain, const char *store_id, GError **error)
{
  g_autofree char *prefix = vk_checkpoint_name (store_id, "");
  const char *domain_name = virDomainGetName (domain);
  virDomainCheckpointPtr *checkpoints = NULL;
  GPtrArray *names;
  int count = virDomainListAllCheckpoints (domain, &checkpoints, 0);

  if (count < 0)
    {
      vk_set_libvirt_error (error, NULL, "cannot list the checkpoints of '%s'", domain_name);
      return NULL;
    }
  names = g_ptr_array_new_with_free_func (g_free);
  for (int i = 0; i < count; i++)
    {
      const char *name = virDomainCheckpointGetName (checkpoints[i]);

      if (g_str_has_prefix (name, prefix))
        g_ptr_array_add (names, g_strdup (name));
      virDomainCheckpointFree (checkpoints[i]);
    }
  free (checkpoints);
  g_ptr_array_sort (names, compare_names);
  return names;
}

static gboolean
delete (virDomainPtr domain, gpointer name, GError **error)
{
  const char *domain_name = virDomainGetName (domain);
  g_autoptr (virDomainCheckpoint) checkpoint = virDomainCheckpointLookupByName (domain, name, 0);
  g_autoptr (GError) failure = NULL;

  if (checkpoint == NULL && virGetLastErrorCode () == VIR_ERR_NO_DOMAIN_CHECKPOINT)
    return TRUE;
  if (checkpoint != NULL && virDomainCheckpointDelete (checkpoint, 0) == 0)
    return TRUE;
  vk_set_libvirt_error (&failure, NULL, "cannot delete the checkpoint '%s' of '%s'", (const char *) name, domain_name);
  if (checkpoint != NULL && virDomainCheckpointDelete (checkpoint, VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY) == 0)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
vk_checkpoint_delete (virDomainPtr domain, const char *name, GError **error)
{
  char *copy = g_strdup (name);

  if (!vk_question_ask (domain, delete, copy, g_free, error))
    return FALSE;
  g_free (copy);
  return TRUE;
}

char *
vk_checkpoint_xml (virDomainPtr domain, const char *name, GError **error)
{
  const char *domain_name = virDomainGetName (domain);
  g_autoptr (virDomainCheckpoint) checkpoint = virDomainCheckpointLookupByName (domain, name, 0);
  char *text = checkpoint ? virDomainCheckpointGetXMLDesc (checkpoint, VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN) : NULL;
  char *copy = g_strdup (text);

  if (text == NULL)
    vk_set_libvirt_error (error, NULL, "cannot read the checkpoint '%s' of '%s'", name, domain_name);
  free (text);
  return copy;
}

gboolean
vk_checkpoint_exists (virDomainPtr domain, const char *name)
{
  g_autoptr (virDomainCheckpoint) checkpoint = virDomainCheckpointLookupByName (domain, name, 0);

  return checkpoint != NULL;
}

static void
add_size (GHashTable *sizes, xmlNode *disk)
{
  g_autofree char *target = vk_xml_attribute (disk, "name");
  g_autofree char *size = vk_xml_attribute (disk, "size");
  guint64 bytes;

  if (target != NULL && size != NULL && g_ascii_string_to_unsigned (size, 10, 0, G_MAXUINT64, &bytes, NULL))
    g_hash_table_insert (sizes, g_steal_pointer (&target), g_memdup2 (&bytes, sizeof bytes));
}

GHashTable *
vk_checkpoint_parse_sizes (const char *text, const char *name, GError **error)
{
  g_autoptr (xmlDoc) doc = vk_xml_parse (text, name, error);
  g_autoptr (GPtrArray) disks = NULL;
  GHashTable *sizes;

  if (doc == NULL)
    return NULL;
  sizes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  disks = vk_xml_find_all (xmlDocGetRootElement (doc), "/domaincheckpoint/disks/disk[@checkpoint='bitmap']");
  for (guint i = 0; i < disks->len; i++)
    add_size (sizes, g_ptr_array_index (disks, i));
  return sizes;
}

typedef struct
{
  char *name;
  char *text; /* of libvirt */
} Document;

static void
document_free (gpointer data)
{
  Document *document = data;

  g_free (document->name);
  free (document->text);
  g_free (document);
}

/* QEMU is asked for what its bitmaps mark. */
static gboolean
ask_sizes (virDomainPtr domain, gpointer data, GError **error)
{
  const char *domain_name = virDomainGetName (domain);
  Document *document = data;
  g_autoptr (virDomainCheckpoint) checkpoint = virDomainCheckpointLookupByName (domain, document->name, 0);

  if (checkpoint != NULL)
    document->text = virDomainCheckpointGetXMLDesc (checkpoint, VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN | VIR_DOMAIN_CHECKPOINT_XML_SIZE);
  if (document->text != NULL)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "cannot read the checkpoint '%s' of '%s'", document->name, domain_name);
  return FALSE;
}

GHashTable *
vk_checkpoint_sizes (virDomainPtr domain, const char *name, GError **error)
{
  Document *document = g_new0 (Document, 1);
  GHashTable *sizes;

  document->name = g_strdup (name);
  if (!vk_question_ask (domain, ask_sizes, document, document_free, error))
    return NULL;
  sizes = vk_checkpoint_parse_sizes (document->text, name, error);
  document_free (document);
  return sizes;
}

char *
vk_checkpoint_prepare_redefine (const char *xml, const char *name, GError **error)
{
  g_autoptr (xmlDoc) doc = vk_xml_parse (xml, "checkpoint.xml", error);
  xmlNode *parent = doc ? vk_xml_find (xmlDocGetRootElement (doc), "/domaincheckpoint/parent") : NULL;
  g_autofree char *found = doc ? vk_xml_text (xmlDocGetRootElement (doc), "/domaincheckpoint/name") : NULL;

  if (doc == NULL)
    return NULL;
  if (g_strcmp0 (found, name) != 0)
    {
      vk_fail (error, VK_ERROR_STORE, "its XML in the store is of another one, '%s'", found ? found : "");
      return NULL;
    }
  if (parent != NULL)
    {
      xmlUnlinkNode (parent);
      xmlFreeNode (parent);
    }
  return vk_xml_to_string (doc);
}

/* QEMU is asked whether it has the bitmaps. */
static gboolean
redefine (virDomainPtr domain, gpointer text, GError **error)
{
  g_autoptr (virDomainCheckpoint) checkpoint = virDomainCheckpointCreateXML (domain, text, VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE | VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE);

  if (checkpoint != NULL)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "it could not be defined again");
  return FALSE;
}

gboolean
vk_checkpoint_redefine (virDomainPtr domain, const char *name, const char *xml, GError **error)
{
  char *text = vk_checkpoint_prepare_redefine (xml, name, error);

  if (text == NULL || !vk_question_ask (domain, redefine, text, g_free, error))
    return FALSE;
  g_free (text);
  return TRUE;
}
