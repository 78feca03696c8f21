/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tells what goes on, as it goes on: bars for a terminal, lines for a log,
 * JSON lines for a program.  The events are the same in each form and
 * documented in virt-keep-json(5). */
#pragma once

#include <stdio.h>

#include <glib.h>
#include <json-glib/json-glib.h>

typedef enum
{
  VK_PROGRESS_AUTO, /* bars when the stream is a terminal, else lines */
  VK_PROGRESS_BAR,
  VK_PROGRESS_LINES,
  VK_PROGRESS_JSON,
  VK_PROGRESS_NONE,
} VkProgressStyle;

/* The words of --progress, in the order of the styles after AUTO. */
extern const char *const vk_progress_words[];

typedef struct VkReporter VkReporter;

/* stream stays the caller's.  domain (may be NULL) goes into every event. */
VkReporter *vk_reporter_new (VkProgressStyle style, FILE *stream, const char *domain);
void vk_reporter_free (VkReporter *reporter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkReporter, vk_reporter_free)

/* One disk's, or the whole job's (disk NULL), progress in bytes; total 0 when
 * unknown. */
typedef struct
{
  const char *disk;
  guint64 done;
  guint64 total;
  guint64 max_rate; /* bytes per second that are allowed; 0: any */
} VkProgressItem;

/* Shows the items; the last one stands for the whole.  Lines are printed every
 * few seconds only, whatever the rate of calls. */
void vk_reporter_progress (VkReporter *reporter, const VkProgressItem *items, gsize n_items);

/* Something happened.  text is for people (NULL: only JSON tells it);
 * fields (transfer full, may be NULL) are the event's JSON members. */
void vk_reporter_event (VkReporter *reporter, const char *event, const char *text, JsonObject *fields);

/* The event "phase": what is done now, e.g. "copy". */
void vk_reporter_phase (VkReporter *reporter, const char *phase, const char *text);

/* The event "done", or "failed" with the class and message of error. */
void vk_reporter_end (VkReporter *reporter, const GError *error);

/* The event "warning".  Shown in every style. */
void vk_reporter_warning (VkReporter *reporter, const char *text);
