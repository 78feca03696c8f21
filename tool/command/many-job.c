/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/many-job.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <gio/gunixoutputstream.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/fork-server.h"
#include "base/json.h"

/* A program that a hook has left behind may hold the standard error open for ever. */
enum { LAST_WORDS_SECONDS = 3 };

struct VkManyJob
{
  VkFork process;
  int status;                 /* of the process when it has ended, as of wait(2); -1: nobody knows it */
  GOutputStream *input;       /* its standard input */
  GDataInputStream *lines;    /* its standard error */
  GOutputStream *output;      /* collects its standard output */
  GCancellable *reading;
  VkManyLineFunc func;
  gpointer user_data;
  guint timer;
  gboolean ended, output_read, lines_read;
};

static void read_line (VkManyJob *job);

static void
line_read (GObject *source, GAsyncResult *result, gpointer user_data)
{
  VkManyJob *job = user_data;
  g_autofree char *line = g_data_input_stream_read_line_finish (job->lines, result, NULL, NULL);

  if (line == NULL)
    {
      job->lines_read = TRUE;
      return;
    }
  job->func (line, job->user_data);
  read_line (job);
}

static void
read_line (VkManyJob *job)
{
  g_data_input_stream_read_line_async (job->lines, G_PRIORITY_DEFAULT, job->reading, line_read, job);
}

static void
output_read (GObject *source, GAsyncResult *result, gpointer user_data)
{
  VkManyJob *job = user_data;

  g_output_stream_splice_finish (job->output, result, NULL);
  job->output_read = TRUE;
}

static gboolean
stop_reading (gpointer user_data)
{
  VkManyJob *job = user_data;

  job->timer = 0;
  g_cancellable_cancel (job->reading);
  return G_SOURCE_REMOVE;
}

static gboolean
process_ended (int fd, GIOCondition condition, gpointer user_data)
{
  VkManyJob *job = user_data;

  job->status = vk_fork_read_status (&job->process);
  job->ended = TRUE;
  if (!vk_many_job_is_over (job))
    job->timer = g_timeout_add_seconds (LAST_WORDS_SECONDS, stop_reading, job);
  return G_SOURCE_REMOVE;
}

/* Into the pipe, which has room for any password, and no more after that. */
static gboolean
write_password (VkManyJob *job, const char *password, GError **error)
{
  g_autoptr (GError) failure = NULL;

  if ((password == NULL || g_output_stream_write_all (job->input, password, strlen (password), NULL, NULL, &failure))
      && g_output_stream_close (job->input, NULL, &failure))
    return TRUE;
  return vk_fail (error, VK_ERROR_FAILED, "its process cannot be given the password: %s", failure->message);
}

/* A pipe for each standard file: ours are the ends that are left to us. */
static gboolean
start_process (const char *const *arguments, VkFork *process, int ours[3], GError **error)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  int theirs[3] = { -1, -1, -1 };
  gboolean started = TRUE;

  g_ptr_array_add (words, PACKAGE_NAME);
  for (gsize i = 0; arguments[i] != NULL; i++)
    g_ptr_array_add (words, (gpointer) arguments[i]);
  g_ptr_array_add (words, NULL);
  for (int i = 0; i < 3; i++)
    {
      int pair[2];

      if (started && pipe2 (pair, O_CLOEXEC) < 0)
        started = vk_fail (error, VK_ERROR_FAILED, "cannot make a pipe: %s", g_strerror (errno));
      else if (started)
        {
          gboolean output = i != STDIN_FILENO;

          ours[i] = pair[output ? 0 : 1];
          theirs[i] = pair[output ? 1 : 0];
        }
    }
  started = started && vk_fork_start (VK_FORK_PART, (const char *const *) words->pdata, theirs, process, error);
  for (int i = 0; i < 3; i++)
    {
      vk_fd_close (&theirs[i]);
      if (!started)
        vk_fd_close (&ours[i]);
    }
  return started;
}

VkManyJob *
vk_many_job_start (const char *const *arguments, const char *password, VkManyLineFunc func, gpointer user_data, GError **error)
{
  g_autoptr (GInputStream) output = NULL, lines = NULL;
  int files[3] = { -1, -1, -1 };
  VkManyJob *job;
  VkFork process;

  if (!start_process (arguments, &process, files, error))
    return NULL;
  job = g_new0 (VkManyJob, 1);
  job->process = process;
  job->func = func;
  job->user_data = user_data;
  job->reading = g_cancellable_new ();
  job->input = g_unix_output_stream_new (files[STDIN_FILENO], TRUE);
  output = g_unix_input_stream_new (files[STDOUT_FILENO], TRUE);
  lines = g_unix_input_stream_new (files[STDERR_FILENO], TRUE);
  job->lines = g_data_input_stream_new (lines);
  job->output = g_memory_output_stream_new_resizable ();
  read_line (job);
  g_output_stream_splice_async (job->output, output, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, G_PRIORITY_DEFAULT, job->reading, output_read, job);
  g_unix_fd_add (process.status, G_IO_IN | G_IO_HUP, process_ended, job);
  if (write_password (job, password, error))
    return job;
  vk_many_job_free (job);
  return NULL;
}

void
vk_many_job_free (VkManyJob *job)
{
  vk_many_job_signal (job, SIGKILL);
  g_cancellable_cancel (job->reading);
  while (!vk_many_job_is_over (job))
    g_main_context_iteration (NULL, TRUE);
  g_clear_handle_id (&job->timer, g_source_remove);
  g_object_unref (job->lines);
  g_object_unref (job->output);
  g_object_unref (job->reading);
  g_object_unref (job->input);
  close (job->process.status);
  g_free (job);
}

gboolean
vk_many_job_is_over (const VkManyJob *job)
{
  return job->ended && job->output_read && job->lines_read;
}

void
vk_many_job_signal (VkManyJob *job, int signal)
{
  if (!job->ended)
    vk_fork_signal (&job->process, signal);
}

JsonObject *
vk_many_job_result (VkManyJob *job, GError **error)
{
  GMemoryOutputStream *output = G_MEMORY_OUTPUT_STREAM (job->output);
  JsonObject *result = vk_json_parse_length (g_memory_output_stream_get_data (output), g_memory_output_stream_get_data_size (output), "the result", NULL);

  if (result != NULL && json_object_has_member (result, "ok") && json_object_has_member (result, "exit_code"))
    return result;
  g_clear_pointer (&result, json_object_unref);
  if (job->status >= 0 && WIFSIGNALED (job->status))
    vk_fail (error, VK_ERROR_FAILED, "its process was ended by signal %d, without a result: the next backup of it cleans up", WTERMSIG (job->status));
  else if (job->status >= 0)
    vk_fail (error, VK_ERROR_FAILED, "its process ended with the status %d, without a result: the next backup of it cleans up", WEXITSTATUS (job->status));
  else
    vk_fail (error, VK_ERROR_FAILED, "its process was ended, without a result: the next backup of it cleans up");
  return NULL;
}
