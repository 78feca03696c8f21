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

/* Whether libvirt knows the checkpoint. */
gboolean vk_checkpoint_exists (virDomainPtr domain, const char *name);

/* What has changed since: disk target -> bytes (guint64 *), for each disk
 * whose bitmap is there and healthy.  libvirt leaves the size out for one that
 * is not, without an error.
 * Returns: (transfer full), or NULL with VK_LIBVIRT_ERROR set. */
GHashTable *vk_checkpoint_sizes (virDomainPtr domain, const char *name, GError **error);

/* The same from the checkpoint's document, which errors call name.  NULL with
 * VK_ERROR_FAILED when it is no XML. */
GHashTable *vk_checkpoint_parse_sizes (const char *text, const char *name, GError **error);

/* Defines the checkpoint of that name anew from its saved XML, after libvirt has found
 * its bitmaps good (VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE). */
gboolean vk_checkpoint_redefine (virDomainPtr domain, const char *name, const char *xml, GError **error);

/* The XML for that: without the parent, which may be gone from libvirt and says nothing
 * about the bitmap.  The XML comes from a store: of another checkpoint it is refused.
 * Returns: (transfer full) or NULL with VK_ERROR_STORE or VK_ERROR_FAILED set. */
char *vk_checkpoint_prepare_redefine (const char *xml, const char *name, GError **error);
