/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Restore points and their names, whatever the store. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "store/store.h"

void
vk_point_free (VkPoint *point)
{
  g_free (point->location);
  g_free (point->damage);
  g_free (point->id);
  g_free (point->domain);
  g_free (point->note);
  g_free (point->annotation_damage);
  vk_verdict_free (point->verdict);
  g_clear_pointer (&point->manifest, vk_manifest_free);
  g_free (point);
}

char *
vk_point_name (const VkPoint *point)
{
  return g_strdup_printf ("%s@%s", point->domain, point->id);
}

char *
vk_point_new_id (const char *newest, GError **error)
{
  static const char format[] = "%Y%m%dT%H%M%SZ";
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *id = g_date_time_format (now, format);
  g_autoptr (GDateTime) last = NULL;
  g_autoptr (GDateTime) next = NULL;

  if (newest == NULL || strcmp (newest, id) < 0)
    return g_steal_pointer (&id);
  last = g_date_time_new_from_iso8601 (newest, NULL);
  next = last ? g_date_time_add_seconds (last, 1) : NULL;
  if (next != NULL)
    return g_date_time_format (next, format);
  vk_fail (error, VK_ERROR_STORE, "the restore point '%s' has a name that is no time: remove or rename it", newest);
  return NULL;
}

static gboolean
same_domain (const VkPoint *a, const VkPoint *b)
{
  return g_strcmp0 (a->manifest ? a->manifest->domain_uuid : NULL, b->manifest ? b->manifest->domain_uuid : NULL) == 0;
}

/* The index in points of the one whose time is time, of the newest usable one
 * for NULL; -1 when there is none. */
static int
find_by_time (const GPtrArray *points, const char *time)
{
  for (int i = (int) points->len - 1; i >= 0; i--)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if (time ? strcmp (point->id, time) == 0 : point->damage == NULL)
        return i;
    }
  return -1;
}

gboolean
vk_store_refuse_ambiguous (const GPtrArray *points, const char *domain, GError **error)
{
  for (guint i = 1; i < points->len; i++)
    {
      const VkPoint *first = g_ptr_array_index (points, 0);
      const VkPoint *point = g_ptr_array_index (points, i);

      if (first->manifest != NULL && point->manifest != NULL && !same_domain (first, point))
        {
          vk_fail (error, VK_ERROR_USAGE, "the store has points of several domains named '%s': use the UUID, e.g. %s or %s", domain,
                       first->manifest->domain_uuid, point->manifest->domain_uuid);
          return FALSE;
        }
    }
  return TRUE;
}

const char *
vk_point_name_time (const char *name)
{
  static const char form[] = "00000000T000000Z";
  const char *at = strrchr (name, '@');

  if (at == NULL || strcmp (at + 1, "latest") == 0)
    return at ? at + 1 : NULL;
  if (strlen (at + 1) != strlen (form))
    return NULL;
  for (gsize i = 0; form[i] != '\0'; i++)
    if (form[i] == '0' ? !g_ascii_isdigit (at[1 + i]) : at[1 + i] != form[i])
      return NULL;
  return at + 1;
}

VkPoint *
vk_store_find_point (VkStore *store, const char *name, GError **error)
{
  const char *word = vk_point_name_time (name);
  g_autofree char *domain = word ? g_strndup (name, (gsize) (word - 1 - name)) : g_strdup (name);
  const char *time = word && strcmp (word, "latest") != 0 ? word : NULL;
  g_autoptr (GPtrArray) points = vk_store_list (store, domain, error);
  VkPoint *point;
  int found;

  if (points == NULL || !vk_store_refuse_ambiguous (points, domain, error))
    return NULL;
  found = find_by_time (points, time);
  if (found < 0)
    {
      vk_fail (error, VK_ERROR_NOT_FOUND, "the store '%s' has no restore point '%s': see virt-keep list", store->url, name);
      return NULL;
    }
  point = g_ptr_array_steal_index (points, (guint) found);
  if (point->damage == NULL)
    return point;
  vk_fail (error, VK_ERROR_STORE, "the restore point '%s' cannot be used: %s", name, point->damage);
  vk_point_free (point);
  return NULL;
}

guint
vk_point_chain_length (const GPtrArray *points, const VkPoint *point)
{
  const char *id = point->id;
  guint length = 1;

  for (guint i = points->len; i-- > 0;)
    {
      const VkPoint *candidate = g_ptr_array_index (points, i);

      if (strcmp (candidate->id, id) != 0 || candidate->manifest == NULL || candidate->manifest->base == NULL)
        continue;
      id = candidate->manifest->base;
      length++;
    }
  return length;
}
