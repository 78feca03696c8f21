/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking the guest agent.  What it answers is the guest's word: it is checked for its
 * form, and bounded.  Every call ends within a few seconds; errors are VK_LIBVIRT_ERROR,
 * with the agent's own words in them, and those of VK_ERROR for an answer that is none. */
#pragma once

#include "host/host.h"

/* Whether the domain's XML has a channel for it, so that it can ever answer. */
gboolean vk_agent_has_channel (virDomainPtr domain);

/* Whether it answers. */
gboolean vk_agent_ping (virDomainPtr domain);

/* The same without marking the domain as tainted, which every other question does.  When it
 * does not, *error says so, with what libvirt or the agent says.  libvirt's limit on answers is
 * put back to its default. */
gboolean vk_agent_is_awake (virDomainPtr domain, GError **error);

/* Limits, for whoever asks, how long an agent may think about an answer, in seconds, which libvirt does
 * not limit by itself; 0: as libvirt does. */
void vk_agent_limit_answers (virDomainPtr domain, guint seconds);

/* A text file of the guest, at most limit bytes of it.  Returns: (transfer full). */
char *vk_agent_read_file (virDomainPtr domain, const char *path, gsize limit, GError **error);

/* Starts argv[0] in the guest with input as its standard input; *pid names it. */
gboolean vk_agent_start (virDomainPtr domain, const char *const *argv, const char *input, gsize length, gint64 *pid, GError **error);

/* How a program in the guest has ended. */
typedef struct
{
  gint64 exit_code;   /* -1: by a signal */
  char *output;       /* the beginning of what it wrote to standard output and then to standard error, UTF-8 */
  gboolean truncated; /* there was more of it */
} VkAgentExit;

void vk_agent_exit_clear (VkAgentExit *exit);

/* Whether it has ended: *ended; exit is filled in then. */
gboolean vk_agent_poll (virDomainPtr domain, gint64 pid, gboolean *ended, VkAgentExit *exit, GError **error);
