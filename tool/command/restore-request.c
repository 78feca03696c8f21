/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/restore-request.h"

#include <string.h>

#include "base/error.h"
#include "command/command.h"
#include "host/network-source.h"

/* "A=B" into table; what: how the option calls them. */
static gboolean
parse_pairs (const char *option, const char *what, char **words, GHashTable **table, GError **error)
{
  if (words == NULL)
    return TRUE;
  *table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  for (gsize i = 0; words[i] != NULL; i++)
    {
      const char *sign = strchr (words[i], '=');
      g_autofree char *key = sign ? g_strndup (words[i], (gsize) (sign - words[i])) : NULL;

      if (key == NULL || *key == '\0' || sign[1] == '\0')
        return vk_fail (error, VK_ERROR_USAGE, "%s takes %s, not '%s'", option, what, words[i]);
      if (g_hash_table_contains (*table, key))
        return vk_fail (error, VK_ERROR_USAGE, "%s is given twice for '%s'", option, key);
      g_hash_table_insert (*table, g_steal_pointer (&key), g_strdup (sign + 1));
    }
  return TRUE;
}

/* Bytes with K or M behind them, or none. */
static gboolean
parse_cluster_size (const char *word, guint64 *bytes, GError **error)
{
  char *end = NULL;
  guint64 number;
  int shift;

  if (word == NULL)
    return TRUE;
  number = g_ascii_isdigit (word[0]) ? g_ascii_strtoull (word, &end, 10) : 0;
  shift = end == NULL || *end == '\0' ? 0 : g_ascii_toupper (*end) == 'K' ? 10 : g_ascii_toupper (*end) == 'M' ? 20 : -1;
  if (number >= 1 && number <= VK_CLUSTER_SIZE_MAX && shift >= 0 && (shift == 0 || end[1] == '\0'))
    number <<= shift;
  else
    number = 0;
  if (number >= VK_CLUSTER_SIZE_MIN && number <= VK_CLUSTER_SIZE_MAX && (number & (number - 1)) == 0)
    {
      *bytes = number;
      return TRUE;
    }
  return vk_fail (error, VK_ERROR_USAGE, "--cluster-size is a power of two from 512 to 2M, not '%s'", word);
}

static gboolean
usage (GError **error, const char *text)
{
  g_set_error_literal (error, VK_ERROR, VK_ERROR_USAGE, text);
  return FALSE;
}

static gboolean
parse_form (const VkRestoreOptions *options, VkImageForm *form, GError **error)
{
  static const char *const formats[] = { "qcow2", "raw", NULL };
  static const char *const preallocations[] = { "off", "metadata", "falloc", "full", NULL };
  int format, preallocation;

  if (!vk_parse_choice ("--format", options->format, formats, 0, &format, error)
      || !vk_parse_choice ("--preallocation", options->preallocation, preallocations, 0, &preallocation, error)
      || !parse_cluster_size (options->cluster_size, &form->cluster_size, error))
    return FALSE;
  form->format = formats[format];
  form->compress = options->compress;
  form->preallocation = preallocation == 0 ? NULL : preallocations[preallocation];
  if (format == 1 && (form->compress || form->cluster_size != 0 || preallocation == 1))
    return usage (error, "--compress, --cluster-size and --preallocation metadata are for --format qcow2");
  if (form->compress && form->preallocation != NULL)
    return usage (error, "--compress and --preallocation do not go together: what a compressed disk will take is not known");
  return TRUE;
}

static gboolean
check_name (const char *name, GError **error)
{
  if (name == NULL || (name[0] != '\0' && strpbrk (name, "/\n") == NULL))
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "--name cannot be '%s': libvirt has no domain without a name, or with a slash or a line break in it", name);
}

static gboolean
check_define (const VkRestoreOptions *options, const VkRestoreRequest *restore, GError **error)
{
  GHashTableIter iter;
  gpointer place;

  if (options->name != NULL && !options->define && options->pool == NULL)
    return usage (error, "--name is for --define, and for the names of volumes with --pool");
  if (!options->define && (options->new_uuid || options->new_macs || options->networks != NULL || options->start))
    return usage (error, "--new-uuid, --new-macs, --network and --start are for --define");
  if (!options->define || restore->targets == NULL)
    return check_name (options->name, error);
  g_hash_table_iter_init (&iter, restore->targets);
  while (g_hash_table_iter_next (&iter, NULL, &place))
    {
      g_autoptr (VkNetworkSource) source = NULL;

      if (!vk_restore_is_path (place) && (source = vk_network_source_parse (place, error)) == NULL)
        return FALSE;
    }
  return check_name (options->name, error);
}

static gboolean
check_places (const VkRestoreOptions *options, GError **error)
{
  if (options->directory != NULL && *options->directory == '\0')
    return usage (error, "where to? --to names no directory");
  if (options->delta && !options->in_place)
    return usage (error, "--delta is for --in-place");
  if (options->in_place && (options->directory != NULL || options->pool != NULL || options->targets != NULL || options->files != NULL || options->define || options->format != NULL))
    return usage (error, "--in-place restores to where the domain's disks are, in the formats that they have: without --to, --pool, --target, --file, --define and --format");
  if (options->delta && (options->cluster_size != NULL || options->compress || options->preallocation != NULL))
    return usage (error, "--delta makes no new images: leave out --cluster-size, --compress and --preallocation");
  if (!options->in_place && options->directory == NULL && options->pool == NULL && options->targets == NULL)
    return usage (error, "where to? give --to DIRECTORY, --pool NAME, --target DEV=PLACE or --in-place");
  if (options->files != NULL && (options->directory == NULL || options->pool != NULL || options->targets != NULL || options->disks != NULL || options->define))
    return usage (error, "--file goes with --to alone: it restores nothing but files");
  return TRUE;
}

gboolean
vk_restore_parse_options (const VkRestoreOptions *options, VkRestoreRequests *requests, GError **error)
{
  VkRestoreRequest *restore = &requests->restore;
  VkDefineRequest *define = &requests->define;

  restore->directory = options->directory;
  restore->pool = options->pool;
  restore->disks = (const char *const *) options->disks;
  restore->files = (const char *const *) options->files;
  restore->name = options->name;
  restore->delta = options->delta;
  define->name = options->name;
  define->new_uuid = options->new_uuid;
  define->new_macs = options->new_macs;
  define->start = options->start;
  return parse_form (options, &restore->form, error)
      && parse_pairs ("--target", "DEV=PLACE", options->targets, &restore->targets, error)
      && parse_pairs ("--network", "NAME=NAME", options->networks, &define->networks, error)
      && check_places (options, error)
      && check_define (options, restore, error);
}

void
vk_restore_clear_requests (VkRestoreRequests *requests)
{
  g_clear_pointer (&requests->restore.targets, g_hash_table_unref);
  g_clear_pointer (&requests->define.networks, g_hash_table_unref);
}
