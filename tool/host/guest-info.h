/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest tells of itself through its agent.  It is the guest's word: strings are made UTF-8
 * without control characters and cut to 256 bytes, lists to at most 128 entries. */
#pragma once

#include <json-glib/json-glib.h>

#include "host/host.h"

/* The parameters of virDomainGetGuestInfo() as members of guest, as virt-keep-store(5) describes
 * them: "os", "hostname", "filesystems".  Parameters of other names and types are left out. */
void vk_guest_info_add_parameters (JsonObject *guest, virTypedParameterPtr parameters, int n);

/* The same with virDomainInterfaceAddresses(): "interfaces". */
void vk_guest_info_add_interfaces (JsonObject *guest, virDomainInterfacePtr *interfaces, int n);

/* Asks the agent, for a few seconds each.  Returns: (transfer full), or NULL when it tells nothing. */
JsonObject *vk_guest_info_get (virDomainPtr domain);
