/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "report/journal.h"

gboolean
vk_journal_has (int fd)
{
  return g_log_writer_is_journald (fd);
}

static void
add_field (GArray *fields, const char *name, const char *value)
{
  GLogField field = { name, value, -1 };

  if (value != NULL)
    g_array_append_val (fields, field);
}

/* As in syslog.h. */
static const char *
priority_of (GLogLevelFlags level)
{
  switch (level)
    {
    case G_LOG_LEVEL_CRITICAL:
      return "3";
    case G_LOG_LEVEL_WARNING:
      return "4";
    default:
      return "6";
    }
}

gboolean
vk_journal_send (GLogLevelFlags level, const char *message, const VkJournalFields *fields)
{
  g_autoptr (GArray) record = g_array_new (FALSE, FALSE, sizeof (GLogField));

  add_field (record, "MESSAGE", message);
  add_field (record, "PRIORITY", priority_of (level));
  add_field (record, "SYSLOG_IDENTIFIER", PACKAGE_NAME);
  add_field (record, "VIRT_KEEP_EVENT", fields->event);
  add_field (record, "VIRT_KEEP_PHASE", fields->phase);
  add_field (record, "VIRT_KEEP_COMMAND", fields->command);
  add_field (record, "VIRT_KEEP_DOMAIN", fields->domain);
  add_field (record, "VIRT_KEEP_DOMAIN_UUID", fields->uuid);
  add_field (record, "VIRT_KEEP_POINT", fields->point);
  add_field (record, "VIRT_KEEP_ERROR", fields->error);
  add_field (record, "VIRT_KEEP_EXIT_STATUS", fields->exit_status);
  return g_log_writer_journald (level, (const GLogField *) record->data, record->len, NULL) == G_LOG_WRITER_HANDLED;
}

/* NULL where there is no such string. */
static const char *
string_of (JsonObject *object, const char *member)
{
  return object ? json_object_get_string_member_with_default (object, member, NULL) : NULL;
}

static JsonObject *
object_of (JsonObject *object, const char *member)
{
  JsonNode *node = object ? json_object_get_member (object, member) : NULL;

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

/* The "name" or "uuid" of the domain that a result is about, or NULL. */
static const char *
domain_member (JsonObject *result, const char *member)
{
  JsonObject *domain = object_of (result, "domain");

  return string_of (domain ? domain : result, member);
}

gboolean
vk_journal_send_result (const char *message, const char *command, JsonObject *result, const char *error, int exit_status)
{
  g_autofree char *status = g_strdup_printf ("%d", exit_status);
  VkJournalFields fields = {
    .event = error ? "failed" : "done",
    .command = command,
    .domain = domain_member (result, "name"),
    .uuid = domain_member (result, "uuid"),
    .point = string_of (result, "point"),
    .error = error,
    .exit_status = status,
  };

  return vk_journal_send (error ? G_LOG_LEVEL_CRITICAL : G_LOG_LEVEL_MESSAGE, message, &fields);
}

static void
send_one (const char *command, JsonObject *result)
{
  JsonObject *failure = object_of (result, "error");
  const char *name = domain_member (result, "name");
  const char *what = failure ? string_of (failure, "message") : string_of (result, "point");
  g_autofree char *message = g_strdup_printf ("%s: %s", name ? name : "", what ? what : "not backed up");

  vk_journal_send_result (message, command, result, failure ? string_of (failure, "class") : NULL, (int) json_object_get_int_member_with_default (result, "exit_code", 0));
}

void
vk_journal_send_each (const char *command, JsonObject *result)
{
  JsonArray *results = json_object_has_member (result, "results") ? json_object_get_array_member (result, "results") : NULL;

  for (guint i = 0; results != NULL && i < json_array_get_length (results); i++)
    send_one (command, json_array_get_object_element (results, i));
}
