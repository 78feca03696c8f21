/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/many-job.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/process.h"

/* A program that a hook has left behind may hold the standard error open for ever. */
enum { LAST_WORDS_SECONDS = 3 };

struct VkManyJob
{
  GSubprocess *process;
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

static void
process_ended (GObject *source, GAsyncResult *result, gpointer user_data)
{
  VkManyJob *job = user_data;

  g_subprocess_wait_finish (job->process, result, NULL);
  job->ended = TRUE;
  if (!vk_many_job_is_over (job))
    job->timer = g_timeout_add_seconds (LAST_WORDS_SECONDS, stop_reading, job);
}

/* Into the pipe, which has room for any password, and no more after that. */
static gboolean
write_password (VkManyJob *job, const char *password, GError **error)
{
  GOutputStream *input = g_subprocess_get_stdin_pipe (job->process);
  g_autoptr (GError) failure = NULL;

  if ((password == NULL || g_output_stream_write_all (input, password, strlen (password), NULL, NULL, &failure))
      && g_output_stream_close (input, NULL, &failure))
    return TRUE;
  return vk_fail (error, VK_ERROR_FAILED, "its process cannot be given the password: %s", failure->message);
}

VkManyJob *
vk_many_job_start (const char *const *arguments, const char *password, VkManyLineFunc func, gpointer user_data, GError **error)
{
  GSubprocess *process = vk_process_start_self (arguments, error);
  VkManyJob *job;

  if (process == NULL)
    return NULL;
  job = g_new0 (VkManyJob, 1);
  job->process = process;
  job->func = func;
  job->user_data = user_data;
  job->reading = g_cancellable_new ();
  job->lines = g_data_input_stream_new (g_subprocess_get_stderr_pipe (process));
  job->output = g_memory_output_stream_new_resizable ();
  read_line (job);
  g_output_stream_splice_async (job->output, g_subprocess_get_stdout_pipe (process), G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, G_PRIORITY_DEFAULT, job->reading, output_read, job);
  g_subprocess_wait_async (process, NULL, process_ended, job);
  if (write_password (job, password, error))
    return job;
  vk_many_job_free (job);
  return NULL;
}

void
vk_many_job_free (VkManyJob *job)
{
  if (!job->ended)
    g_subprocess_force_exit (job->process);
  g_cancellable_cancel (job->reading);
  while (!vk_many_job_is_over (job))
    g_main_context_iteration (NULL, TRUE);
  g_clear_handle_id (&job->timer, g_source_remove);
  g_object_unref (job->lines);
  g_object_unref (job->output);
  g_object_unref (job->reading);
  g_object_unref (job->process);
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
    g_subprocess_send_signal (job->process, signal);
}

JsonObject *
vk_many_job_result (VkManyJob *job, GError **error)
{
  GMemoryOutputStream *output = G_MEMORY_OUTPUT_STREAM (job->output);
  JsonObject *result = vk_json_parse_length (g_memory_output_stream_get_data (output), g_memory_output_stream_get_data_size (output), "the result", NULL);

  if (result != NULL && json_object_has_member (result, "ok") && json_object_has_member (result, "exit_code"))
    return result;
  g_clear_pointer (&result, json_object_unref);
  if (g_subprocess_get_if_signaled (job->process))
    vk_fail (error, VK_ERROR_FAILED, "its process was ended by signal %d, without a result: the next backup of it cleans up", g_subprocess_get_term_sig (job->process));
  else
    vk_fail (error, VK_ERROR_FAILED, "its process ended with the status %d, without a result: the next backup of it cleans up", g_subprocess_get_exit_status (job->process));
  return NULL;
}
