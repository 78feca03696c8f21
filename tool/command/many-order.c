/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which of several domains comes first. */
#include "config.h"

#include <string.h>

#include "command/many-private.h"

const char *const vk_order_words[] = { "given", "name", "oldest", NULL };

static int
compare_by_name (gconstpointer a, gconstpointer b)
{
  return strcmp (((const VkMember *) a)->domain->name, ((const VkMember *) b)->domain->name);
}

/* When the newest point of the domain was made; NULL when it has none. */
static GDateTime *
newest_of (const VkMember *member)
{
  GHashTable *newest = member->store ? member->store->newest : NULL;

  return newest ? g_hash_table_lookup (newest, member->domain->uuid) : NULL;
}

static int
compare_by_instant (gconstpointer a, gconstpointer b)
{
  GDateTime *one = newest_of (a);
  GDateTime *other = newest_of (b);

  if (one == NULL || other == NULL)
    return (one != NULL) - (other != NULL);
  return g_date_time_compare (one, other);
}

void
vk_many_sort (VkMany *many)
{
  if (many->request->order == VK_ORDER_OLDEST)
    g_array_sort (many->members, compare_by_instant);
  else if (many->request->order == VK_ORDER_NAME)
    g_array_sort (many->members, compare_by_name);
}
