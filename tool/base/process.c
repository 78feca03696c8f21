/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"

struct program_package
{
  const char *program;
  const char *debian;
};

static const struct program_package packages[] = {
  { "guestfish", "guestfish" },
  { "nbdkit", "nbdkit" },
  { "qemu-img", "qemu-utils" },
  { "qemu-nbd", "qemu-utils" },
  { "restic", "restic" },
  { "ssh", "openssh-client" },
};

/* Runs in the child between fork and exec: async-signal-safe calls only.  parent: the
 * id of the process that forked, which may have been killed before the kernel was asked
 * to tell.  That virt-keep ignores SIGPIPE is nothing to its children. */
static void
end_with (gpointer parent, int number)
{
  prctl (PR_SET_PDEATHSIG, number);
  if (getppid () != GPOINTER_TO_INT (parent))
    _exit (1);
  signal (SIGPIPE, SIG_DFL);
}

/* Ctrl-C reaches the whole foreground process group, but it is for virt-keep to end its
 * children.  SIGTERM will not do for those that outlive it: qemu-nbd forgets one that
 * comes just before its main loop. */
static void
prepare_child (gpointer parent)
{
  end_with (parent, SIGKILL);
  signal (SIGINT, SIG_IGN);
}

/* Variables of which the first letters are these. */
static const char *const of_passwords[] = { "RESTIC_PASSWORD", "RESTIC_FROM_PASSWORD", NULL };
static const char *const of_repositories[] = { "RESTIC_", "AWS_", "VIRT_KEEP_STORE", NULL };

static gboolean
begins_with_any (const char *text, const char *const *beginnings)
{
  for (gsize i = 0; beginnings[i] != NULL; i++)
    if (g_str_has_prefix (text, beginnings[i]))
      return TRUE;
  return FALSE;
}

char **
vk_process_environment (VkPass pass)
{
  g_auto (GStrv) all = g_get_environ ();
  g_autoptr (GPtrArray) passed = g_ptr_array_new ();
  const char *const *kept_back = pass == VK_PASS_SERVER ? of_passwords : of_repositories;

  for (gsize i = 0; all[i] != NULL; i++)
    if (pass == VK_PASS_ALL || !begins_with_any (all[i], kept_back))
      g_ptr_array_add (passed, g_strdup (all[i]));
  g_ptr_array_add (passed, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&passed), FALSE);
}

static GSubprocessLauncher *
make_launcher (GSubprocessFlags flags, const VkProcessSecrets *secrets)
{
  GSubprocessLauncher *launcher = g_subprocess_launcher_new (flags);
  g_auto (GStrv) environment = vk_process_environment (secrets->pass);

  g_subprocess_launcher_set_environ (launcher, environment);
  g_subprocess_launcher_set_child_setup (launcher, prepare_child, GINT_TO_POINTER (getpid ()), NULL);
  /* qemu-nbd and qemu-img allocate a buffer for each request.  glibc maps and
   * unmaps those over 128 KiB anew each time, which costs more than the copy. */
  g_subprocess_launcher_setenv (launcher, "MALLOC_MMAP_THRESHOLD_", "4194304", FALSE);
  g_subprocess_launcher_setenv (launcher, "MALLOC_TRIM_THRESHOLD_", "16777216", FALSE);
  for (gsize i = 0; secrets->environment != NULL && secrets->environment[i] != NULL; i += 2)
    g_subprocess_launcher_setenv (launcher, secrets->environment[i], secrets->environment[i + 1], TRUE);
  if (secrets->fd >= 0)
    g_subprocess_launcher_take_fd (launcher, secrets->fd, VK_PROCESS_FD);
  return launcher;
}

char *
vk_process_find (const char *program, GError **error)
{
  char *path = g_find_program_in_path (program);
  const char *package = NULL;

  if (path != NULL)
    return path;
  for (gsize i = 0; i < G_N_ELEMENTS (packages); i++)
    if (strcmp (packages[i].program, program) == 0)
      package = packages[i].debian;
  vk_fail (error, VK_ERROR_REFUSED, "the program '%s' is not installed%s%s", program,
               package ? ": install the package " : "", package ? package : "");
  return NULL;
}

static GSubprocess *
launch (GSubprocessLauncher *launcher, const char *const *argv, GError **error)
{
  g_autofree char *program = vk_process_find (argv[0], error);
  g_autoptr (GError) failure = NULL;
  GSubprocess *process;

  if (program == NULL)
    return NULL;
  process = g_subprocess_launcher_spawnv (launcher, argv, &failure);
  if (process == NULL)
    vk_fail (error, VK_ERROR_FAILED, "cannot start '%s': %s", argv[0], failure->message);
  return process;
}

GPtrArray *
vk_process_argv_new (const char *const *words)
{
  GPtrArray *argv = g_ptr_array_new_with_free_func (g_free);

  for (gsize i = 0; words[i] != NULL; i++)
    g_ptr_array_add (argv, g_strdup (words[i]));
  return argv;
}

GSubprocess *
vk_process_start (const char *const *argv, GSubprocessFlags flags, GError **error)
{
  static const VkProcessSecrets none = { .fd = -1 };

  return vk_process_start_with (argv, flags, &none, error);
}

GSubprocess *
vk_process_start_with (const char *const *argv, GSubprocessFlags flags, const VkProcessSecrets *secrets, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = make_launcher (flags, secrets);

  return launch (launcher, argv, error);
}

/* Such a program has work of its own to take back, which restic before 0.17 does on
 * SIGINT alone: it may have that from the terminal, too. */
static void
prepare_shown (gpointer parent)
{
  end_with (parent, SIGINT);
}

GSubprocess *
vk_process_start_shown (const char *const *argv, char **environment, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);

  g_subprocess_launcher_set_environ (launcher, environment);
  g_subprocess_launcher_set_child_setup (launcher, prepare_shown, GINT_TO_POINTER (getpid ()), NULL);
  g_subprocess_launcher_take_stdout_fd (launcher, fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  return launch (launcher, argv, error);
}

static void
prepare_hook (gpointer parent)
{
  setpgid (0, 0);
  end_with (parent, SIGKILL);
}

GSubprocess *
vk_process_start_hook (const char *const *argv, char **environment, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDIN_PIPE);

  g_subprocess_launcher_set_environ (launcher, environment);
  g_subprocess_launcher_set_child_setup (launcher, prepare_hook, GINT_TO_POINTER (getpid ()), NULL);
  g_subprocess_launcher_take_stdout_fd (launcher, fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  return launch (launcher, argv, error);
}

/* As prepare_child(), but for Ctrl-C. */
static void
prepare_command (gpointer parent)
{
  end_with (parent, SIGTERM);
}

GSubprocess *
vk_process_start_command (const char *const *argv, const char *const *environment, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDIN_INHERIT);

  for (gsize i = 0; environment[i] != NULL; i += 2)
    g_subprocess_launcher_setenv (launcher, environment[i], environment[i + 1], TRUE);
  g_subprocess_launcher_set_child_setup (launcher, prepare_command, GINT_TO_POINTER (getpid ()), NULL);
  return launch (launcher, argv, error);
}

static void
keep_result (GObject *process G_GNUC_UNUSED, GAsyncResult *result, gpointer data)
{
  GAsyncResult **kept = data;

  *kept = g_object_ref (result);
}

/* g_subprocess_communicate_utf8() lets go of its main context before the source that
 * watches the cancellable is destroyed.  When GLib's worker thread, which has told that the child has
 * ended, drops the last reference to the context at that moment, the source finds a
 * freed one: a hang or an abort, seen with GLib 2.74.  Here the context outlives its sources. */
gboolean
vk_process_communicate (GSubprocess *process, GCancellable *cancellable, char **output, char **words, GError **error)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  GAsyncResult *result = NULL;
  gboolean done;

  g_main_context_push_thread_default (context);
  g_subprocess_communicate_utf8_async (process, NULL, cancellable, keep_result, &result);
  while (result == NULL)
    g_main_context_iteration (context, TRUE);
  done = g_subprocess_communicate_utf8_finish (process, result, output, words, error);
  g_object_unref (result);
  g_main_context_pop_thread_default (context);
  if (!done)
    g_subprocess_force_exit (process);
  return done;
}

/* The last non-empty line of text, in place. */
static const char *
last_line (char *text)
{
  char *newline;

  g_strchomp (text);
  newline = strrchr (text, '\n');
  return newline ? newline + 1 : text;
}

gboolean
vk_process_run_with (const char *const *argv, const VkProcessSecrets *secrets, char **output, GCancellable *cancellable, GError **error)
{
  GSubprocessFlags flags = G_SUBPROCESS_FLAGS_STDERR_PIPE | (output ? G_SUBPROCESS_FLAGS_STDOUT_PIPE : G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
  g_autoptr (GSubprocess) process = vk_process_start_with (argv, flags, secrets, error);
  g_autofree char *out = NULL;
  g_autofree char *err = NULL;

  if (process == NULL)
    return FALSE;
  if (!vk_process_communicate (process, cancellable, &out, &err, error))
    return FALSE;
  if (!g_subprocess_get_successful (process))
    {
      vk_fail (error, VK_ERROR_FAILED, "%s failed: %s", argv[0],
                   *err ? last_line (err) : "it said nothing");
      return FALSE;
    }
  if (output != NULL)
    *output = g_steal_pointer (&out);
  return TRUE;
}

gboolean
vk_process_run (const char *const *argv, char **output, GCancellable *cancellable, GError **error)
{
  static const VkProcessSecrets none = { .fd = -1 };

  return vk_process_run_with (argv, &none, output, cancellable, error);
}

gboolean
vk_process_run_command (const char *const *argv, char **output, GCancellable *cancellable, GError **error)
{
  static const VkProcessSecrets all = { .fd = -1, .pass = VK_PASS_ALL };

  return vk_process_run_with (argv, &all, output, cancellable, error);
}
