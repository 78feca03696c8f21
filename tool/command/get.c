/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/json.h"
#include "command/guest.h"

typedef struct
{
  char *disk;
  char *filesystem;
  char *progress;
} GetOptions;

static const GOptionEntry get_options[] = {
  { "disk", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (GetOptions, disk), N_("Look into this disk only"), "DEV" },
  { "filesystem", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (GetOptions, filesystem), N_("Look into this file system only, such as /dev/sda1"), "NAME" },
  { "progress", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (GetOptions, progress), N_("How to show progress on standard error"), "bar|lines|json|none" },
  { NULL }
};

/* As cp(1) has it: dest, or in dest when that is a directory.  Returns: (transfer
 * full) its absolute path, or NULL with *error when there is something. */
static char *
find_place (const char *path, const char *dest, GError **error)
{
  g_autofree char *absolute = g_canonicalize_filename (dest, NULL);
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *place = NULL;
  struct stat status;

  if (!g_file_test (absolute, G_FILE_TEST_IS_DIR))
    place = g_steal_pointer (&absolute);
  else if (strcmp (name, "/") != 0 && strcmp (name, ".") != 0 && strcmp (name, "..") != 0)
    place = g_build_filename (absolute, name, NULL);
  if (place != NULL && lstat (place, &status) != 0)
    {
      g_autofree char *parent = g_path_get_dirname (place);

      if (g_file_test (parent, G_FILE_TEST_IS_DIR))
        return g_steal_pointer (&place);
      vk_fail (error, VK_ERROR_NOT_FOUND, "there is no directory '%s': make it, or name another place", parent);
      return NULL;
    }
  vk_fail (error, VK_ERROR_REFUSED, "'%s' exists already and is not overwritten: name another place", place ? place : absolute);
  return NULL;
}

static gboolean
copy_files (VkInvocation *invocation, VkGuest *guest, const char *point_name, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = vk_guest_path (invocation->arguments[1]);
  g_autofree char *place = find_place (path, invocation->arguments[2], error);

  if (place == NULL)
    return FALSE;
  vk_reporter_phase (reporter, "copy", "copying");
  if (!vk_guest_copy (guest, path, place, reporter, cancellable, error))
    return FALSE;
  vk_json_set_string (invocation->result, "point", point_name);
  vk_json_set_string (invocation->result, "path", path);
  vk_json_set_string (invocation->result, "copy", place);
  g_string_append_printf (invocation->text, _("Copied %s of %s to %s\n"), path, point_name, place);
  return TRUE;
}

static gboolean
run_get (VkInvocation *invocation, GError **error)
{
  const GetOptions *options = invocation->options;
  VkGuestRequest request = { .disk = options->disk, .filesystem = options->filesystem, .look = copy_files };
  g_autofree char *place = NULL;

  if (!vk_parse_progress (invocation, options->progress, &request.style, error))
    return FALSE;
  if (*invocation->arguments[2] == '\0')
    return vk_fail (error, VK_ERROR_USAGE, "where to? the last argument is a file or a directory");
  /* What is in the way is said at once, and not after minutes. */
  place = find_place (invocation->arguments[1], invocation->arguments[2], error);
  return place != NULL && vk_look_into_point (invocation, &request, error);
}

const VkCommand vk_command_get = {
  .name = "get",
  .arguments = "POINT PATH DEST",
  .summary = N_("Copy a file or directory out of a restore point"),
  .options = get_options,
  .option_bytes = sizeof (GetOptions),
  .run = run_get,
};
