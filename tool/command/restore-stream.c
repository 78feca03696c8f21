/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/restore-stream.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "command/options.h"
#include "stream/stream-dir.h"
#include "stream/stream.h"

enum { IMAGES_MODE = 0700 };

static gboolean
is_input (const char *word)
{
  return strcmp (word, "-") == 0;
}

gboolean
vk_restore_is_stream (const char *word)
{
  return is_input (word) || strchr (word, '/') != NULL;
}

gboolean
vk_restore_check_source (const VkInvocation *invocation, const char *scratch_dir, GError **error)
{
  const char *word = invocation->arguments[0];

  if (!vk_restore_is_stream (word))
    {
      if (!vk_options_have (invocation, "scratch-dir"))
        return vk_require_store (invocation, error);
      vk_fail (error, VK_ERROR_USAGE, "--scratch-dir is for tar archives, not for restore points of a store");
    }
  else if (vk_options_have (invocation, "store"))
    vk_fail (error, VK_ERROR_USAGE, "--store has no meaning here: '%s' is a tar archive of backup --to, and not in a store", word);
  else if (scratch_dir != NULL && *scratch_dir == '\0')
    vk_fail (error, VK_ERROR_USAGE, "--scratch-dir names no directory");
  else if (is_input (word) && isatty (STDIN_FILENO))
    vk_fail (error, VK_ERROR_USAGE, "no tar archive comes from a terminal: redirect standard input, from a pipe or a file, or name the file");
  else
    return TRUE;
  return FALSE;
}

/* A file that is none, or a directory, is read with the words of the kernel. */
static GInputStream *
open_input (const char *word, GError **error)
{
  VkFd fd;

  if (is_input (word))
    return g_unix_input_stream_new (STDIN_FILENO, FALSE);
  fd = open (word, O_RDONLY | O_CLOEXEC);
  if (fd >= 0)
    return g_unix_input_stream_new (fd, TRUE);
  vk_fail_errno (error, "cannot open '%s'", word);
  return NULL;
}

static void
report (VkInvocation *invocation, const char *word, guint64 bytes)
{
  JsonObject *stream = json_object_new ();

  vk_json_set_string (stream, "from", word);
  json_object_set_int_member (stream, "bytes", (gint64) bytes);
  json_object_set_object_member (invocation->result, "stream", stream);
}

static void
tell (guint64 bytes, gpointer user_data)
{
  const VkProgressItem item = { .done = bytes };

  vk_reporter_progress (user_data, &item, 1);
}

VkPoint *
vk_restore_read_stream (VkInvocation *invocation, const char *scratch_dir, VkProgressStyle style, VkInterrupt *interrupt, VkRunDir **directory, VkStore **store, GError **error)
{
  const char *word = invocation->arguments[0];
  g_autoptr (VkReporter) reporter = vk_reporter_new (style, stderr, NULL);
  const VkStreamListener listener = { .tell = tell, .user_data = reporter };
  g_autofree char *name = is_input (word) ? g_strdup ("standard input") : g_strdup_printf ("'%s'", word);
  g_autoptr (GInputStream) input = open_input (word, error);
  g_autofree char *place = NULL;
  VkPoint *point = NULL;
  guint64 bytes = 0;

  *directory = input ? vk_stream_dir_new (scratch_dir, IMAGES_MODE, error) : NULL;
  if (*directory != NULL)
    {
      vk_use_secrets (invocation);
      place = g_build_filename ((*directory)->path, "store", NULL);
      vk_reporter_phase (reporter, "receive", "reading the tar archive");
      point = vk_stream_read (input, name, place, &listener, vk_interrupt_cancellable (interrupt), store, &bytes, error);
    }
  if (point != NULL)
    {
      report (invocation, word, bytes);
      return point;
    }
  vk_interrupt_claim_error (interrupt, error);
  vk_reporter_end (reporter, *error);
  return NULL;
}
