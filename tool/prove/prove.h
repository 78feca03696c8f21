/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The restore test that nobody does by hand: a restore point is started as a machine,
 * cut off from everything, and watched until it has come up or has failed to. */
#pragma once

#include <gio/gio.h>

#include "host/agent.h"
#include "host/host.h"
#include "report/reporter.h"
#include "store/store.h"

typedef struct
{
  GPtrArray *expectations; /* of VkExpectation: all have to be met; which are stands in them afterwards */
  guint timeout;           /* seconds for all of it, from the start of the domain */
  const char *script;      /* run by the agent once the expectations are met: has to end with 0.  NULL: none */
  gsize script_length;
  const char *console_log; /* absolute path of a new file, of which libvirt can pass the directories */
  const char *overlay_dir; /* NULL: see boot.h */
} VkProveRequest;

/* What was seen. */
typedef struct
{
  VkVerdict *verdict;
  char **console;         /* the last lines of its serial console */
  GBytes *screenshot;     /* PNG, or NULL, */
  char *no_screenshot;    /* and why then */
  gboolean script_ended;
  VkAgentExit script;     /* how */
  GPtrArray *warnings;    /* of char *: what the machine lacked of what the point has */
} VkProof;

void vk_proof_free (VkProof *proof);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkProof, vk_proof_free)

/* Tries the point, which is only read.  Whatever happens, the domain is gone
 * afterwards.
 * Returns: (transfer full), with a verdict either way; or NULL when it could not be
 * tried: what vk_boot_start() says, VK_ERROR_REFUSED when an agent is needed
 * that the domain has no channel for, VK_ERROR_CONNECTION, or a domain that could not be thrown away. */
VkProof *vk_prove_run (VkHost *host, VkStore *store, const VkPoint *point, const VkProveRequest *request, VkReporter *reporter, GCancellable *cancellable, GError **error);

/* How a script is run: the words behind "#!" in its first line, or /bin/sh.
 * Returns: (transfer full) NULL-terminated. */
char **vk_prove_interpreter (const char *script);
