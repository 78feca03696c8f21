/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command for one domain of several, in a process of its own: what happens to it happens
 * to none of the others. */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

typedef struct VkManyJob VkManyJob;

/* Called for each line that the process writes to standard error: an event, or whatever else
 * comes there. */
typedef void (*VkManyLineFunc) (const char *line, gpointer user_data);

/* Starts a process of this program with arguments (NULL-terminated), which ask for a JSON result; password
 * (may be NULL) goes to its standard input.  What comes from it is taken in by the main
 * context.  Returns: (transfer full), or NULL with VK_ERROR_FAILED set. */
VkManyJob *vk_many_job_start (const char *const *arguments, const char *password, VkManyLineFunc func, gpointer user_data, GError **error);

/* Ends the process if it has not ended. */
void vk_many_job_free (VkManyJob *job);

/* Whether the process has ended and all that it has written is here. */
gboolean vk_many_job_is_over (const VkManyJob *job);

void vk_many_job_signal (VkManyJob *job, int signal);

/* The result that it has printed; VK_ERROR_FAILED when it ended without one.
 * Returns: (transfer full). */
JsonObject *vk_many_job_result (VkManyJob *job, GError **error);
