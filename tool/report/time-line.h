/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The restore points of a domain as a drawing (inline SVG) in an HTML page. */
#pragma once

#include "base/xml.h"
#include "store/summary.h"

/* The time that the drawing spans, and from when on a newest point is new enough. */
typedef struct
{
  GDateTime *begin;
  GDateTime *end;
} VkTimeSpan;

/* A new last child of parent, with class (NULL: none) and text (NULL: none), which may come from anybody.
 * Returns: (transfer none). */
xmlNode *vk_page_add (xmlNode *parent, const char *name, const char *class, const char *text);

/* Adds the drawing of summary's points to parent. */
void vk_time_line_add (xmlNode *parent, const VkDomainSummary *summary, const VkTimeSpan *span);

/* Adds a list to parent that says what its marks mean. */
void vk_time_line_add_legend (xmlNode *parent);
