/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/nbd-read.h"

#include <errno.h>

static int
on_chunk (void *user_data, const void *data G_GNUC_UNUSED, size_t length, uint64_t offset G_GNUC_UNUSED, unsigned status, int *error G_GNUC_UNUSED)
{
  VkNbdRead *read = user_data;

  if (status != LIBNBD_READ_ERROR)
    read->seen += length;
  return 0;
}

gint64
vk_nbd_read_start (VkNbdRead *read, struct nbd_handle *nbd, void *buffer, gsize length, guint64 offset, nbd_completion_callback completion)
{
  nbd_chunk_callback chunk = { .callback = on_chunk, .user_data = read };

  read->wanted += length;
  return nbd_aio_pread_structured (nbd, buffer, length, offset, chunk, completion, 0);
}

int
vk_nbd_read_failure (const VkNbdRead *read, int error)
{
  return error == 0 && read->seen != read->wanted ? EPROTO : error;
}
