/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "prove/console.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longer lines are cut, in bytes. */
enum { LINE_LIMIT = 4096, READ_BYTES = 65536 };

/* Where in an escape sequence we are: "ESC [ parameters letter", "ESC ] text BEL" or
 * "ESC letter". */
typedef enum
{
  TEXT,
  ESCAPE,
  PARAMETERS,
  TITLE,
} State;

struct VkConsole
{
  char *path;
  int fd;          /* -1: not there yet */
  guint64 total;   /* bytes read, of all files */
  State state;
  GString *line;   /* of the line that has no end yet: any bytes but control characters */
  gboolean changed; /* it has grown since func last saw it */
  GQueue tail;     /* of char * */
};

VkConsole *
vk_console_new (const char *path)
{
  VkConsole *console = g_new0 (VkConsole, 1);

  console->path = g_strdup (path);
  console->fd = -1;
  console->line = g_string_new (NULL);
  g_queue_init (&console->tail);
  return console;
}

void
vk_console_free (VkConsole *console)
{
  if (console->fd >= 0)
    close (console->fd);
  g_queue_clear_full (&console->tail, g_free);
  g_string_free (console->line, TRUE);
  g_free (console->path);
  g_free (console);
}

/* --- from bytes to lines ------------------------------------------------------ */

/* What is not UTF-8, and the control characters that only UTF-8 has, replaced.
 * Returns: (transfer full). */
static char *
clean_line (const VkConsole *console)
{
  char *line = g_utf8_make_valid (console->line->str, (gssize) console->line->len);

  for (char *at = line; *at != '\0'; at = g_utf8_next_char (at))
    if (g_unichar_iscntrl (g_utf8_get_char (at)))
      memset (at, '?', (gsize) (g_utf8_next_char (at) - at));
  return line;
}

static void
end_line (VkConsole *console, VkConsoleFunc func, gpointer user_data)
{
  char *line = clean_line (console);

  func (line, user_data);
  g_queue_push_tail (&console->tail, line);
  if (g_queue_get_length (&console->tail) > VK_CONSOLE_TAIL_LINES)
    g_free (g_queue_pop_head (&console->tail));
  g_string_truncate (console->line, 0);
  console->changed = FALSE;
}

/* A byte outside of escape sequences. */
static void
take_text (VkConsole *console, guint8 byte, VkConsoleFunc func, gpointer user_data)
{
  if (byte == 0x1b)
    console->state = ESCAPE;
  else if (byte == '\n')
    end_line (console, func, user_data);
  else if (byte == '\t' || (byte >= ' ' && byte != 0x7f))
    {
      g_string_append_c (console->line, byte == '\t' ? ' ' : (char) byte);
      console->changed = TRUE;
      if (console->line->len >= LINE_LIMIT)
        end_line (console, func, user_data);
    }
}

static void
take_byte (VkConsole *console, guint8 byte, VkConsoleFunc func, gpointer user_data)
{
  switch (console->state)
    {
    case TEXT:
      take_text (console, byte, func, user_data);
      break;
    case ESCAPE:
      console->state = byte == '[' ? PARAMETERS : byte == ']' ? TITLE : TEXT;
      break;
    case PARAMETERS:
    case TITLE:
      /* A line ends whatever has been begun in it. */
      if (byte == '\n' || (console->state == TITLE ? byte == 0x07 : byte >= 0x40))
        console->state = TEXT;
      if (byte == '\n')
        end_line (console, func, user_data);
      break;
    }
}

/* --- from the file -------------------------------------------------------------- */

/* Whether path is another file than the one that is open. */
static gboolean
was_replaced (const VkConsole *console)
{
  struct stat mine, its;

  return fstat (console->fd, &mine) == 0 && stat (console->path, &its) == 0 && (mine.st_ino != its.st_ino || mine.st_dev != its.st_dev);
}

static void
open_file (VkConsole *console)
{
  if (console->fd >= 0)
    close (console->fd);
  console->fd = open (console->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static gboolean
read_file (VkConsole *console, VkConsoleFunc func, gpointer user_data)
{
  guint8 buffer[READ_BYTES];
  gssize got;

  while (console->fd >= 0 && console->total < VK_CONSOLE_LIMIT && (got = read (console->fd, buffer, sizeof buffer)) > 0)
    {
      console->total += (guint64) got;
      for (gssize i = 0; i < got; i++)
        take_byte (console, buffer[i], func, user_data);
    }
  return console->total < VK_CONSOLE_LIMIT;
}

gboolean
vk_console_read (VkConsole *console, VkConsoleFunc func, gpointer user_data)
{
  gboolean replaced;
  gboolean more;

  if (console->fd < 0)
    open_file (console);
  /* In this order: nothing is added to the old file once the new one is there. */
  replaced = console->fd >= 0 && was_replaced (console);
  more = read_file (console, func, user_data);
  if (replaced)
    {
      open_file (console);
      more = read_file (console, func, user_data);
    }
  if (console->changed)
    {
      g_autofree char *line = clean_line (console);

      func (line, user_data);
      console->changed = FALSE;
    }
  return more;
}

char **
vk_console_tail (VkConsole *console)
{
  GStrvBuilder *builder = g_strv_builder_new ();
  char **lines;

  for (GList *line = console->tail.head; line != NULL; line = line->next)
    g_strv_builder_add (builder, line->data);
  if (console->line->len > 0)
    {
      g_autofree char *line = clean_line (console);

      g_strv_builder_add (builder, line);
    }
  lines = g_strv_builder_end (builder);
  g_strv_builder_unref (builder);
  return lines;
}
