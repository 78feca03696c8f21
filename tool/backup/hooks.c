/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "backup/hooks.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/process.h"
#include "host/host.h"

/* To be gone after SIGKILL. */
enum { KILL_SECONDS = 5 };

static const char *const leftover_endings[] = { "~", ".bak", ".orig", ".rej", ".swp", ".tmp", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".rpmsave", ".rpmnew", ".rpmorig" };

static gboolean
is_leftover (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (leftover_endings); i++)
    if (g_str_has_suffix (name, leftover_endings[i]))
      return TRUE;
  return *name == '.';
}

/* virt-keep is often root, and would run what others put there. */
static gboolean
check_owner (const char *path, const struct stat *status, GError **error)
{
  if ((status->st_uid == 0 || status->st_uid == geteuid ()) && (status->st_mode & (S_IWGRP | S_IWOTH)) == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "'%s' can be changed by others, and no hook is run from there: it has to belong to root or to you, and nobody else may write to it (chmod go-w)", path);
}

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

GPtrArray *
vk_hooks_list (const char *directory, GError **error)
{
  g_autoptr (GPtrArray) hooks = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) failure = NULL;
  g_autoptr (GDir) names = g_dir_open (directory, 0, &failure);
  struct stat status;
  const char *name;

  if (names == NULL || stat (directory, &status) < 0)
    {
      vk_fail (error, VK_ERROR_REFUSED, "cannot read the directory of hooks '%s': %s", directory, failure ? failure->message : g_strerror (errno));
      return NULL;
    }
  if (!check_owner (directory, &status, error))
    return NULL;
  while ((name = g_dir_read_name (names)) != NULL)
    {
      g_autofree char *path = g_build_filename (directory, name, NULL);

      if (is_leftover (name) || stat (path, &status) < 0 || !S_ISREG (status.st_mode) || (status.st_mode & S_IXUSR) == 0)
        continue;
      if (!check_owner (path, &status, error))
        return NULL;
      g_ptr_array_add (hooks, g_steal_pointer (&path));
    }
  g_ptr_array_sort (hooks, compare_paths);
  return g_steal_pointer (&hooks);
}

/* What a program needs to find its way; no passwords or keys of stores, whatever they are called. */
static char **
make_environment (void)
{
  static const char *const kept[] = { "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ", "TERM", "TMPDIR",
                                      "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "LIBVIRT_DEFAULT_URI", "VIRSH_DEFAULT_CONNECT_URI", "VIRT_KEEP_STATE_DIR" };
  char **environment = g_new0 (char *, 1);

  for (gsize i = 0; i < G_N_ELEMENTS (kept); i++)
    if (g_getenv (kept[i]) != NULL)
      environment = g_environ_setenv (environment, kept[i], g_getenv (kept[i]), TRUE);
  return environment;
}

static void
note_end (GObject *process, GAsyncResult *result, gpointer user_data)
{
  gboolean *ended = user_data;

  g_subprocess_wait_finish (G_SUBPROCESS (process), result, NULL);
  *ended = TRUE;
}

/* A program that does not read has it in the pipe, where it has room; one that has ended
 * already does not want it. */
static void
give_input (GSubprocess *process, JsonObject *input)
{
  g_autofree char *text = vk_json_to_string (input, FALSE);
  g_autofree char *line = g_strconcat (text, "\n", NULL);
  GOutputStream *pipe = g_subprocess_get_stdin_pipe (process);

  g_output_stream_write_all (pipe, line, strlen (line), NULL, NULL, NULL);
  g_output_stream_close (pipe, NULL, NULL);
}

static gboolean
run_hook (const char *hook, const char *phase, JsonObject *input, guint limit, gint64 deadline, GCancellable *cancellable, GError **error)
{
  const char *argv[] = { hook, phase, NULL };
  g_auto (GStrv) environment = make_environment ();
  gint64 end = g_get_monotonic_time () + (gint64) limit * G_USEC_PER_SEC;
  gboolean cut_short = deadline > 0 && deadline < end;
  g_autoptr (GSubprocess) process = vk_process_start_hook (argv, environment, error);
  gboolean ended = FALSE, killed;
  const char *identifier;
  pid_t group;

  if (process == NULL)
    return FALSE;
  /* None when it has ended by now, which note_end() then hears of at once. */
  identifier = g_subprocess_get_identifier (process);
  group = identifier ? (pid_t) g_ascii_strtoll (identifier, NULL, 10) : 0;
  g_subprocess_wait_async (process, NULL, note_end, &ended);
  give_input (process, input);
  vk_host_run_until (&ended, NULL, cut_short ? deadline : end, cancellable);
  killed = !ended && group > 0;
  if (killed)
    kill (-group, SIGKILL);
  while (!ended)
    vk_host_run_until (&ended, NULL, g_get_monotonic_time () + KILL_SECONDS * G_USEC_PER_SEC, NULL);
  if (killed && g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (killed)
    vk_fail (error, VK_ERROR_HOOK, "the hook '%s' was killed in the phase %s, since it took longer than %s", hook, phase, cut_short ? "--freeze-limit" : "--hook-timeout");
  else if (g_subprocess_get_if_signaled (process))
    vk_fail (error, VK_ERROR_HOOK, "the hook '%s' failed in the phase %s: it was ended by the signal %d", hook, phase, g_subprocess_get_term_sig (process));
  else if (!g_subprocess_get_successful (process))
    vk_fail (error, VK_ERROR_HOOK, "the hook '%s' failed in the phase %s, with the exit status %d", hook, phase, g_subprocess_get_exit_status (process));
  else
    return TRUE;
  return FALSE;
}

gboolean
vk_hooks_run (const char *directory, const char *phase, JsonObject *input, guint limit, gint64 deadline, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) hooks = vk_hooks_list (directory, error);

  for (guint i = 0; hooks != NULL && i < hooks->len; i++)
    if (!run_hook (g_ptr_array_index (hooks, i), phase, input, limit, deadline, cancellable, error))
      return FALSE;
  return hooks != NULL;
}
