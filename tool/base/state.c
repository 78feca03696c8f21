/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"

enum { STATE_MODE = 0711 };

char *
vk_state_directory (void)
{
  const char *named = g_getenv ("VIRT_KEEP_STATE_DIR");
  const char *home = g_getenv ("XDG_STATE_HOME");

  if (named != NULL && *named != '\0')
    return g_canonicalize_filename (named, NULL);
  if (geteuid () == 0)
    return g_strdup (PKGSTATEDIR);
  if (home != NULL && g_path_is_absolute (home))
    return g_build_filename (home, "virt-keep", NULL);
  return g_build_filename (g_get_home_dir (), ".local", "state", "virt-keep", NULL);
}

char *
vk_state_path (const char *name)
{
  g_autofree char *state = vk_state_directory ();

  return g_build_filename (state, name, NULL);
}

char *
vk_state_make_directory (const char *name, int mode, GError **error)
{
  g_autofree char *state = vk_state_directory ();
  g_autofree char *path = vk_state_path (name);

  return vk_directory_make (state, STATE_MODE, error) && vk_directory_make (path, mode, error) ? g_steal_pointer (&path) : NULL;
}

gboolean
vk_state_save (const char *directory, const char *name, JsonObject *object, GError **error)
{
  g_autofree char *path = g_build_filename (directory, name, NULL);
  g_autofree char *hidden = g_strconcat (".", name, NULL);
  g_autofree char *temporary = g_build_filename (directory, hidden, NULL);
  g_autofree char *text = vk_json_to_string (object, TRUE);

  return vk_tree_remove (temporary, error)
      && vk_file_write (temporary, text, strlen (text), error)
      && vk_file_replace (temporary, path, error);
}

/* The state of a process (a letter) and when it started, in ticks since the boot, from
 * proc(5)'s stat.  The name before them, in parentheses, may hold anything. */
static gboolean
read_stat (guint64 pid, char *state, guint64 *start)
{
  g_autofree char *path = g_strdup_printf ("/proc/%" PRIu64 "/stat", pid);
  g_autofree char *text = NULL;
  const char *behind;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  behind = strrchr (text, ')');
  /* The kernel writes no number that is out of range. */
  return behind != NULL /* NOLINTNEXTLINE(cert-err34-c) */
      && sscanf (behind, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" PRIu64, state, start) == 2;
}

/* PID:START:BOOT. */
static char *
identity_of (guint64 pid)
{
  g_autofree char *boot = NULL;
  guint64 start = 0;
  char state = 'X';

  if (!read_stat (pid, &state, &start) || state == 'Z' || state == 'X')
    return NULL;
  if (!g_file_get_contents ("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL))
    boot = g_strdup ("");
  return g_strdup_printf ("%" PRIu64 ":%" PRIu64 ":%s", pid, start, g_strchomp (boot));
}

char *
vk_process_identity (void)
{
  return identity_of ((guint64) getpid ());
}

gboolean
vk_process_lives (const char *identity)
{
  g_autofree char *found = identity_of (g_ascii_strtoull (identity, NULL, 10));

  return g_strcmp0 (found, identity) == 0;
}
