/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt checkpoints of ours: the dirty bitmaps that later backups start
 * from.  What is not named like ours is never touched. */
#pragma once

#include "host/host.h"

/* "virt-keep-STOREID-POINTID".  Returns: (transfer full). */
char *vk_checkpoint_name (const char *store_id, const char *point_id);

/* The names of this store's checkpoints of domain, oldest first.
 * Returns: (transfer full), or NULL with VK_LIBVIRT_ERROR set. */
GPtrArray *vk_checkpoint_list (virDomainPtr domain, const char *store_id, GError **error);

/* Deletes the checkpoint and its bitmaps; where libvirt refuses because a
 * bitmap is broken or missing already, at least what libvirt remembers of it.
 * One that does not exist is success. */
gboolean vk_checkpoint_delete (virDomainPtr domain, const char *name, GError **error);

/* The checkpoint's XML without the domain in it, fit for a later redefinition.
 * Returns: (transfer full), or NULL with VK_LIBVIRT_ERROR set. */
char *vk_checkpoint_xml (virDomainPtr domain, const char *name, GError **error);
