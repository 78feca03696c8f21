/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One writer a domain: whoever makes, merges or removes restore points of a
 * domain holds its lock.  Readers need none. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* The name of the file in the directory. */
#define VK_DOMAIN_LOCK "lock"

typedef struct VkDomainLock VkDomainLock;

/* Locks the domain whose directory this is; it is made, with mode, if it is missing.
 * domain_name is for messages.
 * Returns: (transfer full), or NULL with VK_ERROR_BUSY, VK_ERROR_STORE. */
VkDomainLock *vk_domain_lock_take (const char *directory, int mode, const char *domain_name, GError **error);

/* Whether somebody holds the lock there, without taking it or making anything; *holder
 * (transfer full) is then "process 4711", or "another process". */
gboolean vk_domain_lock_is_held (const char *directory, char **holder);

/* Gives it back; a domain's directory that holds nothing else goes, too. */
void vk_domain_lock_release (VkDomainLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkDomainLock, vk_domain_lock_release)
