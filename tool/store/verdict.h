/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a restore point came back as a running machine when it was last tried.  A
 * store keeps it beside the point, which stays what the backup wrote. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

typedef struct
{
  gboolean proven;
  char *time;              /* when that was known: RFC 3339, UTC */
  char *virt_keep_version; /* of the virt-keep that tried */
  guint64 milliseconds;    /* that it took, from the start of the domain */
  char *reason;            /* why it is not proven, one line; NULL when it is */
} VkVerdict;

/* The verdict of this virt-keep, now.  reason NULL: proven; control characters in it become
 * spaces, and what is longer than a note may be is cut off. */
VkVerdict *vk_verdict_new (guint64 milliseconds, const char *reason);
void vk_verdict_free (VkVerdict *verdict);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkVerdict, vk_verdict_free)

/* A copy of its own; NULL of NULL. */
VkVerdict *vk_verdict_copy (const VkVerdict *verdict);

/* The members proven, time, virt_keep_version, milliseconds and reason.  Returns: (transfer full). */
JsonObject *vk_verdict_to_json (const VkVerdict *verdict);

/* The same from what somebody else may have written.  Returns: (transfer full), or NULL with
 * VK_ERROR_STORE. */
VkVerdict *vk_verdict_from_json (JsonObject *object, GError **error);

/* "TIME MILLISECONDS VERSION" and, of one that is not proven, " REASON".  Returns: (transfer full). */
char *vk_verdict_to_line (const VkVerdict *verdict);

/* Returns: (transfer full), or NULL for a line that is none. */
VkVerdict *vk_verdict_from_line (const char *line, gboolean proven);

/* For people: "yes, at TIME, by virt-keep VERSION, in 4.2 s" or "no, ...: REASON".
 * Returns: (transfer full). */
char *vk_verdict_to_text (const VkVerdict *verdict);
