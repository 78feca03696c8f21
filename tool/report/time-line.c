/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "report/time-line.h"

#include "report/format.h"

/* In CSS pixels.  Places from left to right are percent, so that the marks keep their form
 * on a narrow screen. */
enum { HEIGHT = 78, BASE_LINE = 58, LABEL_LINE = 74, MOST_BAR = 40, LEAST_BAR = 8, MARK_LINE = 8, PROTECTED_WIDTH = 10 };

xmlNode *
vk_page_add (xmlNode *parent, const char *name, const char *class, const char *text)
{
  g_autofree char *valid = text ? g_utf8_make_valid (text, -1) : NULL;
  g_autofree char *harmless = valid ? vk_format_harmless (valid, FALSE) : NULL;
  xmlNode *node = xmlNewTextChild (parent, NULL, BAD_CAST name, BAD_CAST harmless);

  if (class != NULL)
    xmlNewProp (node, BAD_CAST "class", BAD_CAST class);
  return node;
}

static void G_GNUC_PRINTF (3, 4)
set (xmlNode *node, const char *attribute, const char *format, ...)
{
  g_autofree char *value = NULL;
  va_list list;

  va_start (list, format);
  value = g_strdup_vprintf (format, list);
  va_end (list);
  xmlNewProp (node, BAD_CAST attribute, BAD_CAST value);
}

static void
set_percent (xmlNode *node, const char *attribute, double percent)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  set (node, attribute, "%s%%", g_ascii_formatd (number, sizeof number, "%.2f", percent));
}

static double
place_of (const VkTimeSpan *span, GDateTime *time)
{
  double whole = (double) g_date_time_difference (span->end, span->begin);
  double part = (double) g_date_time_difference (time, span->begin);

  return whole > 0 ? 100 * CLAMP (part / whole, 0, 1) : 100;
}

/* A megabyte and a terabyte are both to be seen: by the logarithm. */
static int
bar_height (guint64 bytes)
{
  /* g_bit_storage() takes a long, which may have but 32 bits: so the units of 64 KiB are counted. */
  gulong units = (gulong) MIN (bytes >> 16, G_MAXUINT32);
  int doublings = units > 0 ? (int) g_bit_storage (units) : 0;

  return LEAST_BAR + CLAMP (doublings, 0, MOST_BAR - LEAST_BAR);
}

static xmlNode *
add_bar (xmlNode *parent, double percent, gboolean full, int height)
{
  int width = full ? 8 : 4;
  xmlNode *bar = vk_page_add (parent, "rect", full ? "full" : "part", NULL);

  set_percent (bar, "x", percent);
  set (bar, "y", "%d", BASE_LINE - height);
  set (bar, "width", "%d", width);
  set (bar, "height", "%d", height);
  set (bar, "rx", "1");
  set (bar, "transform", "translate(-%d 0)", width / 2);
  return bar;
}

static xmlNode *
add_line (xmlNode *parent, const char *class, double from, double to, int y_from, int y_to)
{
  xmlNode *line = vk_page_add (parent, "line", class, NULL);

  set_percent (line, "x1", from);
  set_percent (line, "x2", to);
  set (line, "y1", "%d", y_from);
  set (line, "y2", "%d", y_to);
  return line;
}

/* Two lines that cross, in a drawing of their own, which has pixels also from left to right. */
static void
add_cross (xmlNode *parent, double percent)
{
  xmlNode *inner = vk_page_add (parent, "svg", "damaged", NULL);
  xmlNode *path = vk_page_add (inner, "path", NULL, NULL);

  set_percent (inner, "x", percent);
  set (inner, "y", "%d", BASE_LINE - 12);
  set (path, "d", "M-5 0L5 10M5 0L-5 10");
}

static void
add_circle (xmlNode *parent, double percent, const char *class)
{
  xmlNode *circle = vk_page_add (parent, "circle", class, NULL);

  set_percent (circle, "cx", percent);
  set (circle, "cy", "%d", MARK_LINE);
  set (circle, "r", "4");
}

/* A stroke below the base line. */
static void
add_protected (xmlNode *parent, double percent)
{
  xmlNode *stroke = vk_page_add (parent, "rect", "protected", NULL);

  set_percent (stroke, "x", percent);
  set (stroke, "y", "%d", BASE_LINE + 1);
  set (stroke, "width", "%d", PROTECTED_WIDTH);
  set (stroke, "height", "3");
  set (stroke, "transform", "translate(-%d 0)", PROTECTED_WIDTH / 2);
}

static gboolean
is_full (const VkPoint *point)
{
  return point->manifest != NULL && point->manifest->base == NULL;
}

static void
add_point (xmlNode *parent, const VkPoint *point, const VkTimeSpan *span)
{
  g_autoptr (GDateTime) instant = vk_point_instant (point);
  g_autofree char *bytes = point->manifest ? vk_format_bytes (vk_manifest_image_bytes (point->manifest)) : g_strdup ("?");
  g_autofree char *about = NULL;
  xmlNode *group;
  double percent;

  if (instant == NULL)
    return;
  about = g_strdup_printf ("%s: %s, %s%s%s%s", point->id, point->manifest ? point->manifest->level : "?", bytes, point->damage ? ", damaged" : "",
                           !point->verdict ? "" : point->verdict->proven ? ", proven" : ", not proven",
                           point->is_protected ? ", protected" : "");
  percent = place_of (span, instant);
  group = vk_page_add (parent, "g", NULL, NULL);
  vk_page_add (group, "title", NULL, about);
  if (point->damage != NULL)
    add_cross (group, percent);
  else
    add_bar (group, percent, is_full (point), bar_height (vk_manifest_image_bytes (point->manifest)));
  if (point->verdict != NULL)
    add_circle (group, percent, point->verdict->proven ? "proven" : "failed");
  if (point->is_protected)
    add_protected (group, percent);
}

static void
add_label (xmlNode *parent, double percent, const char *anchor, const char *text)
{
  xmlNode *label = vk_page_add (parent, "text", "label", text);

  set_percent (label, "x", percent);
  set (label, "y", "%d", LABEL_LINE);
  set (label, "text-anchor", "%s", anchor);
}

/* When it begins, the middle and the end.  A narrow screen has no room for more than dates. */
static void
add_labels (xmlNode *svg, const VkTimeSpan *span)
{
  GTimeSpan whole = g_date_time_difference (span->end, span->begin);
  const char *format = whole >= 4 * G_TIME_SPAN_DAY ? "%Y-%m-%d" : "%m-%d %H:%M";
  g_autoptr (GDateTime) middle = g_date_time_add (span->begin, whole / 2);
  g_autofree char *begin_text = g_date_time_format (span->begin, format);
  g_autofree char *middle_text = g_date_time_format (middle, format);

  add_label (svg, 0, "start", begin_text);
  add_label (svg, 50, "middle", middle_text);
  add_label (svg, 100, "end", "now");
}

void
vk_time_line_add (xmlNode *parent, const VkDomainSummary *summary, const VkTimeSpan *span)
{
  g_autofree char *about = NULL;
  double oldest = MAX (place_of (span, summary->oldest), 0);
  xmlNode *svg = vk_page_add (parent, "svg", NULL, NULL);
  xmlNode *within;

  about = g_strdup_printf ("Time line of %u restore point%s, %u of them damaged; they are listed below", summary->points->len, summary->points->len == 1 ? "" : "s", summary->damaged);
  set (svg, "role", "img");
  set (svg, "width", "100%%");
  set (svg, "height", "%d", HEIGHT);
  xmlNewProp (svg, BAD_CAST "aria-label", BAD_CAST about);
  within = vk_page_add (svg, "rect", "within", NULL);
  set_percent (within, "x", oldest);
  set (within, "y", "0");
  set_percent (within, "width", 100 - oldest);
  set (within, "height", "%d", BASE_LINE);
  add_line (svg, "edge", oldest, oldest, 0, BASE_LINE);
  add_line (svg, "axis", 0, 100, BASE_LINE, BASE_LINE);
  add_line (svg, "axis", 50, 50, BASE_LINE, BASE_LINE + 4);
  for (guint i = 0; i < summary->points->len; i++)
    add_point (svg, g_ptr_array_index (summary->points, i), span);
  add_labels (svg, span);
}

static xmlNode *
add_legend_item (xmlNode *list, const char *text)
{
  xmlNode *item = vk_page_add (list, "li", NULL, NULL);
  xmlNode *svg = vk_page_add (item, "svg", NULL, NULL);

  set (svg, "width", "14");
  set (svg, "height", "22");
  set (svg, "viewBox", "0 0 14 22");
  set (svg, "aria-hidden", "true");
  vk_page_add (item, "span", NULL, text);
  return svg;
}

/* A shape with one attribute for each pair of words, NULL-terminated. */
static void
add_shape (xmlNode *svg, const char *name, const char *class, const char *const *attributes)
{
  xmlNode *shape = vk_page_add (svg, name, class, NULL);

  for (gsize i = 0; attributes[i] != NULL; i += 2)
    xmlNewProp (shape, BAD_CAST attributes[i], BAD_CAST attributes[i + 1]);
}

void
vk_time_line_add_legend (xmlNode *parent)
{
  xmlNode *list = vk_page_add (parent, "ul", "legend", NULL);
  xmlNode *svg;

  add_shape (add_legend_item (list, "full"), "rect", "full", (const char *const[]) { "x", "3", "y", "2", "width", "8", "height", "20", NULL });
  add_shape (add_legend_item (list, "incremental or differential; the height is the size"), "rect", "part", (const char *const[]) { "x", "5", "y", "10", "width", "4", "height", "12", NULL });
  add_shape (add_legend_item (list, "damaged"), "path", "damaged", (const char *const[]) { "d", "M2 6L12 16M12 6L2 16", NULL });
  add_shape (add_legend_item (list, "proven"), "circle", "proven", (const char *const[]) { "cx", "7", "cy", "11", "r", "4", NULL });
  add_shape (add_legend_item (list, "a proof failed"), "circle", "failed", (const char *const[]) { "cx", "7", "cy", "11", "r", "4", NULL });
  add_shape (add_legend_item (list, "protected"), "rect", "protected", (const char *const[]) { "x", "2", "y", "14", "width", "10", "height", "3", NULL });
  svg = add_legend_item (list, "new enough");
  add_shape (svg, "rect", "within", (const char *const[]) { "width", "14", "height", "22", NULL });
  add_shape (svg, "line", "edge", (const char *const[]) { "y2", "22", NULL });
}
