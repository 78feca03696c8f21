/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a machine has to do so that its restore point counts as proven. */
#pragma once

#include <glib.h>

typedef enum
{
  VK_EXPECT_AGENT,   /* the guest agent answers */
  VK_EXPECT_CONSOLE, /* a line on the serial console matches */
  VK_EXPECT_PORT,    /* something in the guest listens on a TCP port */
} VkExpectKind;

typedef struct
{
  char *word;     /* as it was given: "agent", "console:REGEX", "port:N" */
  VkExpectKind kind;
  GRegex *regex;  /* console */
  guint port;
  gboolean met;
  guint64 milliseconds; /* when it was met, from the start of the domain */
} VkExpectation;

/* words: NULL-terminated; NULL or none of them: the agent.
 * Returns: (transfer full) of VkExpectation, or NULL with VK_ERROR_USAGE. */
GPtrArray *vk_expectations_parse (const char *const *words, GError **error);

/* None of them is met any more: for another machine. */
void vk_expectations_reset (GPtrArray *expectations);

/* The first that is not met, or NULL. */
const VkExpectation *vk_expectations_open (const GPtrArray *expectations);

/* Whether one of them needs the agent. */
gboolean vk_expectations_need_agent (const GPtrArray *expectations);

/* "no line on the serial console has matched 'REGEX'" and the like.  Returns: (transfer full). */
char *vk_expectation_complaint (const VkExpectation *expectation);

/* Whether table, the text of Linux's /proc/net/tcp or tcp6, has a socket that listens on
 * port. */
gboolean vk_port_is_listened_on (const char *table, guint port);
