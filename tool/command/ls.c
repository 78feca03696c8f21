/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/json.h"
#include "command/guest.h"

typedef struct
{
  char *filesystem;
} LsOptions;

static const GOptionEntry ls_options[] = {
  { "filesystem", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (LsOptions, filesystem), N_("Look into this file system only, such as /dev/sda1"), "NAME" },
  { NULL }
};

static const struct
{
  mode_t type;
  char letter;
  const char *word;
} types[] = {
  { S_IFREG, '-', "file" },
  { S_IFDIR, 'd', "directory" },
  { S_IFLNK, 'l', "link" },
  { S_IFCHR, 'c', "character-device" },
  { S_IFBLK, 'b', "block-device" },
  { S_IFIFO, 'p', "fifo" },
  { S_IFSOCK, 's', "socket" },
  { 0, '?', "unknown" },
};

static gsize
type_of (guint32 mode)
{
  gsize i = 0;

  while (types[i].type != 0 && types[i].type != (mode & S_IFMT))
    i++;
  return i;
}

/* "drwxr-xr-x". */
static char *
describe_mode (guint32 mode)
{
  char text[] = "?rwxrwxrwx";

  text[0] = types[type_of (mode)].letter;
  for (guint i = 0; i < 9; i++)
    if ((mode & (0400u >> i)) == 0)
      text[i + 1] = '-';
  if (mode & S_ISUID)
    text[3] = text[3] == 'x' ? 's' : 'S';
  if (mode & S_ISGID)
    text[6] = text[6] == 'x' ? 's' : 'S';
  if (mode & S_ISVTX)
    text[9] = text[9] == 'x' ? 't' : 'T';
  return g_strdup (text);
}

/* A name in one line, for a terminal: as ls -b has it, with characters that are
 * none as numbers. */
static void
append_name (GString *text, const char *name)
{
  while (*name != '\0')
    {
      gunichar character = g_utf8_get_char_validated (name, -1);

      if (*name == '\\')
        g_string_append (text, "\\\\");
      else if (character < (gunichar) -2 && g_unichar_isprint (character))
        g_string_append_unichar (text, character);
      else
        g_string_append_printf (text, "\\%03o", (guint) (guint8) *name);
      name = *name != '\\' && character < (gunichar) -2 && g_unichar_isprint (character) ? g_utf8_next_char (name) : name + 1;
    }
}

static void
append_file (GString *text, const VkGuestFile *file)
{
  g_autofree char *mode = describe_mode (file->mode);
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (file->mtime);
  g_autofree char *when = time ? g_date_time_format (time, "%Y-%m-%d %H:%M") : g_strdup ("?");

  g_string_append_printf (text, "%s %3" PRIu64 " %5" PRIu64 " %5" PRIu64 " %12" PRIu64 " %s ",
                          mode, file->links, file->uid, file->gid, file->size, when);
  append_name (text, file->name);
  if (file->target != NULL)
    {
      g_string_append (text, " -> ");
      append_name (text, file->target);
    }
  g_string_append_c (text, '\n');
}

static JsonObject *
file_json (const VkGuestFile *file)
{
  JsonObject *object = json_object_new ();
  g_autofree char *mode = g_strdup_printf ("%04o", file->mode & 07777);
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (file->mtime);
  g_autofree char *when = time ? g_date_time_format (time, "%Y-%m-%dT%H:%M:%SZ") : NULL;

  vk_json_set_string (object, "name", file->name);
  vk_json_set_string (object, "type", types[type_of (file->mode)].word);
  vk_json_set_string (object, "mode", mode);
  json_object_set_int_member (object, "links", (gint64) file->links);
  json_object_set_int_member (object, "uid", (gint64) file->uid);
  json_object_set_int_member (object, "gid", (gint64) file->gid);
  json_object_set_int_member (object, "size", (gint64) file->size);
  vk_json_set_string (object, "modified", when);
  vk_json_set_string (object, "target", file->target);
  return object;
}

/* The last argument is the path; between it and the point there may be a disk. */
static const char *
path_argument (const VkInvocation *invocation)
{
  return invocation->arguments[2] ? invocation->arguments[2] : invocation->arguments[1];
}

static gboolean
list_files (VkInvocation *invocation, VkGuest *guest, const char *point_name, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = vk_guest_path (path_argument (invocation));
  g_autoptr (GPtrArray) files = vk_guest_list (guest, path, cancellable, error);
  JsonArray *array = json_array_new ();

  vk_json_set_string (invocation->result, "point", point_name);
  vk_json_set_string (invocation->result, "path", path);
  json_object_set_array_member (invocation->result, "files", array);
  for (guint i = 0; files != NULL && i < files->len; i++)
    {
      append_file (invocation->text, g_ptr_array_index (files, i));
      json_array_add_object_element (array, file_json (g_ptr_array_index (files, i)));
    }
  return files != NULL;
}

static gboolean
run_ls (VkInvocation *invocation, GError **error)
{
  const LsOptions *options = invocation->options;
  const VkGuestRequest request = {
    .disk = invocation->arguments[2] ? invocation->arguments[1] : NULL,
    .filesystem = options->filesystem,
    .style = VK_PROGRESS_NONE,
    .look = list_files,
  };

  return vk_look_into_point (invocation, &request, error);
}

const VkCommand vk_command_ls = {
  .name = "ls",
  .arguments = "POINT [DISK] PATH",
  .summary = N_("List files in the file systems of a restore point"),
  .options = ls_options,
  .option_bytes = sizeof (LsOptions),
  .run = run_ls,
};
