/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads whose replies are checked for being whole. */
#pragma once

#include <glib.h>
#include <libnbd.h>

/* One read, or some that are judged together.  Starts as { 0 }, and stays where it is
 * until the last of them is complete. */
typedef struct
{
  guint64 wanted; /* bytes */
  guint64 seen;   /* bytes that were sent */
} VkNbdRead;

/* nbd_aio_pread() that counts in read what is sent.
 * Returns: libnbd's cookie, or -1. */
gint64 vk_nbd_read_start (VkNbdRead *read, struct nbd_handle *nbd, void *buffer, gsize length, guint64 offset, nbd_completion_callback completion);

/* What has become of it once all is complete with error, an errno or 0.  libnbd takes a
 * structured reply that ends before all was sent for a good one: that is EPROTO here.
 * Returns: an errno, or 0. */
int vk_nbd_read_failure (const VkNbdRead *read, int error);
