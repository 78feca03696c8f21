/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/checkpoint.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

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
  virDomainCheckpointPtr *checkpoints = NULL;
  GPtrArray *names;
  int count = virDomainListAllCheckpoints (domain, &checkpoints, 0);

  if (count < 0)
    {
      vk_set_libvirt_error (error, NULL, "cannot list the checkpoints of '%s'", virDomainGetName (domain));
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

gboolean
vk_checkpoint_delete (virDomainPtr domain, const char *name, GError **error)
{
  g_autoptr (virDomainCheckpoint) checkpoint = virDomainCheckpointLookupByName (domain, name, 0);
  g_autoptr (GError) failure = NULL;

  if (checkpoint == NULL && virGetLastErrorCode () == VIR_ERR_NO_DOMAIN_CHECKPOINT)
    return TRUE;
  if (checkpoint != NULL && virDomainCheckpointDelete (checkpoint, 0) == 0)
    return TRUE;
  vk_set_libvirt_error (&failure, NULL, "cannot delete the checkpoint '%s' of '%s'", name, virDomainGetName (domain));
  if (checkpoint != NULL && virDomainCheckpointDelete (checkpoint, VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY) == 0)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

char *
vk_checkpoint_xml (virDomainPtr domain, const char *name, GError **error)
{
  g_autoptr (virDomainCheckpoint) checkpoint = virDomainCheckpointLookupByName (domain, name, 0);
  char *text = checkpoint ? virDomainCheckpointGetXMLDesc (checkpoint, VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN) : NULL;
  char *copy = g_strdup (text);

  if (text == NULL)
    vk_set_libvirt_error (error, NULL, "cannot read the checkpoint '%s' of '%s'", name, virDomainGetName (domain));
  free (text);
  return copy;
}
