/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "files/guest-private.h"

/* The names of one directory, in bytes. */
enum { NAMES_LIMIT = 64 << 20 };

void
vk_guest_file_free (VkGuestFile *file)
{
  g_free (file->name);
  g_free (file->target);
  g_free (file);
}

/* guestfish prints "st_mode: 33188" and the like, a line each. */
static gint64
number_of (const char *answer, const char *field)
{
  g_autofree char *label = g_strconcat (field, ": ", NULL);
  const char *found = answer;

  while (!g_str_has_prefix (found, label))
    {
      found = strchr (found, '\n');
      if (found++ == NULL)
        return 0;
    }
  return g_ascii_strtoll (found + strlen (label), NULL, 10);
}

/* What libguestfs calls it that there is nothing at path, in our words. */
static void
explain_missing (const char *path, GError **error)
{
  if (error == NULL || !g_error_matches (*error, VK_ERROR, VK_ERROR_NOT_FOUND))
    return;
  g_clear_error (error);
  vk_fail (error, VK_ERROR_NOT_FOUND, "'%s' is not in the file system: see virt-keep ls", path);
}

/* What a command has printed ends with a newline that is none of it. */
static char *
ask_for_path (VkGuest *guest, const char *command, const char *path, GCancellable *cancellable, GError **error)
{
  char *answer = vk_fish_ask (guest->fish, cancellable, error, command, path, NULL);

  if (answer == NULL)
    explain_missing (path, error);
  else if (g_str_has_suffix (answer, "\n"))
    answer[strlen (answer) - 1] = '\0';
  return answer;
}

char *
vk_guest_resolve (VkGuest *guest, const char *path, GCancellable *cancellable, GError **error)
{
  return ask_for_path (guest, "realpath", path, cancellable, error);
}

VkGuestFile *
vk_guest_stat (VkGuest *guest, const char *path, GCancellable *cancellable, GError **error)
{
  g_autofree char *answer = vk_fish_ask (guest->fish, cancellable, error, "lstatns", path, NULL);
  VkGuestFile *file;

  if (answer == NULL)
    {
      explain_missing (path, error);
      return NULL;
    }
  file = g_new0 (VkGuestFile, 1);
  file->name = g_path_get_basename (path);
  file->mode = (guint32) number_of (answer, "st_mode");
  file->links = (guint64) number_of (answer, "st_nlink");
  file->uid = (guint64) number_of (answer, "st_uid");
  file->gid = (guint64) number_of (answer, "st_gid");
  file->size = (guint64) number_of (answer, "st_size");
  file->mtime = number_of (answer, "st_mtime_sec");
  if (S_ISLNK (file->mode))
    file->target = ask_for_path (guest, "readlink", path, cancellable, error);
  if (!S_ISLNK (file->mode) || file->target != NULL)
    return file;
  vk_guest_file_free (file);
  return NULL;
}

/* The names in a directory, each with a NUL behind, through a file: only so any
 * name is told from the next. */
static char *
read_names (VkGuest *guest, const char *path, gsize *length, GCancellable *cancellable, GError **error)
{
  g_autofree char *listing = g_build_filename (guest->directory, "names", NULL);
  char *names;

  if (!vk_fish_do (guest->fish, cancellable, error, "ls0", path, listing, NULL))
    return NULL;
  names = vk_file_read (listing, NAMES_LIMIT, length, error);
  unlink (listing);
  return names;
}

static int
compare_files (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(VkGuestFile *const *) a)->name, (*(VkGuestFile *const *) b)->name);
}

static gboolean
list_directory (VkGuest *guest, const char *path, GPtrArray *files, GCancellable *cancellable, GError **error)
{
  gsize length;
  g_autofree char *names = read_names (guest, path, &length, cancellable, error);

  if (names == NULL)
    return FALSE;
  for (const char *name = names; name < names + length; name += strlen (name) + 1)
    {
      g_autofree char *each = g_build_filename (path, name, NULL);
      VkGuestFile *file = vk_guest_stat (guest, each, cancellable, error);

      if (file == NULL)
        return FALSE;
      g_ptr_array_add (files, file);
    }
  g_ptr_array_sort (files, compare_files);
  return TRUE;
}

GPtrArray *
vk_guest_list (VkGuest *guest, const char *path, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_guest_file_free);
  VkGuestFile *file = vk_guest_stat (guest, path, cancellable, error);

  if (file == NULL)
    return NULL;
  if (S_ISDIR (file->mode))
    {
      vk_guest_file_free (file);
      return list_directory (guest, path, files, cancellable, error) ? g_steal_pointer (&files) : NULL;
    }
  g_ptr_array_add (files, file);
  return g_steal_pointer (&files);
}
