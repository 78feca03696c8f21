/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "view/qemu-img-convert.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "base/writeback.h"
#include "view/disk-key.h"
#include "view/qemu-img-private.h"

/* What is written last of a target that is written over: boot sector, partition
 * table and the like, without which nothing takes it for a disk. */
enum { HEAD_BYTES = 65536 };

/* What qemu-img convert writes while it runs: progress that ends with '\r', and
 * lines of complaint. */
struct chatter
{
  GString *line; /* not yet ended */
  char *words;   /* the last complaint */
  VkFractionFunc progress;
  gpointer user_data;
};

/* A line such as "    (12.34/100%)" is progress. */
static gboolean
parse_progress (const char *line, double *fraction)
{
  char *end;

  while (*line == ' ')
    line++;
  if (*line++ != '(')
    return FALSE;
  *fraction = g_ascii_strtod (line, &end) / 100;
  return end != line && g_str_has_prefix (end, "/100%)");
}

static void
end_line (struct chatter *chatter)
{
  double fraction;

  if (parse_progress (chatter->line->str, &fraction))
    {
      if (chatter->progress != NULL)
        chatter->progress (CLAMP (fraction, 0, 1), chatter->user_data);
    }
  else if (chatter->line->len > 0)
    {
      g_free (chatter->words);
      chatter->words = g_utf8_make_valid (chatter->line->str, (gssize) chatter->line->len);
    }
  g_string_truncate (chatter->line, 0);
}

static gboolean
follow (GInputStream *pipe, struct chatter *chatter, GCancellable *cancellable, GError **error)
{
  char buffer[1024];
  gssize got;

  while ((got = g_input_stream_read (pipe, buffer, sizeof buffer, cancellable, error)) > 0)
    for (gssize i = 0; i < got; i++)
      if (buffer[i] == '\r' || buffer[i] == '\n')
        end_line (chatter);
      else
        g_string_append_c (chatter->line, buffer[i]);
  if (got == 0)
    end_line (chatter);
  return got == 0;
}

/* Runs argv, a qemu-img convert, to its end, once. */
static gboolean
run_convert_once (const char *const *argv, const char *secret, struct chatter *chatter, const char *to_path, GCancellable *cancellable, GError **error)
{
  VkProcessSecrets secrets = { .fd = vk_disk_key_open (secret, error) };
  g_autoptr (GSubprocess) process = NULL;

  if (secret != NULL && secrets.fd < 0)
    return FALSE;
  process = vk_process_start_with (argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &secrets, error);
  if (process == NULL)
    return FALSE;
  if (!follow (g_subprocess_get_stdout_pipe (process), chatter, cancellable, error))
    {
      g_subprocess_force_exit (process);
      g_subprocess_wait (process, NULL, NULL);
      return FALSE;
    }
  g_subprocess_wait (process, NULL, NULL);
  if (g_subprocess_get_successful (process))
    return TRUE;
  if (chatter->words == NULL || !vk_disk_key_is_wrong (chatter->words, to_path, error))
    vk_fail (error, VK_ERROR_STORE, "cannot copy the disk to '%s': %s", to_path, chatter->words ? chatter->words : "qemu-img ended without a word");
  return FALSE;
}

static gboolean
run_convert (const char *const *argv, const char *secret, struct chatter *chatter, const char *to_path, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failure = NULL;
  guint attempts = 0;

  while (!run_convert_once (argv, secret, chatter, to_path, cancellable, &failure))
    {
      if (chatter->words == NULL || !vk_disk_key_try_again (chatter->words, &attempts))
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      g_clear_pointer (&chatter->words, g_free);
      g_clear_error (&failure);
    }
  return TRUE;
}

/* Adds the options for the form of the new image: "-o LIST". */
static void
add_form (GPtrArray *argv, const VkImageForm *form)
{
  g_autoptr (GString) list = g_string_new (NULL);

  if (form->cluster_size != 0)
    g_string_append_printf (list, "cluster_size=%" PRIu64 ",", form->cluster_size);
  if (form->compress)
    g_string_append (list, "compression_type=zstd,");
  if (form->preallocation != NULL)
    g_string_append_printf (list, "preallocation=%s,", form->preallocation);
  if (form->secret != NULL)
    g_string_append (list, "encrypt.format=luks,encrypt.key-secret=key,");
  if (list->len == 0)
    return;
  g_string_truncate (list, list->len - 1);
  g_ptr_array_add (argv, g_strdup ("-o"));
  g_ptr_array_add (argv, g_string_free (g_steal_pointer (&list), FALSE));
}

/* A description says itself what format it is in; what a server exports is raw. */
static void
add_source_format (GPtrArray *argv, const char *from)
{
  if (g_str_has_prefix (from, "json:"))
    return;
  g_ptr_array_add (argv, g_strdup ("-f"));
  g_ptr_array_add (argv, g_strdup ("raw"));
}

/* Runs the qemu-img convert that argv begins, from and to being its last words. */
static gboolean
convert (GPtrArray *argv, const char *from, const char *to, const char *secret, const char *shown, VkFractionFunc progress, gpointer user_data, GCancellable *cancellable, GError **error)
{
  struct chatter chatter = { .progress = progress, .user_data = user_data };
  gboolean ok;

  g_ptr_array_add (argv, g_strdup ("--"));
  g_ptr_array_add (argv, g_strdup (from));
  g_ptr_array_add (argv, g_strdup (to));
  g_ptr_array_add (argv, NULL);
  chatter.line = g_string_new (NULL);
  ok = run_convert ((const char *const *) argv->pdata, secret, &chatter, shown, cancellable, error);
  g_string_free (chatter.line, TRUE);
  g_free (chatter.words);
  return ok;
}

gboolean
vk_qemu_img_convert (const char *from, const char *to_path, const VkImageForm *form, VkFractionFunc progress, gpointer user_data, GCancellable *cancellable, GError **error)
{
  /* No cache flushes of qemu-img's own: one fsync(2) at the end is enough. */
  const char *words[] = { "qemu-img", "convert", "-p", "-O", form->format, "-m", "16", "-t", "unsafe", NULL };
  g_autoptr (GPtrArray) argv = vk_process_argv_new (words);
  g_autofree char *filename = vk_qemu_img_filename (to_path);
  VkWriteback *writeback;
  VkFd held;
  gboolean done;

  if (form->compress)
    {
      /* Clusters are compressed side by side, so they are written as they come; others
       * in order, which is how they will be read. */
      g_ptr_array_add (argv, g_strdup ("-c"));
      g_ptr_array_add (argv, g_strdup ("-W"));
    }
  add_source_format (argv, from);
  add_form (argv, form);
  vk_disk_key_add_object (argv, form->secret);
  held = vk_qemu_img_reserve (to_path, error);
  if (held < 0)
    return FALSE;
  /* The disk writes while qemu-img still reads, and little is left for the end. */
  writeback = vk_writeback_new ();
  vk_writeback_add (writeback, to_path, held);
  done = convert (argv, from, filename, form->secret, to_path, progress, user_data, cancellable, error) && vk_writeback_sync (writeback, to_path, error);
  vk_writeback_free (writeback);
  if (done)
    return TRUE;
  g_unlink (to_path);
  return FALSE;
}

/* The value in the way of --image-opts, where a comma stands twice. */
static char *
escape_value (const char *value)
{
  g_auto (GStrv) parts = g_strsplit (value, ",", -1);

  return g_strjoinv (",,", parts);
}

/* The length bytes at offset of what is at place, for --image-opts, which do not
 * take URIs. */
static char *
describe_slice (const char *place, guint64 offset, guint64 length)
{
  static const char unix_socket[] = "nbd+unix:///?socket=";
  gboolean is_socket = g_str_has_prefix (place, unix_socket);
  g_autofree char *plain = is_socket ? g_uri_unescape_string (place + strlen (unix_socket), NULL) : g_strdup (place);
  g_autofree char *value = escape_value (plain ? plain : "");

  return g_strdup_printf ("driver=raw,offset=%" PRIu64 ",size=%" PRIu64 ",%s=%s", offset, length,
                          is_socket ? "file.driver=nbd,file.server.type=unix,file.server.path" : "file.filename", value);
}

/* Copies length bytes at offset of from to the same place, or to the beginning of
 * target when they come from a file. */
static gboolean
copy_slice (const char *from, const char *target, guint64 offset, guint64 length, VkFractionFunc progress, gpointer user_data, GCancellable *cancellable, GError **error)
{
  static const char *const words[] = { "qemu-img", "convert", "-p", "-n", "-m", "16", "-t", "unsafe", "--image-opts", "--target-image-opts", NULL };
  g_autoptr (GPtrArray) argv = vk_process_argv_new (words);
  g_autofree char *from_slice = describe_slice (from, offset, length);
  g_autofree char *to_slice = describe_slice (target, offset, length);

  return convert (argv, from_slice, to_slice, NULL, target, progress, user_data, cancellable, error);
}

/* Puts a text in the place of the first length bytes. */
static gboolean
mark_unfinished (const char *target, guint64 length, const char *name, const char *work_dir, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_build_filename (work_dir, "mark", NULL);
  g_autofree char *text = g_malloc0 (length);
  gboolean marked;

  g_snprintf (text, length, "virt-keep: the restore of %s to this place was not finished\n", name);
  marked = vk_file_write (path, text, length, error) && copy_slice (path, target, 0, length, NULL, NULL, cancellable, error);
  g_unlink (path);
  return marked;
}

gboolean
vk_qemu_img_overwrite (const char *from_uri, const char *target, guint64 size, const char *name, const char *work_dir, VkFractionFunc progress, gpointer user_data, GCancellable *cancellable, GError **error)
{
  guint64 head = MIN (size, HEAD_BYTES);

  return mark_unfinished (target, head, name, work_dir, cancellable, error)
      && (size == head || copy_slice (from_uri, target, head, size - head, progress, user_data, cancellable, error));
}

gboolean
vk_qemu_img_finish_overwrite (const char *from_uri, const char *target, guint64 size, GCancellable *cancellable, GError **error)
{
  return copy_slice (from_uri, target, 0, MIN (size, HEAD_BYTES), NULL, NULL, cancellable, error);
}

/* Runs a qemu-img that answers with one JSON object.  Returns: (transfer full). */
static JsonObject *
ask (const char *const *argv, GCancellable *cancellable, GError **error)
{
  g_autofree char *text = NULL;

  return vk_process_run (argv, &text, cancellable, error) ? vk_json_parse (text, argv[1], error) : NULL;
}

gboolean
vk_qemu_img_measure (const char *from, const VkImageForm *form, guint64 *bytes, GCancellable *cancellable, GError **error)
{
  /* Of raw it would count the holes. */
  static const char *const words[] = { "qemu-img", "measure", "--output=json", "-O", "qcow2", NULL };
  gboolean sparse = form->preallocation == NULL || strcmp (form->preallocation, "metadata") == 0;
  VkImageForm plain = { .cluster_size = form->cluster_size, .preallocation = sparse ? NULL : form->preallocation };
  g_autoptr (GPtrArray) argv = vk_process_argv_new (words);
  g_autoptr (JsonObject) answer = NULL;

  add_source_format (argv, from);
  add_form (argv, &plain);
  g_ptr_array_add (argv, g_strdup ("--"));
  g_ptr_array_add (argv, g_strdup (from));
  g_ptr_array_add (argv, NULL);
  answer = ask ((const char *const *) argv->pdata, cancellable, error);
  return answer != NULL && vk_json_get_uint64 (answer, "required", 0, bytes, error);
}

gboolean
vk_qemu_img_target_size (const char *target, guint64 *size, GCancellable *cancellable, GError **error)
{
  const char *argv[] = { "qemu-img", "info", "--output=json", "-f", "raw", "--", target, NULL };
  g_autoptr (GError) failure = NULL;
  g_autoptr (JsonObject) answer = ask (argv, cancellable, &failure);

  if (answer != NULL)
    return vk_json_get_uint64 (answer, "virtual-size", 0, size, error);
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_FAILED))
    vk_fail (error, VK_ERROR_NOT_FOUND, "'%s' cannot be opened: %s", target, failure->message);
  else
    g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
vk_qemu_img_create_target (const char *target, guint64 size, GCancellable *cancellable, GError **error)
{
  g_autofree char *bytes = g_strdup_printf ("%" PRIu64, size);
  const char *argv[] = { "qemu-img", "create", "-q", "-f", "raw", "--", target, bytes, NULL };
  g_autoptr (GError) failure = NULL;

  if (vk_process_run (argv, NULL, cancellable, &failure))
    return TRUE;
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_FAILED))
    vk_fail (error, VK_ERROR_STORE, "cannot create '%s': %s", target, failure->message);
  else
    g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}
