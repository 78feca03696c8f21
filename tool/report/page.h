/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The report as one HTML page, which needs nothing beside it and no network. */
#pragma once

#include "store/summary.h"

typedef struct
{
  const char *store;      /* its URL */
  GDateTime *now;
  GDateTime *oldest;      /* a newest point from before that is too old, where a domain's policy says nothing else */
  GPtrArray *summaries;   /* of VkDomainSummary, judged, in the order of the page */
  const char *note;       /* on what could not be found out, or NULL */
} VkReport;

/* How many domains are not safe. */
guint vk_report_count_unsafe (const VkReport *report);

/* "3 of 5 domains are not safe".  Returns: (transfer full). */
char *vk_report_conclude (const VkReport *report);

/* "2 h 5 min", "3 d 4 h": from time to the report's.  Returns: (transfer full). */
char *vk_report_age (const VkReport *report, GDateTime *time);

/* Returns: (transfer full) the text of the page, UTF-8. */
char *vk_report_to_html (const VkReport *report);
