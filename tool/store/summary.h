/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the restore points of a store say about each domain, and whether that is safe. */
#pragma once

#include "store/store.h"

typedef struct
{
  char *name;            /* of the domain, as its newest readable point has it */
  char *uuid;            /* NULL when there is no point, or none that can be read */
  GPtrArray *points;     /* of const VkPoint *, oldest first */
  const VkPoint *newest; /* of those that are not damaged, or NULL */
  GDateTime *instant;    /* of newest, or NULL */
  guint chain;           /* points that a restore of newest reads; 0 when there is none */
  guint damaged;         /* points */
  guint unreadable;      /* points whose annotations cannot be read: whether they are protected, or proven */
  guint64 bytes;         /* that the images of all points take */
  const VkVerdict *verdict; /* the last of any of its points, or NULL */
  const VkPoint *proven; /* the newest point that was proven and is not damaged, or NULL */
  GDateTime *oldest;     /* what newest is too old before, once judged; else NULL */
  GPtrArray *problems;   /* of char *: sentences without full stop on why it is not safe; empty: it is */
} VkDomainSummary;

void vk_domain_summary_free (VkDomainSummary *summary);

/* One for each domain of points (of VkPoint, which have to outlive it), by name.
 * whole_points: see VkStoreOps.  Returns: (transfer full) of VkDomainSummary. */
GPtrArray *vk_summarize (const GPtrArray *points, gboolean whole_points);

/* A domain that has no point, which it adds to summaries. */
void vk_summary_add_missing (GPtrArray *summaries, const char *name);

/* Fills in oldest and problems: no usable point, none since oldest, damaged points or annotations, or a verdict that is
 * not "proven". */
void vk_summary_judge (VkDomainSummary *summary, GDateTime *oldest);

/* Puts those that are not safe first, each kind by name. */
void vk_summaries_sort (GPtrArray *summaries);

/* When the disks of the point were as they are in it, or where that cannot be read, the time that its id
 * is.  Returns: (transfer full), or NULL. */
GDateTime *vk_point_instant (const VkPoint *point);
