/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/metrics.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "report/domain-metrics.h"
#include "report/metrics-file.h"
#include "store/summary.h"

/* The value of the label "store"; url may be NULL, where neither a policy nor anything else names one.
 * Returns: (transfer full). */
static char *
store_label (const char *url)
{
  return url ? vk_store_shown_url (url) : g_strdup ("");
}

gboolean
vk_metrics_check (const char *path, GError **error)
{
  return path == NULL || vk_metrics_file_update (path, NULL, NULL, error);
}

/* The command is over (done, or not) and its metrics are written, or not: failure (transfer full). */
static gboolean
conclude (VkInvocation *invocation, const char *path, GError *failure, gboolean done, GError **error)
{
  g_autofree char *message = NULL;

  if (failure == NULL)
    {
      vk_json_set_string (invocation->result, "metrics", path);
      return done;
    }
  invocation->partial = TRUE;
  if (done)
    {
      g_propagate_prefixed_error (error, failure, "it is done, but its metrics cannot be written: ");
      return FALSE;
    }
  g_assert (*error != NULL);
  message = g_strdup_printf ("%s (its metrics cannot be written either: %s)", (*error)->message, failure->message);
  g_free ((*error)->message);
  (*error)->message = g_steal_pointer (&message);
  g_error_free (failure);
  return FALSE;
}

/* The class of the error, NULL when it is none for a backup. */
static const char *
failure_of (const GError *error)
{
  return error == NULL || g_error_matches (error, VK_ERROR, VK_ERROR_UNCHANGED) ? NULL : vk_error_class_name (error);
}

/* --- backups ----------------------------------------------------------------- */

typedef struct
{
  const VkBackupTask *task;
  const char *store;   /* the label */
  const char *failure; /* the class of the error, or NULL */
  GPtrArray *points;   /* of VkPoint, of the domain; NULL: nothing has changed */
} Ended;

static void
take_ended (VkMetrics *metrics, gpointer user_data)
{
  const Ended *ended = user_data;
  const VkManifest *manifest = ended->task->manifest;
  g_autofree char *owner = vk_metrics_owner (manifest->domain_name ? manifest->domain_name : ended->task->request.domain, ended->store);
  g_autoptr (GPtrArray) summaries = ended->points ? vk_summarize (ended->points, ended->task->store->ops->whole_points) : NULL;

  vk_metrics_take_backup (metrics, owner, ended->task->stored ? manifest : NULL, ended->failure);
  if (summaries != NULL)
    vk_metrics_take_points (metrics, ended->store, summaries, FALSE);
}

static gboolean
write_backup (const char *path, const VkBackupTask *task, const char *failure, GError **error)
{
  g_autofree char *store = store_label (task->place);
  g_autoptr (GPtrArray) points = task->stored ? vk_store_list (task->store, task->manifest->domain_uuid, error) : NULL;
  Ended ended = { task, store, failure, points };

  if (task->stored && points == NULL)
    return FALSE;
  return vk_metrics_file_update (path, take_ended, &ended, error);
}

gboolean
vk_metrics_write_backups (VkInvocation *invocation, const char *path, const GArray *tasks, gboolean done, GError **error)
{
  GError *failure = NULL;

  if (path == NULL)
    return done;
  for (guint i = 0; failure == NULL && i < tasks->len; i++)
    write_backup (path, &g_array_index (tasks, VkBackupTask, i), failure_of (done ? NULL : *error), &failure);
  return conclude (invocation, path, failure, done, error);
}

/* --- several domains, each of which had a process ---------------------------- */

/* Its process wrote nothing.  One that was not begun any more has not failed. */
static const char *
unwritten_failure (JsonObject *result)
{
  g_autoptr (GError) not_begun = g_error_new_literal (VK_ERROR, VK_ERROR_INTERRUPTED, "");
  JsonObject *failure = json_object_has_member (result, "error") ? json_object_get_object_member (result, "error") : NULL;
  const char *class_name = failure ? json_object_get_string_member_with_default (failure, "class", NULL) : NULL;

  if (json_object_has_member (result, "metrics") || g_strcmp0 (class_name, vk_error_class_name (not_begun)) == 0)
    return NULL;
  return class_name;
}

static void
take_unwritten (VkMetrics *metrics, gpointer user_data)
{
  JsonArray *results = user_data;

  for (guint i = 0; i < json_array_get_length (results); i++)
    {
      JsonObject *result = json_array_get_object_element (results, i);
      const char *failure = unwritten_failure (result);
      g_autofree char *owner = vk_metrics_owner (json_object_get_string_member (result, "name"), json_object_get_string_member_with_default (result, "store", ""));

      if (failure != NULL)
        vk_metrics_take_backup (metrics, owner, NULL, failure);
    }
}

gboolean
vk_metrics_write_unwritten (VkInvocation *invocation, const char *path, gboolean done, GError **error)
{
  GError *failure = NULL;

  if (path == NULL || !json_object_has_member (invocation->result, "results"))
    return done;
  vk_metrics_file_update (path, take_unwritten, json_object_get_array_member (invocation->result, "results"), &failure);
  return conclude (invocation, path, failure, done, error);
}

/* --- restore points ---------------------------------------------------------- */

typedef struct
{
  const char *store; /* the label */
  GPtrArray *summaries;
  gboolean whole;
} Points;

static void
take_points (VkMetrics *metrics, gpointer user_data)
{
  const Points *points = user_data;

  vk_metrics_take_points (metrics, points->store, points->summaries, points->whole);
}

gboolean
vk_metrics_write_points (VkInvocation *invocation, const char *path, VkStore *store, const char *domain, gboolean done, GError **error)
{
  g_autofree char *label = store_label (invocation->store);
  GError *failure = NULL;
  g_autoptr (GPtrArray) list = path ? vk_store_list (store, domain, &failure) : NULL;
  g_autoptr (GPtrArray) summaries = list ? vk_summarize (list, store->ops->whole_points) : NULL;
  Points points = { label, summaries, domain == NULL };

  if (path == NULL)
    return done;
  if (summaries != NULL)
    vk_metrics_file_update (path, take_points, &points, &failure);
  return conclude (invocation, path, failure, done, error);
}
