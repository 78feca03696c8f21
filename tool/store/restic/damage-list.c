/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/damage-list.h"

#include <inttypes.h>
#include <string.h>

/* Ranges of one damage that are told. */
enum { RANGES_TOLD = 4 };

/* Bytes of a file of a point. */
struct range
{
  char *file;
  guint64 start;
  guint64 end;
};

/* A damage to a file of the repository, and what it concerns in the first point
 * that has it. */
struct place
{
  VkDamage *damage;
  const VkPoint *point;
  GArray *ranges;    /* of struct range */
};

struct VkDamageList
{
  GPtrArray *damages; /* of VkDamage; (transfer none) */
  GHashTable *places; /* of struct place, the damages to files of the repository */
};

static void
range_clear (struct range *range)
{
  g_free (range->file);
}

static void
place_free (struct place *place)
{
  g_array_unref (place->ranges);
  g_free (place);
}

static VkDamage *
add_damage (VkDamageList *list, const char *file, const char *message)
{
  VkDamage *damage = g_new0 (VkDamage, 1);

  damage->file = g_strdup (file);
  damage->message = g_strdup (message);
  damage->affects = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (list->damages, damage);
  return damage;
}

void
vk_damage_list_add_point (VkDamageList *list, const VkPoint *point, const char *message)
{
  g_ptr_array_add (add_damage (list, point->location, message)->affects, vk_point_name (point));
}

static struct place *
find_place (VkDamageList *list, const VkPoint *point, const VkBlobFault *fault)
{
  struct place *place = g_hash_table_lookup (list->places, fault->file);

  if (place != NULL)
    return place;
  place = g_new0 (struct place, 1);
  place->damage = add_damage (list, fault->file, fault->message);
  place->point = point;
  place->ranges = g_array_new (FALSE, FALSE, sizeof (struct range));
  g_array_set_clear_func (place->ranges, (GDestroyNotify) range_clear);
  g_hash_table_insert (list->places, g_strdup (fault->file), place);
  return place;
}

static void
add_range (struct place *place, const char *file, guint64 start, guint64 end)
{
  struct range *last = place->ranges->len > 0 ? &g_array_index (place->ranges, struct range, place->ranges->len - 1) : NULL;
  struct range range = { .file = g_strdup (file), .start = start, .end = end };

  if (last == NULL || last->end != start || strcmp (last->file, file) != 0)
    g_array_append_val (place->ranges, range);
  else
    {
      last->end = end;
      g_free (range.file);
    }
}

void
vk_damage_list_add_fault (VkDamageList *list, const VkPoint *point, const char *file, const VkBlobFault *fault, guint64 start, guint64 end)
{
  struct place *place = find_place (list, point, fault);
  g_autofree char *name = vk_point_name (point);

  if (place->point == point && end > start)
    add_range (place, file, start, end);
  if (!g_ptr_array_find_with_equal_func (place->damage->affects, name, g_str_equal, NULL))
    g_ptr_array_add (place->damage->affects, g_steal_pointer (&name));
}

/* Puts the ranges into words. */
static void
tell_ranges (struct place *place)
{
  g_autofree char *name = vk_point_name (place->point);
  GString *text = g_string_new (place->damage->message);
  const char *file = "";

  for (guint i = 0; i < MIN (place->ranges->len, RANGES_TOLD); i++)
    {
      const struct range *range = &g_array_index (place->ranges, struct range, i);

      g_string_append (text, i == 0 ? "; in " : ", ");
      if (strcmp (range->file, file) != 0)
        g_string_append_printf (text, "'%s' of %s bytes ", range->file, name);
      g_string_append_printf (text, "%" PRIu64 " to %" PRIu64, range->start, range->end - 1);
      file = range->file;
    }
  if (place->ranges->len > RANGES_TOLD)
    g_string_append_printf (text, " and %u more ranges", place->ranges->len - RANGES_TOLD);
  g_free (place->damage->message);
  place->damage->message = g_string_free (text, FALSE);
}

VkDamageList *
vk_damage_list_new (GPtrArray *damages)
{
  VkDamageList *list = g_new0 (VkDamageList, 1);

  list->damages = damages;
  list->places = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) place_free);
  return list;
}

void
vk_damage_list_free (VkDamageList *list)
{
  GHashTableIter iter;
  gpointer place;

  g_hash_table_iter_init (&iter, list->places);
  while (g_hash_table_iter_next (&iter, NULL, &place))
    tell_ranges (place);
  g_hash_table_unref (list->places);
  g_free (list);
}
