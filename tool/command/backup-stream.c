/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/backup-stream.h"

#include <gio/gunixoutputstream.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "command/backup-options.h"
#include "command/backup-order.h"
#include "command/backup-result.h"
#include "command/options.h"
#include "report/format.h"
#include "store/image/image-store.h"
#include "stream/stream-dir.h"
#include "stream/stream.h"

/* QEMU passes through, on its way to the images that it writes in push mode. */
enum { IMAGES_MODE = 0711 };

static gboolean
goes_out (const VkBackupOptions *options)
{
  return g_strcmp0 (options->to, "-") == 0;
}

/* --- what can be --------------------------------------------------------------- */

/* What is about stores, chains and many domains. */
static const char *
find_other_option (const VkInvocation *invocation)
{
  static const char *const others[] = {
    "store", "password-file", "retry-lock", "together", "all", "exclude-domain", "jobs", "order", "selector", "allow-full", "paranoid",
    "max-chain", "synthetic-full", "estimate", "threshold", "pack-size", "compression", "metrics", NULL
  };

  for (gsize i = 0; others[i] != NULL; i++)
    if (vk_options_have (invocation, others[i]))
      return others[i];
  return NULL;
}

gboolean
vk_backup_stream_check (const VkInvocation *invocation, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  const char *other = find_other_option (invocation);

  if (*options->to == '\0')
    vk_fail (error, VK_ERROR_USAGE, "--to names no file: it is FILE, or - for standard output");
  else if (other != NULL)
    vk_fail (error, VK_ERROR_USAGE, "--%s has no meaning with --to, which writes one whole restore point of one domain and keeps nothing in a store", other);
  else if (vk_options_have (invocation, "level") && strcmp (options->level, vk_level_words[VK_LEVEL_COPY]) != 0 && strcmp (options->level, vk_level_words[VK_LEVEL_FULL]) != 0)
    vk_fail (error, VK_ERROR_USAGE, "--to writes a whole restore point: --level is copy or full with it, not '%s'", options->level);
  else if (invocation->arguments[0] == NULL || invocation->arguments[1] != NULL)
    vk_fail (error, VK_ERROR_USAGE, "--to is for one domain, which is named");
  else
    return TRUE;
  return FALSE;
}

gboolean
vk_backup_stream_take_output (const VkInvocation *invocation, VkFd *output, GError **error)
{
  *output = -1;
  if (!goes_out (invocation->options))
    return TRUE;
  if (isatty (STDOUT_FILENO))
    return vk_fail (error, VK_ERROR_USAGE, "a tar archive is not for a terminal: redirect standard output, into a pipe or a file, or name a file with --to");
  *output = vk_fd_take_output (error);
  return *output >= 0;
}

/* --- where it goes --------------------------------------------------------------- */

typedef struct
{
  int fd;
  VkFd own;      /* of the file that is written; -1: standard output is */
  char *path;    /* of the file to be, absolute, or NULL */
  char *partial; /* what it is called until it is whole; NULL when it is, or there is none */
} Output;

static void
output_clear (Output *output)
{
  vk_fd_close (&output->own);
  if (output->partial != NULL)
    unlink (output->partial);
  g_free (output->partial);
  g_free (output->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Output, output_clear)

static gboolean
open_output (const char *to, int standard, Output *output, GError **error)
{
  output->fd = standard;
  if (standard >= 0)
    return TRUE;
  output->path = g_canonicalize_filename (to, NULL);
  if (g_file_test (output->path, G_FILE_TEST_EXISTS) || g_file_test (output->path, G_FILE_TEST_IS_SYMLINK))
    return vk_fail (error, VK_ERROR_REFUSED, "there is something called '%s' already, and nothing is overwritten: name a new file with --to", output->path);
  output->partial = g_strdup_printf ("%s.partial-%08x", output->path, g_random_int ());
  output->own = vk_fd_create (output->partial, error);
  output->fd = output->own;
  if (output->own < 0)
    g_clear_pointer (&output->partial, g_free);
  return output->own >= 0;
}

/* A pipe has no disk under it. */
static gboolean
finish_output (Output *output, GError **error)
{
  struct stat status;

  if (fstat (output->fd, &status) == 0 && S_ISREG (status.st_mode)
      && !vk_file_sync_held (output->fd, output->path ? output->path : "standard output", error))
    return FALSE;
  if (output->partial != NULL && !vk_file_rename (output->partial, output->path, error))
    return FALSE;
  g_clear_pointer (&output->partial, g_free);
  return TRUE;
}

/* --- the backup --------------------------------------------------------------------- */

typedef struct
{
  VkReporter *reporter;
  guint64 total; /* bytes */
} Progress;

static void
tell (guint64 bytes, gpointer user_data)
{
  const Progress *progress = user_data;
  const VkProgressItem item = { .done = MIN (bytes, progress->total), .total = progress->total };

  vk_reporter_progress (progress->reporter, &item, 1);
}

static gboolean
write_stream (VkBackupTask *task, Output *output, guint64 *bytes, GCancellable *cancellable, GError **error)
{
  Progress progress = { .reporter = task->reporter };
  const VkStreamListener listener = { .tell = tell, .user_data = &progress };
  g_autofree char *name = g_strdup_printf ("%s@%s", task->manifest->domain_uuid, task->manifest->id);
  g_autoptr (VkPoint) point = vk_store_find_point (task->store, name, error);
  g_autoptr (GOutputStream) stream = g_unix_output_stream_new (output->fd, FALSE);

  if (point == NULL || !vk_stream_size (point->manifest, &progress.total, error))
    return FALSE;
  vk_reporter_phase (task->reporter, "stream", "writing the tar archive");
  return vk_stream_write (point, stream, &listener, cancellable, bytes, error) && finish_output (output, error);
}

/* Where the images are put together: on this host.  NULL: in the usual place. */
static const char *
choose_parent (VkHost *host, const VkBackupOptions *options)
{
  return vk_host_is_local (host) ? options->scratch_dir : NULL;
}

static gboolean
open_task (VkInvocation *invocation, VkRunDir *directory, VkBackupOrder *order, VkBackupTask *task, GError **error)
{
  g_autofree char *place = g_build_filename (directory->path, "store", NULL);
  VkBackupRequest *request = &task->request;

  task->store = vk_image_store_create_transient (place, error);
  request->domain = invocation->arguments[0];
  if (task->store == NULL || !vk_backup_order_place (invocation, task->host, request->domain, place, order, request, error))
    return FALSE;
  if (request->mode == VK_MODE_PUSH && !vk_host_is_local (task->host))
    return vk_fail (error, VK_ERROR_USAGE, "--to with --mode push is for domains on this host: QEMU would write the images on the other one; leave out --mode push");
  /* The chains of stores go on as if this had not been: no checkpoint stays. */
  request->level = VK_LEVEL_COPY;
  request->has_threshold = FALSE;
  request->room_dir = directory->path;
  vk_use_secrets (&order->own);
  vk_reporter_event (task->reporter, "start", NULL, NULL);
  return TRUE;
}

static void
report (VkInvocation *invocation, const GArray *tasks, const Output *output, guint64 bytes, gboolean done)
{
  JsonObject *stream = json_object_new ();
  g_autofree char *size = vk_format_bytes (bytes);

  vk_backup_report (invocation, tasks, NULL, done);
  vk_json_set_string (invocation->result, "store", NULL);
  vk_json_set_string (stream, "to", output->path ? output->path : "-");
  json_object_set_int_member (stream, "bytes", (gint64) bytes);
  json_object_set_object_member (invocation->result, "stream", stream);
  if (done)
    g_string_append_printf (invocation->text, _("It was written to %s, as a tar archive of %s for virt-keep restore.\n"), output->path ? output->path : "standard output", size);
}

static gboolean
run (VkInvocation *invocation, VkBackupTask *task, GArray *tasks, int standard, GCancellable *cancellable, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  g_auto (Output) output = { .own = -1 };
  g_autoptr (VkBackupOrder) order = vk_backup_order_new ();
  g_autoptr (VkRunDir) directory = NULL;
  VkBackupSpread spread = { 0 };
  guint64 bytes = 0;

  if (!open_output (options->to, standard, &output, error))
    return FALSE;
  directory = vk_stream_dir_new (choose_parent (task->host, options), IMAGES_MODE, error);
  if (directory == NULL || !open_task (invocation, directory, order, task, error))
    return FALSE;
  task->stored = vk_backup_run (task, 1, &spread, cancellable, error)
              && write_stream (task, &output, &bytes, cancellable, error);
  report (invocation, tasks, &output, bytes, task->stored);
  return task->stored;
}

gboolean
vk_backup_stream_run (VkInvocation *invocation, VkHost *host, int output, VkProgressStyle style, VkInterrupt *interrupt, GError **error)
{
  g_autoptr (GArray) tasks = g_array_new (FALSE, TRUE, sizeof (VkBackupTask));
  VkBackupTask *task;
  gboolean done;

  g_array_set_clear_func (tasks, (GDestroyNotify) vk_backup_task_clear);
  g_array_set_size (tasks, 1);
  task = &g_array_index (tasks, VkBackupTask, 0);
  task->host = host;
  task->manifest = vk_manifest_new ();
  task->reporter = vk_reporter_new (style, stderr, invocation->arguments[0]);
  done = run (invocation, task, tasks, output, vk_interrupt_cancellable (interrupt), error);
  if (!done)
    vk_backup_claim_error (interrupt, error);
  vk_reporter_end (task->reporter, done ? NULL : *error);
  return done;
}
