/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Doors are found by what stands in their environment, which nobody else can put
 * into a process of ours; a recorded process id might be another one's by now. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "view/lasting-door.h"

enum
{
  /* A restic lock has to be removed, maybe over a network. */
  TERM_SECONDS = 10,
  KILL_SECONDS = 5,
  POLL_MS = 10,
};

/* The value of the variable in a process of this user's.  Returns: (transfer full),
 * or NULL when there is none. */
static char *
read_owner (const char *pid)
{
  g_autofree char *directory = g_build_filename ("/proc", pid, NULL);
  g_autofree char *path = g_build_filename (directory, "environ", NULL);
  g_autofree char *text = NULL;
  struct stat status;
  gsize length;

  if (stat (directory, &status) < 0 || status.st_uid != geteuid () || !g_file_get_contents (path, &text, &length, NULL))
    return NULL;
  for (const char *variable = text; variable < text + length; variable += strlen (variable) + 1)
    if (g_str_has_prefix (variable, VK_DOOR_VARIABLE "="))
      return g_strdup (variable + strlen (VK_DOOR_VARIABLE "="));
  return NULL;
}

GArray *
vk_lasting_door_find (const char *directory, GPtrArray *owners)
{
  GArray *doors = g_array_new (FALSE, FALSE, sizeof (pid_t));
  g_autoptr (GDir) processes = g_dir_open ("/proc", 0, NULL);
  const char *name;

  while (processes != NULL && (name = g_dir_read_name (processes)) != NULL)
    {
      g_autofree char *owner = g_ascii_isdigit (*name) ? read_owner (name) : NULL;
      pid_t pid = (pid_t) g_ascii_strtoll (name, NULL, 10);

      if (owner == NULL || (directory != NULL && strcmp (owner, directory) != 0))
        continue;
      g_array_append_val (doors, pid);
      if (owners != NULL)
        g_ptr_array_add (owners, g_steal_pointer (&owner));
    }
  return doors;
}

/* Returns whether all have ended within seconds. */
static gboolean
wait_for_end (const char *directory, guint seconds)
{
  gint64 deadline = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;

  for (;;)
    {
      g_autoptr (GArray) doors = vk_lasting_door_find (directory, NULL);

      if (doors->len == 0)
        return TRUE;
      if (g_get_monotonic_time () > deadline)
        return FALSE;
      g_usleep (POLL_MS * 1000);
    }
}

static void
signal_all (const char *directory, int number)
{
  g_autoptr (GArray) doors = vk_lasting_door_find (directory, NULL);

  for (guint i = 0; i < doors->len; i++)
    kill (g_array_index (doors, pid_t, i), number);
}

gboolean
vk_lasting_door_end_all (const char *directory, guint grace, GError **error)
{
  if (wait_for_end (directory, grace))
    return TRUE;
  signal_all (directory, SIGTERM);
  if (wait_for_end (directory, TERM_SECONDS))
    return TRUE;
  signal_all (directory, SIGKILL);
  if (wait_for_end (directory, KILL_SECONDS))
    return TRUE;
  return vk_fail (error, VK_ERROR_FAILED, "the doors of '%s' do not end: see the processes with %s=%s in their environment", directory, VK_DOOR_VARIABLE, directory);
}
