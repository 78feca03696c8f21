/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands of QEMU's monitor (QMP), through libvirt's passthrough, which marks the domain
 * as tainted. */
#pragma once

#include <json-glib/json-glib.h>

#include "host/host.h"

/* Runs one command; arguments: (transfer full), or NULL.
 * Returns: (transfer full) the whole answer; NULL with VK_LIBVIRT_ERROR when libvirt
 * refuses passthrough, VK_ERROR_FAILED when QEMU answers with an error. */
JsonObject *vk_qmp_run (virDomainPtr domain, const char *command, JsonObject *arguments, GError **error);

/* The same for a query that returns a list.  Returns: (transfer full) of JsonObject. */
GPtrArray *vk_qmp_query (virDomainPtr domain, const char *command, JsonObject *arguments, GError **error);

/* A member of an answer; "" when it is missing.  Returns: (transfer full). */
char *vk_qmp_string (JsonObject *object, const char *member);
