/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "report/reporter.h"

#include <glib/gi18n.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "report/format.h"
#include "report/journal.h"

const char *const vk_progress_words[] = { "bar", "lines", "json", "none", NULL };

enum
{
  LINE_INTERVAL_SECONDS = 5,
  JSON_INTERVAL_MILLISECONDS = 500,
  BAR_CELLS = 18,
  BAR_MINIMUM_COLUMNS = 70, /* below it the bar itself is left out */
};

struct VkReporter
{
  GMutex lock;           /* events of libvirt may come on a thread of their own */
  VkProgressStyle style;
  FILE *stream;
  gboolean journal;      /* that is where the stream leads */
  char *domain;
  gint64 first_progress; /* monotonic microseconds; 0 before the first call */
  gint64 last_shown;
  guint bar_lines;       /* how many lines of bars stand above the cursor */
};

static VkProgressStyle
choose_style (FILE *stream)
{
  const char *terminal = g_getenv ("TERM");

  if (isatty (fileno (stream)) && terminal != NULL && *terminal != '\0' && strcmp (terminal, "dumb") != 0)
    return VK_PROGRESS_BAR;
  return VK_PROGRESS_LINES;
}

VkReporter *
vk_reporter_new (VkProgressStyle style, FILE *stream, const char *domain)
{
  VkReporter *reporter = g_new0 (VkReporter, 1);

  g_mutex_init (&reporter->lock);
  reporter->style = style == VK_PROGRESS_AUTO ? choose_style (stream) : style;
  reporter->stream = stream;
  reporter->journal = vk_journal_has (fileno (stream));
  reporter->domain = g_strdup (domain);
  return reporter;
}

void
vk_reporter_free (VkReporter *reporter)
{
  g_mutex_clear (&reporter->lock);
  g_free (reporter->domain);
  g_free (reporter);
}

static void
erase_bars (VkReporter *reporter)
{
  if (reporter->bar_lines > 0)
    fprintf (reporter->stream, "\033[%uA\r\033[J", reporter->bar_lines);
  reporter->bar_lines = 0;
}

/* A line for people: the journal has the event with it.  fields may be NULL. */
static void
print_line (VkReporter *reporter, GLogLevelFlags level, const char *event, const char *text, JsonObject *fields)
{
  VkJournalFields record = { .event = event, .domain = reporter->domain };

  if (fields != NULL && json_object_has_member (fields, "phase"))
    record.phase = json_object_get_string_member (fields, "phase");
  if (reporter->journal && vk_journal_send (level, text, &record))
    return;
  erase_bars (reporter);
  fprintf (reporter->stream, "%s%s\n", level == G_LOG_LEVEL_WARNING ? _("warning: ") : "", text);
  fflush (reporter->stream);
}

static void
print_json (VkReporter *reporter, const char *event, JsonObject *fields)
{
  g_autoptr (JsonObject) object = json_object_new ();
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%dT%H:%M:%S.%fZ");
  g_autofree char *text = NULL;

  vk_json_set_string (object, "event", event);
  vk_json_set_string (object, "time", time);
  if (reporter->domain != NULL)
    vk_json_set_string (object, "domain", reporter->domain);
  if (fields != NULL)
    {
      g_autoptr (GList) members = json_object_get_members (fields);

      for (GList *member = members; member != NULL; member = member->next)
        json_object_set_member (object, member->data, json_object_dup_member (fields, member->data));
    }
  text = vk_json_to_string (object, FALSE);
  fprintf (reporter->stream, "%s\n", text);
  fflush (reporter->stream);
}

void
vk_reporter_event (VkReporter *reporter, const char *event, const char *text, JsonObject *fields)
{
  g_autoptr (JsonObject) owned = fields;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&reporter->lock);

  if (reporter->style == VK_PROGRESS_JSON)
    print_json (reporter, event, owned);
  else if (reporter->style != VK_PROGRESS_NONE && text != NULL)
    {
      g_autofree char *harmless = vk_format_harmless (text, TRUE);

      print_line (reporter, G_LOG_LEVEL_MESSAGE, event, harmless, owned);
    }
}

void
vk_reporter_phase (VkReporter *reporter, const char *phase, const char *text)
{
  JsonObject *fields = json_object_new ();

  vk_json_set_string (fields, "phase", phase);
  vk_json_set_string (fields, "message", _(text));
  vk_reporter_event (reporter, "phase", _(text), fields);
}

void
vk_reporter_end (VkReporter *reporter, const GError *error)
{
  JsonObject *fields = json_object_new ();

  if (error != NULL)
    {
      vk_json_set_string (fields, "class", vk_error_class_name (error));
      vk_json_set_string (fields, "message", error->message);
    }
  vk_reporter_event (reporter, error ? "failed" : "done", NULL, fields);
}

void
vk_reporter_warning (VkReporter *reporter, const char *text)
{
  g_autofree char *harmless = vk_format_harmless (text, TRUE);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&reporter->lock);

  if (reporter->style == VK_PROGRESS_JSON)
    {
      g_autoptr (JsonObject) fields = json_object_new ();

      vk_json_set_string (fields, "message", text);
      print_json (reporter, "warning", fields);
      return;
    }
  print_line (reporter, G_LOG_LEVEL_WARNING, "warning", harmless, NULL);
}

/* Bytes a second since the first progress, and the seconds left at that rate
 * (-1 when it cannot be told). */
static void
estimate (const VkReporter *reporter, const VkProgressItem *item, guint64 *rate, gint64 *left)
{
  double seconds = (double) (g_get_monotonic_time () - reporter->first_progress) / G_USEC_PER_SEC;

  *rate = seconds > 0.2 ? (guint64) ((double) item->done / seconds) : 0;
  *left = *rate > 0 && item->total >= item->done ? (gint64) ((item->total - item->done) / *rate) : -1;
}

static void
print_progress_json (VkReporter *reporter, const VkProgressItem *items, gsize n_items)
{
  for (gsize i = 0; i < n_items; i++)
    {
      g_autoptr (JsonObject) fields = json_object_new ();
      guint64 rate;
      gint64 left;

      estimate (reporter, &items[i], &rate, &left);
      vk_json_set_string (fields, "disk", items[i].disk);
      json_object_set_int_member (fields, "bytes", (gint64) items[i].done);
      json_object_set_int_member (fields, "total", (gint64) items[i].total);
      json_object_set_int_member (fields, "bytes_per_second", (gint64) rate);
      if (items[i].max_rate > 0)
        json_object_set_int_member (fields, "max_rate", (gint64) items[i].max_rate);
      if (left >= 0)
        json_object_set_int_member (fields, "seconds_left", left);
      print_json (reporter, "progress", fields);
    }
}

/* "42 %, 430 MiB of 1.0 GiB, 210 MiB/s, 0:03 left", and the limit of the rate. */
static char *
describe (const VkReporter *reporter, const VkProgressItem *item)
{
  g_autofree char *done = vk_format_bytes (item->done);
  g_autofree char *total = vk_format_bytes (item->total);
  g_autofree char *speed = NULL;
  g_autofree char *time = NULL;
  g_autofree char *most = item->max_rate ? vk_format_bytes (item->max_rate) : NULL;
  guint64 rate;
  gint64 left;

  if (item->total == 0 && item->done == 0)
    return g_strdup (_("waiting for the size"));
  estimate (reporter, item, &rate, &left);
  speed = vk_format_bytes (rate);
  if (item->total == 0)
    return g_strdup_printf ("%s, %s/s", done, speed);
  time = left >= 0 ? vk_format_seconds ((guint64) left) : NULL;
  return g_strdup_printf (_("%3.0f %%, %s of %s, %s/s%s%s%s%s%s%s"), 100.0 * (double) item->done / (double) item->total,
                          done, total, speed, time ? ", " : "", time ? time : "", time ? _(" left") : "", most ? _(", at most ") : "", most ? most : "", most ? "/s" : "");
}

/* Rows and columns; of the usual terminal when stream is none. */
static struct winsize
terminal_size (FILE *stream)
{
  struct winsize size = { 0 };

  if (ioctl (fileno (stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    size.ws_col = 80;
  if (size.ws_row == 0)
    size.ws_row = 24;
  return size;
}

static void
print_bar (VkReporter *reporter, const VkProgressItem *item, guint columns)
{
  g_autofree char *numbers = describe (reporter, item);
  double fraction = item->total ? (double) item->done / (double) item->total : 0;
  guint filled = (guint) (CLAMP (fraction, 0, 1) * BAR_CELLS);
  g_autoptr (GString) line = g_string_new (NULL);

  g_string_append_printf (line, "%-6s ", item->disk ? item->disk : _("total"));
  if (columns >= BAR_MINIMUM_COLUMNS)
    {
      g_string_append_c (line, '[');
      for (guint cell = 0; cell < BAR_CELLS; cell++)
        g_string_append_c (line, cell < filled ? '#' : '-');
      g_string_append (line, "] ");
    }
  g_string_append (line, numbers);
  if (line->len >= columns)
    g_string_truncate (line, columns - 1);
  fprintf (reporter->stream, "%s\n", line->str);
}

/* The cursor cannot go back above the screen: more bars than it has lines for
 * are left to the last, the total. */
static void
print_bars (VkReporter *reporter, const VkProgressItem *items, gsize n_items)
{
  struct winsize size = terminal_size (reporter->stream);
  gsize first = n_items < size.ws_row ? 0 : n_items - 1;

  erase_bars (reporter);
  for (gsize i = first; i < n_items; i++)
    print_bar (reporter, &items[i], size.ws_col);
  fflush (reporter->stream);
  reporter->bar_lines = (guint) (n_items - first);
}

static void
print_lines (VkReporter *reporter, const VkProgressItem *items, gsize n_items)
{
  for (gsize i = 0; i < n_items; i++)
    {
      g_autofree char *numbers = describe (reporter, &items[i]);

      fprintf (reporter->stream, "%s: %s\n", items[i].disk ? items[i].disk : _("total"), g_strchug (numbers));
    }
  fflush (reporter->stream);
}

void
vk_reporter_progress (VkReporter *reporter, const VkProgressItem *items, gsize n_items)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&reporter->lock);
  gint64 now = g_get_monotonic_time ();
  gint64 interval = 0;

  if (reporter->first_progress == 0)
    {
      reporter->first_progress = now;
      reporter->last_shown = reporter->style == VK_PROGRESS_LINES ? now : 0;
    }
  if (reporter->style == VK_PROGRESS_LINES)
    interval = LINE_INTERVAL_SECONDS * G_USEC_PER_SEC;
  else if (reporter->style == VK_PROGRESS_JSON)
    interval = JSON_INTERVAL_MILLISECONDS * 1000;
  if (reporter->style == VK_PROGRESS_NONE || (interval > 0 && now - reporter->last_shown < interval))
    return;
  reporter->last_shown = now;
  if (reporter->style == VK_PROGRESS_JSON)
    print_progress_json (reporter, items, n_items);
  else if (reporter->style == VK_PROGRESS_BAR)
    print_bars (reporter, items, n_items);
  else
    print_lines (reporter, items, n_items);
}
