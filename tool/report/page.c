/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "report/page.h"

#include <inttypes.h>
#include <libxml/HTMLtree.h>

#include "report/format.h"
#include "report/time-line.h"
#include "templates-resource.h"

#define STYLE_RESOURCE "/virt-keep/report/page.css"

guint
vk_report_count_unsafe (const VkReport *report)
{
  guint count = 0;

  for (guint i = 0; i < report->summaries->len; i++)
    count += ((VkDomainSummary *) g_ptr_array_index (report->summaries, i))->problems->len > 0;
  return count;
}

char *
vk_report_conclude (const VkReport *report)
{
  guint bad = vk_report_count_unsafe (report);
  guint all = report->summaries->len;

  if (all == 0)
    return g_strdup ("There is no domain");
  if (bad == 0)
    return all == 1 ? g_strdup ("The domain is safe") : g_strdup_printf ("All %u domains are safe", all);
  return g_strdup_printf ("%u of %u domain%s not safe", bad, all, all == 1 ? " is" : "s are");
}

char *
vk_report_age (const VkReport *report, GDateTime *time)
{
  gint64 minutes = MAX (g_date_time_difference (report->now, time) / G_TIME_SPAN_MINUTE, 0);
  gint64 hours = minutes / 60;

  if (hours == 0)
    return g_strdup_printf ("%" PRId64 " min", minutes);
  if (hours < 48)
    return g_strdup_printf ("%" PRId64 " h %" PRId64 " min", hours, minutes % 60);
  return g_strdup_printf ("%" PRId64 " d %" PRId64 " h", hours / 24, hours % 24);
}

/* Of the points whose time is known.  Returns: (transfer full), or NULL. */
static GDateTime *
find_first_instant (const VkDomainSummary *summary)
{
  GDateTime *instant = NULL;

  for (guint i = 0; instant == NULL && i < summary->points->len; i++)
    instant = vk_point_instant (g_ptr_array_index (summary->points, i));
  return instant;
}

/* From the oldest point of all to now, and never less than what is new enough. */
static VkTimeSpan
find_span (const VkReport *report)
{
  GDateTime *begin = report->oldest;

  for (guint i = 0; i < report->summaries->len; i++)
    {
      g_autoptr (GDateTime) instant = find_first_instant (g_ptr_array_index (report->summaries, i));

      if (instant == NULL || g_date_time_compare (instant, begin) >= 0)
        continue;
      if (begin != report->oldest)
        g_date_time_unref (begin);
      begin = g_steal_pointer (&instant);
    }
  if (begin == report->oldest)
    g_date_time_ref (begin);
  return (VkTimeSpan) { .begin = begin, .end = report->now };
}

static xmlNode *
add_fact (xmlNode *list, const char *name, const char *value)
{
  xmlNode *pair = vk_page_add (list, "div", NULL, NULL);

  vk_page_add (pair, "dt", NULL, name);
  vk_page_add (pair, "dd", NULL, value);
  return pair;
}

/* time: UTC. */
static void
add_time_fact (xmlNode *list, const char *name, const char *prefix, const VkReport *report, GDateTime *time)
{
  g_autofree char *age = vk_report_age (report, time);
  g_autofree char *value = g_strdup_printf ("%s%s ago", prefix, age);
  g_autofree char *date = g_date_time_format (time, "%Y-%m-%d %H:%M UTC");

  vk_page_add (add_fact (list, name, value), "dd", "soft", date);
}

static void
add_proof_fact (xmlNode *list, const VkReport *report, const VkVerdict *verdict)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) time = verdict ? g_date_time_new_from_iso8601 (verdict->time, utc) : NULL;
  const char *prefix = verdict == NULL || verdict->proven ? "" : "failed ";

  if (verdict == NULL)
    add_fact (list, "Last proof", "never tried");
  else if (time != NULL)
    add_time_fact (list, "Last proof", prefix, report, time);
  else
    vk_page_add (add_fact (list, "Last proof", verdict->proven ? "proven" : "failed"), "dd", "soft", verdict->time);
}

static void
add_facts (xmlNode *section, const VkReport *report, const VkDomainSummary *summary)
{
  xmlNode *list = vk_page_add (section, "dl", NULL, NULL);
  g_autofree char *bytes = vk_format_bytes (summary->bytes);
  g_autofree char *count = g_strdup_printf ("in %u restore point%s", summary->points->len, summary->points->len == 1 ? "" : "s");
  g_autofree char *chain = g_strdup_printf ("%u restore point%s", summary->chain, summary->chain == 1 ? "" : "s");

  if (summary->instant != NULL)
    add_time_fact (list, "Newest usable", "", report, summary->instant);
  else
    add_fact (list, "Newest usable", "none");
  add_fact (list, "A restore reads", summary->chain > 0 ? chain : "-");
  vk_page_add (add_fact (list, "Size", bytes), "dd", "soft", count);
  add_proof_fact (list, report, summary->verdict);
}

static void
add_row (xmlNode *body, const VkPoint *point)
{
  xmlNode *row = vk_page_add (body, "tr", NULL, NULL);
  g_autofree char *bytes = point->manifest ? vk_format_bytes (vk_manifest_image_bytes (point->manifest)) : NULL;
  const char *parts[] = { NULL, NULL, NULL, NULL };
  g_autofree char *notes = NULL;
  gsize n = 0;

  if (point->is_protected)
    parts[n++] = "protected";
  if (point->note != NULL)
    parts[n++] = point->note;
  if (point->annotation_damage != NULL)
    parts[n++] = point->annotation_damage;
  notes = g_strjoinv ("; ", (char **) parts);
  vk_page_add (row, "td", NULL, point->id);
  vk_page_add (row, "td", NULL, point->manifest ? point->manifest->level : "?");
  vk_page_add (row, "td", NULL, bytes ? bytes : "?");
  vk_page_add (row, "td", NULL, point->damage ? point->damage : "ok");
  vk_page_add (row, "td", NULL, !point->verdict ? "-" : point->verdict->proven ? "proven" : point->verdict->reason);
  vk_page_add (row, "td", NULL, notes);
}

/* What the drawing shows, in words. */
static void
add_table (xmlNode *section, const VkDomainSummary *summary)
{
  static const char *const headings[] = { "Restore point", "Level", "Size", "State", "Proof", "Note" };
  xmlNode *details = vk_page_add (section, "details", NULL, NULL);
  xmlNode *table, *row, *body;

  vk_page_add (details, "summary", NULL, "The restore points as a table");
  table = vk_page_add (vk_page_add (details, "div", "scroll", NULL), "table", NULL, NULL);
  row = vk_page_add (vk_page_add (table, "thead", NULL, NULL), "tr", NULL, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (headings); i++)
    xmlNewProp (vk_page_add (row, "th", NULL, headings[i]), BAD_CAST "scope", BAD_CAST "col");
  body = vk_page_add (table, "tbody", NULL, NULL);
  for (guint i = summary->points->len; i-- > 0;)
    add_row (body, g_ptr_array_index (summary->points, i));
}

static void
add_domain (xmlNode *main_part, const VkReport *report, const VkDomainSummary *summary, const VkTimeSpan *span)
{
  gboolean safe = summary->problems->len == 0;
  xmlNode *section = vk_page_add (main_part, "section", safe ? "good" : "bad", NULL);
  xmlNode *head = vk_page_add (section, "div", "head", NULL);
  xmlNode *list;

  vk_page_add (head, "h2", NULL, summary->name);
  vk_page_add (head, "span", "badge", safe ? "safe" : "not safe");
  if (!safe)
    {
      list = vk_page_add (section, "ul", "problems", NULL);
      for (guint i = 0; i < summary->problems->len; i++)
        vk_page_add (list, "li", NULL, g_ptr_array_index (summary->problems, i));
    }
  if (summary->points->len == 0)
    return;
  add_facts (section, report, summary);
  vk_time_line_add (section, summary, span);
  add_table (section, summary);
}

static void
add_head (xmlNode *html)
{
  xmlNode *head = vk_page_add (html, "head", NULL, NULL);
  xmlNode *meta = vk_page_add (head, "meta", NULL, NULL);
  g_autoptr (GBytes) style = g_resource_lookup_data (vk_templates_get_resource (), STYLE_RESOURCE, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
  xmlNode *node;

  xmlNewProp (meta, BAD_CAST "charset", BAD_CAST "utf-8");
  meta = vk_page_add (head, "meta", NULL, NULL);
  xmlNewProp (meta, BAD_CAST "name", BAD_CAST "viewport");
  xmlNewProp (meta, BAD_CAST "content", BAD_CAST "width=device-width, initial-scale=1");
  vk_page_add (head, "title", NULL, "virt-keep: backup report");
  node = xmlNewChild (head, NULL, BAD_CAST "style", NULL);
  xmlNodeAddContentLen (node, g_bytes_get_data (style, NULL), (int) g_bytes_get_size (style));
}

char *
vk_report_to_html (const VkReport *report)
{
  g_autoptr (xmlDoc) doc = htmlNewDocNoDtD (NULL, NULL);
  xmlNode *html = xmlNewDocNode (doc, NULL, BAD_CAST "html", NULL);
  g_autofree char *conclusion = vk_report_conclude (report);
  g_autofree char *now = g_date_time_format (report->now, "%Y-%m-%d %H:%M UTC");
  g_autofree char *about = g_strdup_printf ("The store %s, as it was at %s", report->store, now);
  VkTimeSpan span = find_span (report);
  xmlNode *body, *main_part;
  xmlChar *text = NULL;
  char *copy;
  int length;

  xmlCreateIntSubset (doc, BAD_CAST "html", NULL, NULL);
  xmlDocSetRootElement (doc, html);
  xmlNewProp (html, BAD_CAST "lang", BAD_CAST "en");
  add_head (html);
  body = vk_page_add (html, "body", NULL, NULL);
  main_part = vk_page_add (body, "main", NULL, NULL);
  vk_page_add (main_part, "h1", NULL, "Backup report");
  vk_page_add (main_part, "p", "soft", about);
  if (report->note != NULL)
    vk_page_add (main_part, "p", "soft", report->note);
  vk_page_add (main_part, "p", vk_report_count_unsafe (report) > 0 ? "sum bad" : "sum", conclusion);
  vk_time_line_add_legend (main_part);
  for (guint i = 0; i < report->summaries->len; i++)
    add_domain (main_part, report, g_ptr_array_index (report->summaries, i), &span);
  htmlDocDumpMemoryFormat (doc, &text, &length, 0);
  copy = g_strndup ((const char *) text, (gsize) length);
  xmlFree (text);
  g_date_time_unref (span.begin);
  return copy;
}
