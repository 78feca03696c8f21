/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "files/fish.h"

#include <glib/gi18n.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "base/process.h"

enum
{
  /* guestfish reads lines into a buffer of this size, with the end and the NUL. */
  LINE_LIMIT = 8192,
  /* No command that is used here prints more, in bytes. */
  ANSWER_LIMIT = 16 << 20,
  END_SECONDS = 15,
  POLLS_PER_SECOND = 50,
};

struct VkFish
{
  GSubprocess *process;
  GOutputStream *in;
  GInputStream *out;
  guint lines;    /* how many it was given: its messages have the number */
  GString *answer;
  char *marker;   /* a line that it prints behind each answer */
  gboolean broken;
};

/* Bytes that mean something to the parser, or to a terminal, go in as numbers. */
char *
vk_fish_quote (const char *argument)
{
  GString *quoted = g_string_new ("\"");

  for (const char *byte = argument; *byte != '\0'; byte++)
    if (g_ascii_isalnum (*byte) || strchr ("/._-+:,", *byte) != NULL)
      g_string_append_c (quoted, *byte);
    else
      g_string_append_printf (quoted, "\\x%02x", (guint) (guint8) *byte);
  g_string_append_c (quoted, '"');
  return g_string_free (quoted, FALSE);
}

/* --- lines in, lines out -------------------------------------------------- */

static gboolean
send_line (VkFish *fish, const char *line, GCancellable *cancellable, GError **error)
{
  g_autofree char *text = g_strconcat (line, "\n", NULL);
  g_autoptr (GError) failure = NULL;

  if (strlen (text) >= LINE_LIMIT)
    return vk_fail (error, VK_ERROR_STORE, "a file name is too long for guestfish");
  fish->lines++;
  if (g_output_stream_write_all (fish->in, text, strlen (text), NULL, cancellable, &failure))
    return TRUE;
  fish->broken = TRUE;
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_propagate_error (error, g_steal_pointer (&failure));
  else
    vk_fail (error, VK_ERROR_STORE, "guestfish has ended: %s", failure->message);
  return FALSE;
}

static gboolean
is_complete (VkFish *fish)
{
  return g_str_has_suffix (fish->answer->str, fish->marker);
}

static gboolean
receive (VkFish *fish, GCancellable *cancellable, GError **error)
{
  char buffer[4096];
  gssize got = 1;

  g_string_truncate (fish->answer, 0);
  while (!is_complete (fish) && fish->answer->len < ANSWER_LIMIT
         && (got = g_input_stream_read (fish->out, buffer, sizeof buffer, cancellable, error)) > 0)
    g_string_append_len (fish->answer, buffer, got);
  if (is_complete (fish))
    {
      g_string_truncate (fish->answer, fish->answer->len - strlen (fish->marker));
      return TRUE;
    }
  fish->broken = TRUE;
  if (got >= 0)
    vk_fail (error, VK_ERROR_STORE, got == 0 ? N_("guestfish has ended: %s") : N_("guestfish says too much: %.200s"), g_strchomp (fish->answer->str));
  return FALSE;
}

/* The message, if the answer is one: "*stdin*:7: libguestfs: error: ...".  It goes on to
 * the end, since there may be file names in it.  Returns: (transfer full) or NULL. */
static char *
find_complaint (VkFish *fish, guint line)
{
  g_autofree char *place = g_strdup_printf ("*stdin*:%u: ", line);
  static const char label[] = "libguestfs: error: ";
  const char *text = fish->answer->str;

  while (!g_str_has_prefix (text, place) && !g_str_has_prefix (text, label))
    {
      text = strchr (text, '\n');
      if (text++ == NULL)
        return NULL;
    }
  if (g_str_has_prefix (text, place))
    text += strlen (place);
  if (g_str_has_prefix (text, label))
    text += strlen (label);
  return g_strchomp (g_utf8_make_valid (text, -1));
}

static char *
ask (VkFish *fish, const char *line, GCancellable *cancellable, GError **error)
{
  g_autofree char *echo = g_strconcat ("echo ", fish->marker, NULL);
  g_autofree char *complaint = NULL;
  gboolean missing;

  /* With a dash in front a failure does not end guestfish; the marker has a newline. */
  if (!send_line (fish, line, cancellable, error))
    return NULL;
  echo[strlen (echo) - 1] = '\0';
  if (!send_line (fish, echo, cancellable, error) || !receive (fish, cancellable, error))
    return NULL;
  complaint = find_complaint (fish, fish->lines - 1);
  if (complaint == NULL)
    return g_strdup (fish->answer->str);
  missing = g_str_has_suffix (complaint, "No such file or directory") || g_str_has_suffix (complaint, "Not a directory");
  /* Its first line says it; others give advice. */
  vk_fail (error, missing ? VK_ERROR_NOT_FOUND : VK_ERROR_STORE, "libguestfs: %.*s", (int) strcspn (complaint, "\n"), complaint);
  return NULL;
}

static char *
ask_with (VkFish *fish, const char *command, va_list arguments, GCancellable *cancellable, GError **error)
{
  g_autoptr (GString) line = g_string_new ("-");
  const char *argument;

  g_string_append (line, command);
  /* Whoever calls has started it.  NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
  while ((argument = va_arg (arguments, const char *)) != NULL)
    {
      g_autofree char *quoted = vk_fish_quote (argument);

      g_string_append_printf (line, " %s", quoted);
    }
  return ask (fish, line->str, cancellable, error);
}

char *
vk_fish_ask (VkFish *fish, GCancellable *cancellable, GError **error, const char *command, ...)
{
  va_list arguments;
  char *answer;

  va_start (arguments, command);
  answer = ask_with (fish, command, arguments, cancellable, error);
  va_end (arguments);
  return answer;
}

gboolean
vk_fish_do (VkFish *fish, GCancellable *cancellable, GError **error, const char *command, ...)
{
  g_autofree char *answer = NULL;
  va_list arguments;

  va_start (arguments, command);
  answer = ask_with (fish, command, arguments, cancellable, error);
  va_end (arguments);
  return answer != NULL;
}

/* --- start and end -------------------------------------------------------- */

static GSubprocess *
start_process (const char *const *sockets, GError **error)
{
  /* Other ways to start the virtual machine than by itself would have it run as a
   * user who cannot reach the sockets. */
  const char *environment[] = { g_getenv ("LIBGUESTFS_BACKEND") ? NULL : "LIBGUESTFS_BACKEND", "direct", NULL };
  VkProcessSecrets secrets = { .environment = environment, .fd = -1 };
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (argv, g_strdup ("guestfish"));
  g_ptr_array_add (argv, g_strdup ("--ro"));
  g_ptr_array_add (argv, g_strdup ("--no-progress-bars"));
  g_ptr_array_add (argv, g_strdup ("--format=raw"));
  for (gsize i = 0; sockets[i] != NULL; i++)
    {
      g_autofree char *escaped = g_uri_escape_string (sockets[i], "/", FALSE);

      g_ptr_array_add (argv, g_strdup ("-a"));
      g_ptr_array_add (argv, g_strconcat ("nbd://?socket=", escaped, NULL));
    }
  g_ptr_array_add (argv, NULL);
  return vk_process_start_with ((const char *const *) argv->pdata, G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &secrets, error);
}

VkFish *
vk_fish_start (const char *const *sockets, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkFish) fish = g_new0 (VkFish, 1);
  g_autoptr (GError) failure = NULL;

  fish->process = start_process (sockets, error);
  if (fish->process == NULL)
    return NULL;
  fish->in = g_subprocess_get_stdin_pipe (fish->process);
  fish->out = g_subprocess_get_stdout_pipe (fish->process);
  fish->answer = g_string_new (NULL);
  fish->marker = g_strdup_printf ("virt-keep-%08x%08x\n", g_random_int (), g_random_int ());
  if (vk_fish_do (fish, cancellable, &failure, "run", NULL))
    return g_steal_pointer (&fish);
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_propagate_error (error, g_steal_pointer (&failure));
  else
    vk_fail (error, VK_ERROR_REFUSED, "libguestfs cannot start its virtual machine: %s; it needs a kernel (Debian: linux-image-amd64), and libguestfs-test-tool tells more", failure->message);
  return NULL;
}

void
vk_fish_free (VkFish *fish)
{
  if (fish == NULL)
    return;
  if (fish->process != NULL)
    {
      /* It breaks a copy off, and clears up after itself at the end of its input. */
      if (fish->broken)
        g_subprocess_send_signal (fish->process, SIGINT);
      g_output_stream_close (fish->in, NULL, NULL);
      for (guint i = 0; i < END_SECONDS * POLLS_PER_SECOND && g_subprocess_get_identifier (fish->process) != NULL; i++)
        g_usleep (G_USEC_PER_SEC / POLLS_PER_SECOND);
      g_subprocess_force_exit (fish->process);
      g_subprocess_wait (fish->process, NULL, NULL);
      g_string_free (fish->answer, TRUE);
      g_object_unref (fish->process);
    }
  g_free (fish->marker);
  g_free (fish);
}
