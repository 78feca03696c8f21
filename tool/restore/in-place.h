/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domain whose own disks are restored. */
#pragma once

#include "host/domain-xml.h"
#include "host/host.h"
#include "store/store.h"

typedef struct
{
  virDomainPtr domain;
  VkDomainXml *xml;    /* inactive */
  VkPointWriter *lock; /* keeps backups of the domain into the store away; NULL where the store cannot be written to */
} VkInPlace;

/* Finds the point's domain, which has to be shut off on this machine, by its UUID, and
 * locks it in the store.
 * Returns: (transfer full), or NULL with VK_ERROR_NOT_FOUND, VK_ERROR_BUSY,
 * VK_ERROR_REFUSED. */
VkInPlace *vk_in_place_open (VkHost *host, VkStore *store, const VkPoint *point, GCancellable *cancellable, GError **error);
void vk_in_place_close (VkInPlace *in_place);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkInPlace, vk_in_place_close)

/* VK_ERROR_REFUSED when the domain runs. */
gboolean vk_in_place_check_off (const VkInPlace *in_place, GError **error);
