/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd's journal, where standard error or output leads there: each message is one record then, with
 * what it is about in fields of its own, which virt-keep(1) documents. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

/* What a record says beside its message; NULL for what it does not. */
typedef struct
{
  const char *event;
  const char *phase;
  const char *command;
  const char *domain;
  const char *uuid;
  const char *point;
  const char *error;       /* the class */
  const char *exit_status;
} VkJournalFields;

/* Whether what is written to the descriptor fd goes to the journal. */
gboolean vk_journal_has (int fd);

/* Writes a record; level is that of a message, a warning or a critical failure.  FALSE when the journal does not take it. */
gboolean vk_journal_send (GLogLevelFlags level, const char *message, const VkJournalFields *fields);

/* The same of a result (see virt-keep-json(5)): its point, domain and error.  result may be NULL. */
gboolean vk_journal_send_result (const char *message, const char *command, JsonObject *result, const char *error, int exit_status);

/* One record for each of several results, of the array "results" of result, if there are such. */
void vk_journal_send_each (const char *command, JsonObject *result);
