/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where several domains go: policies and the configuration may have other stores for some of
 * them. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "command/many-private.h"
#include "command/settings.h"
#include "store/summary.h"

void
vk_many_store_free (VkManyStore *store)
{
  g_free (store->url);
  vk_store_password_free (store->password);
  g_clear_pointer (&store->newest, g_hash_table_unref);
  g_clear_error (&store->failure);
  g_free (store);
}

/* Standard input can be read once: what it gives is for all stores that want it. */
static gboolean
read_password (VkMany *many, VkManyStore *store, const VkStoreSettings *settings, GError **error)
{
  gboolean is_input = vk_store_is_pull_only (store->url) && g_strcmp0 (settings->password_file, "-") == 0;

  if (is_input && many->input_password != NULL)
    {
      store->password = g_strdup (many->input_password);
      return TRUE;
    }
  if (!vk_store_read_password (store->url, settings, &store->password, many->cancellable, error))
    return FALSE;
  if (is_input)
    many->input_password = g_strdup (store->password);
  return TRUE;
}

/* A store that does not exist yet has no points. */
static gboolean
find_newest (VkManyStore *of, VkInvocation *invocation, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (VkStore) store = vk_open_store (invocation, FALSE, &failure);
  g_autoptr (GPtrArray) points = store ? vk_store_list (store, NULL, &failure) : NULL;
  g_autoptr (GPtrArray) summaries = points ? vk_summarize (points, TRUE) : NULL;

  if (summaries == NULL && !(store == NULL && g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND)))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  of->newest = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_date_time_unref);
  for (guint i = 0; summaries != NULL && i < summaries->len; i++)
    {
      const VkDomainSummary *summary = g_ptr_array_index (summaries, i);

      if (summary->uuid != NULL && summary->instant != NULL)
        g_hash_table_insert (of->newest, g_strdup (summary->uuid), g_date_time_ref (summary->instant));
    }
  return TRUE;
}

/* The first of several processes would make it while the others look for it. */
static gboolean
make_image_store (VkInvocation *invocation, GError **error)
{
  g_autoptr (VkStore) store = NULL;

  if (vk_store_is_pull_only (invocation->store))
    return TRUE;
  store = vk_open_store (invocation, TRUE, error);
  return store != NULL;
}

/* own: of a domain that goes there. */
static gboolean
prepare_store (VkMany *many, VkManyStore *store, VkInvocation *own, GError **error)
{
  if (!vk_require_store (own, error) || !read_password (many, store, &own->store_settings, error))
    return FALSE;
  own->store_settings.password = store->password;
  return (many->request->order != VK_ORDER_OLDEST || find_newest (store, own, error)) && make_image_store (own, error);
}

static const VkManyStore *
find_or_prepare_store (VkMany *many, VkInvocation *own)
{
  VkManyStore *store;

  for (guint i = 0; i < many->stores->len; i++)
    if (g_strcmp0 (((VkManyStore *) g_ptr_array_index (many->stores, i))->url, own->store) == 0)
      return g_ptr_array_index (many->stores, i);
  store = g_new0 (VkManyStore, 1);
  store->url = g_strdup (own->store);
  g_ptr_array_add (many->stores, store);
  prepare_store (many, store, own, &store->failure);
  return store;
}

static void
prepare_member (VkMany *many, VkMember *member)
{
  const VkSelected *domain = member->domain;
  const VkPolicy *policy = many->request->obeys_policies ? domain->policy : NULL;

  if (many->request->obeys_policies && domain->failure != NULL)
    member->failure = g_error_copy (domain->failure);
  else if (vk_settings_for_domain (many->invocation, many->request->command, domain->name, policy, &member->own, &member->failure))
    member->store = find_or_prepare_store (many, &member->own);
  if (member->store != NULL && member->store->failure != NULL)
    member->failure = g_error_copy (member->store->failure);
}

gboolean
vk_many_prepare (VkMany *many, GError **error)
{
  const VkManyStore *only;
  gboolean all_there = TRUE;

  for (guint i = 0; i < many->members->len; i++)
    {
      prepare_member (many, vk_many_member (many, i));
      all_there = all_there && vk_many_member (many, i)->store != NULL;
    }
  only = all_there && many->stores->len == 1 ? g_ptr_array_index (many->stores, 0) : NULL;
  if (only == NULL || only->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_error_copy (only->failure));
  return FALSE;
}
