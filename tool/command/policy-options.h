/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policy of a domain (host/policy.h) as options: its keys are "store", "label.NAME", and the
 * options that commands name as their policy_keys.  Failures are about the policy, without the
 * domain's name: whoever knows it puts it before them. */
#pragma once

#include "command/command.h"
#include "host/policy.h"

/* The key of the store. */
#define VK_POLICY_STORE "store"

/* The policy of a domain, by name, UUID or id: one without keys also when libvirt knows no such
 * domain, which is for others to complain of.  See vk_policy_read(). */
VkPolicy *vk_policy_of (VkHost *host, const char *domain, GError **error);

/* Whether there can be a key of this name.  VK_ERROR_USAGE otherwise. */
gboolean vk_policy_check_key (const char *key, GError **error);

/* Whether the option can be given several times, so that the key may have several values. */
gboolean vk_policy_is_list (const char *key);

/* Whether all of it can be meant, each value by the rules of the command line; what the store is
 * to be, the configuration knows.  VK_ERROR_USAGE, naming the key. */
gboolean vk_policy_check (const VkPolicy *policy, GError **error);

/* Fills in those options of command (a struct of its option_bytes) that have not been given.  The
 * policy has been checked. */
gboolean vk_policy_apply (const VkPolicy *policy, const VkCommand *command, gpointer options, GError **error);

/* {"level": "full", "exclude": ["vdb"]}: what can be a list is one.  The labels are in an object
 * of their own, "label".  Returns: (transfer full). */
JsonObject *vk_policy_to_json (const VkPolicy *policy);
