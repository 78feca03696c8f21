/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sink that makes chunks of what a transfer reads and gives them to a saver. */
#pragma once

#include "store/restic/chunks.h"
#include "store/restic/saver.h"
#include "transfer/sink.h"

/* A disk on its way into the repository. */
typedef struct
{
  char *target;        /* "vda", for messages */
  VkChunks chunks;
  VkContent *base;     /* where the chunks come from that are not put, or NULL: all are */
  VkContent *content;  /* the disk, once the sink has finished; NULL before */
  guint64 content_bytes; /* sum of the lengths of its blobs */
  guint64 bytes_added; /* of chunks that the repository did not have */
} VkResticDisk;

/* The sink holds some chunks in memory, 8 MiB or at least four, whatever the
 * size of the disk; beside them the ids of what has been put.
 * stop is cancelled when the sink is abandoned: it has to be the saver's.  disk
 * and saver must outlive the sink.  Returns: (transfer full). */
VkSink *vk_restic_sink_new (VkResticDisk *disk, VkResticSaver *saver, GCancellable *stop);
