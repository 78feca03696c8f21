/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What saver.c (blobs) and saver-pack.c (packs and index files) share. */
#pragma once

#include "store/restic/pack.h"
#include "store/restic/saver.h"

enum { BLOB_TYPES = VK_BLOB_TREE + 1 };

struct VkResticSaver
{
  VkRestic *repo;
  VkResticSaverOptions options; /* with every default filled in */
  GCancellable *cancellable;
  gulong cancel_handler;
  GThreadPool *workers;
  GThreadPool *uploaders;

  GMutex lock;              /* over what follows */
  GCond changed;            /* a count went down, or there is a failure */
  guint queued;             /* blobs that the workers have not done with */
  guint packs;              /* that are open, or on their way: each has memory */
  guint uploading;          /* of those, the ones that the uploaders have not done with */
  GHashTable *pending;      /* of VkPackBlob (id and type), those that are in no index file yet */
  VkPackBuilder *open[BLOB_TYPES]; /* or NULL */
  GPtrArray *idle;          /* of VkPackBuilder, empty ones; NULL when none are kept any more */
  GPtrArray *unindexed;     /* of VkIndexPack, durable */
  guint unindexed_blobs;    /* in those */
  GError *failure;          /* the first one: nothing goes on after it */
  VkResticSaverStats stats;
};

/* Takes failure, the first of which ends everything.  Returns FALSE. */
gboolean vk_saver_fail (VkResticSaver *saver, GError *failure);

/* With the lock held: FALSE with the first failure. */
gboolean vk_saver_check_locked (VkResticSaver *saver, GError **error);

/* Seals content, of blob->length - VK_SEAL_OVERHEAD bytes, into the open pack of its type. */
gboolean vk_saver_append (VkResticSaver *saver, VkPackBlob *blob, const void *content, GError **error);

/* Puts a sealed blob there; takes over sealed. */
gboolean vk_saver_append_array (VkResticSaver *saver, VkPackBlob *blob, GByteArray *sealed, GError **error);

/* Runs on the threads of the pool of uploaders. */
void vk_saver_run_upload (gpointer upload, gpointer saver);

/* Stores the open packs and lists everything in index files. */
gboolean vk_saver_flush_packs (VkResticSaver *saver, GError **error);
