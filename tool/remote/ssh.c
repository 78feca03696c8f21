/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "remote/ssh.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process.h"

enum
{
  STEP_MILLISECONDS = 20,
  END_MILLISECONDS = 2000, /* for ssh to end when it is told to */
};

struct VkSsh
{
  char **words; /* the program and its options */
  char *host;
  char *control;  /* socket through which further commands use the connection */
  char *log;      /* what the connection says */
  GSubprocess *master;
};

static void
add_all (GPtrArray *argv, const char *const *words)
{
  for (gsize i = 0; words[i] != NULL; i++)
    g_ptr_array_add (argv, (gpointer) words[i]);
}

/* ssh with these options of its own, and what is to be run there, if anything. */
static GPtrArray *
make_argv (const VkSsh *ssh, const char *const *options, const char *command)
{
  const char *const target[] = { "-S", ssh->control, "--", ssh->host, command, NULL };
  GPtrArray *argv = g_ptr_array_new ();

  add_all (argv, (const char *const *) ssh->words);
  add_all (argv, options);
  add_all (argv, target);
  g_ptr_array_add (argv, NULL);
  return argv;
}

static const char *const client_options[] = { "-o", "ControlMaster=no", "-o", "ClearAllForwardings=yes", NULL };

const char *
vk_ssh_host (const VkSsh *ssh)
{
  return ssh->host;
}

/* GLib notices the end of a child on a thread of its own. */
gboolean
vk_ssh_lives (VkSsh *ssh)
{
  return ssh->master != NULL && g_subprocess_get_identifier (ssh->master) != NULL;
}

char *
vk_ssh_last_words (VkSsh *ssh)
{
  g_autofree char *text = NULL;
  const char *newline;

  if (!g_file_get_contents (ssh->log, &text, NULL, NULL))
    return NULL;
  g_strchomp (text);
  newline = strrchr (text, '\n');
  return *text ? g_utf8_make_valid (newline ? newline + 1 : text, -1) : NULL;
}

/* --- the connection --------------------------------------------------------- */

static gboolean
set_connection_error (VkSsh *ssh, GError **error)
{
  g_autofree char *words = vk_ssh_last_words (ssh);

  vk_fail (error, VK_ERROR_CONNECTION, "cannot log in to '%s' through ssh: %s: what libvirt connects with has to work for virt-keep's own ssh, too (try: ssh %s true)",
               ssh->host, words ? words : "it said nothing", ssh->host);
  return FALSE;
}

/* ssh itself limits how long that may take, unless a person is asked for a password. */
static gboolean
wait_until_connected (VkSsh *ssh, GCancellable *cancellable, GError **error)
{
  while (!g_file_test (ssh->control, G_FILE_TEST_EXISTS))
    {
      if (!vk_ssh_lives (ssh))
        return set_connection_error (ssh, error);
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      g_usleep (STEP_MILLISECONDS * 1000);
    }
  return TRUE;
}

static gboolean
start_master (VkSsh *ssh, GError **error)
{
  const char *const options[] = { "-N", "-M", "-E", ssh->log, NULL };
  g_autoptr (GPtrArray) argv = make_argv (ssh, options, NULL);

  ssh->master = vk_process_start ((const char *const *) argv->pdata, G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, error);
  return ssh->master != NULL;
}

VkSsh *
vk_ssh_open (const char *uri, const char *directory, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkSsh) ssh = g_new0 (VkSsh, 1);

  ssh->control = g_build_filename (directory, "ssh", NULL);
  ssh->log = g_build_filename (directory, "ssh.log", NULL);
  ssh->words = vk_ssh_words (uri, isatty (STDIN_FILENO) && isatty (STDERR_FILENO), &ssh->host, error);
  if (ssh->words == NULL || !start_master (ssh, error) || !wait_until_connected (ssh, cancellable, error))
    return NULL;
  return g_steal_pointer (&ssh);
}

/* Told to, ssh takes leave of the other side and removes its socket. */
static void
end_master (VkSsh *ssh)
{
  gint64 deadline = g_get_monotonic_time () + END_MILLISECONDS * 1000;

  g_subprocess_send_signal (ssh->master, SIGTERM);
  while (vk_ssh_lives (ssh) && g_get_monotonic_time () < deadline)
    g_usleep (STEP_MILLISECONDS * 1000);
  g_subprocess_force_exit (ssh->master);
  g_subprocess_wait (ssh->master, NULL, NULL);
}

void
vk_ssh_free (VkSsh *ssh)
{
  if (ssh == NULL)
    return;
  if (ssh->master != NULL)
    {
      end_master (ssh);
      unlink (ssh->control);
      unlink (ssh->log);
    }
  g_clear_object (&ssh->master);
  g_strfreev (ssh->words);
  g_free (ssh->host);
  g_free (ssh->control);
  g_free (ssh->log);
  g_free (ssh);
}

/* --- what is done over it ------------------------------------------------------ */

gboolean
vk_ssh_run (VkSsh *ssh, const char *script, const char *const *arguments, char **output, GCancellable *cancellable, GError **error)
{
  g_autofree char *command = vk_ssh_remote_command (script, arguments);
  g_autoptr (GPtrArray) argv = make_argv (ssh, client_options, command);

  return vk_process_run ((const char *const *) argv->pdata, output, cancellable, error);
}

gboolean
vk_ssh_forward (VkSsh *ssh, const char *socket_here, const char *socket_there, GCancellable *cancellable, GError **error)
{
  g_autofree char *sockets = g_strconcat (socket_here, ":", socket_there, NULL);
  const char *const options[] = { "-O", "forward", "-L", sockets, NULL };
  g_autoptr (GPtrArray) argv = make_argv (ssh, options, NULL);

  return vk_process_run ((const char *const *) argv->pdata, NULL, cancellable, error);
}

/* Until the end of what the program prints. */
static gboolean
receive (GSubprocess *process, const char *to_path, GCancellable *cancellable, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (to_path);
  g_autoptr (GFileOutputStream) out = g_file_create (file, G_FILE_CREATE_PRIVATE, cancellable, error);

  return out != NULL
      && g_output_stream_splice (G_OUTPUT_STREAM (out), g_subprocess_get_stdout_pipe (process), G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, cancellable, error) >= 0;
}

gboolean
vk_ssh_fetch (VkSsh *ssh, const char *path, const char *to_path, GCancellable *cancellable, GError **error)
{
  const char *const arguments[] = { path, NULL };
  g_autofree char *command = vk_ssh_remote_command ("cat <\"$1\"", arguments);
  g_autoptr (GPtrArray) argv = make_argv (ssh, client_options, command);
  g_autoptr (GSubprocess) process = vk_process_start ((const char *const *) argv->pdata, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, error);
  gboolean received = process != NULL && receive (process, to_path, cancellable, error);

  if (process == NULL)
    return FALSE;
  if (!received)
    g_subprocess_force_exit (process);
  g_subprocess_wait (process, NULL, NULL);
  if (received && g_subprocess_get_successful (process))
    return TRUE;
  unlink (to_path);
  if (received)
    vk_fail (error, VK_ERROR_NOT_FOUND, "'%s' cannot be read on '%s'", path, ssh->host);
  return FALSE;
}

gboolean
vk_ssh_room (VkSsh *ssh, const char *directory, VkRoom *room, GCancellable *cancellable, GError **error)
{
  const char *const arguments[] = { directory, NULL };
  g_autofree char *output = NULL;

  if (!vk_ssh_run (ssh, "LC_ALL=C df -P -k \"$1\"", arguments, &output, cancellable, error))
    return FALSE;
  if (vk_room_parse (output, room))
    return TRUE;
  return vk_fail (error, VK_ERROR_FAILED, "df on '%s' does not say how much room there is in '%s'", ssh->host, directory);
}
