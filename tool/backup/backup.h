/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The backup of one domain, step by step, as the manual describes it: the one
 * room that knows host, transfer and store. */
#pragma once

#include <gio/gio.h>

#include "backup/server.h"
#include "host/host.h"
#include "report/reporter.h"
#include "store/store.h"

typedef enum
{
  VK_MODE_PUSH, /* QEMU writes the images */
  VK_MODE_PULL, /* QEMU exports the disks over NBD, we read them */
} VkBackupMode;

typedef enum
{
  VK_LEVEL_FULL,
  VK_LEVEL_COPY,         /* full, without a checkpoint */
  VK_LEVEL_INCREMENTAL,  /* what changed since the newest point */
  VK_LEVEL_DIFFERENTIAL, /* what changed since the newest full */
  VK_LEVEL_AUTO,         /* incremental where that is sound, else full */
} VkBackupLevel;

typedef enum
{
  VK_QUIESCE_AUTO,    /* freeze when the guest agent answers */
  VK_QUIESCE_REQUIRE, /* no backup without */
  VK_QUIESCE_NEVER,
} VkQuiesce;

/* The words of --mode, --level and --quiesce, in the order of the enums. */
extern const char *const vk_mode_words[];
extern const char *const vk_quiesce_words[];
extern const char *const vk_level_words[];

/* How many points may build on each other before --level auto makes a full one. */
enum { VK_DEFAULT_MAX_CHAIN = 60 };

typedef struct
{
  const char *domain;             /* name, UUID or id */
  VkBackupMode mode;
  VkBackupLevel level;
  const char *const *disks;       /* only these targets, or NULL */
  const char *const *excluded;    /* not these targets, or NULL */
  VkQuiesce quiesce;
  const char *const *freeze_mounts; /* where the file systems that are frozen are mounted in the guest; NULL: all */
  guint freeze_limit;             /* seconds that they are frozen at most */
  const char *hook_dir;           /* programs to be run, or NULL */
  guint hook_limit;               /* seconds that one of them may take */
  VkServerRequest server;         /* pull: how the disks come to us */
  const char *scratch_dir;        /* pull: where QEMU keeps what the guest overwrites, or NULL */
  const char *templates_dir;      /* or NULL */
  gboolean use_monitor;           /* ask QEMU through monitor passthrough */
  gboolean start_paused;          /* a domain that is shut off is started, paused, for the backup */
  gboolean allow_full;            /* a full where an incremental that was asked for is not possible */
  gboolean paranoid;              /* check the digests of what an incremental builds on */
  guint max_chain;                /* points; auto makes a full then */
  gboolean synthetic_full;        /* auto makes it then in the store, of the chain and an incremental */
  guint64 max_rate;               /* bytes per second that are read or written, of all disks together; 0: no limit */
  GHashTable *max_rates;          /* the same of single disks: target to guint64; NULL: of none */
  gboolean has_scratch_reserve;
  guint64 scratch_reserve;        /* pull: bytes that are to stay free where scratch_dir is; 0: any */
  const char *room_dir;           /* where there has to be room for everything that is moved, before it begins; NULL: that is not looked at */
  gboolean has_threshold;
  guint64 threshold;              /* bytes; nothing is done when less would be moved */
} VkBackupRequest;

/* What one disk's next backup would move. */
typedef struct
{
  char *target;
  char *level;       /* "full", "incremental" or "differential" */
  char *reason;      /* why it would be full, or NULL */
  guint64 bytes;
} VkEstimate;

void vk_estimate_free (VkEstimate *estimate);

/* Finds out what a backup would do, and changes nothing: neither the guest nor
 * libvirt nor the store.  manifest is filled in as far as it is known.
 * Returns: (transfer full) of VkEstimate. */
GPtrArray *vk_backup_estimate_run (VkHost *host, VkStore *store, const VkBackupRequest *request, VkReporter *reporter, VkManifest *manifest, GCancellable *cancellable, GError **error);

/* The backup of one domain.  Each has connections to libvirt and to the store of its own. */
typedef struct
{
  VkHost *host;
  VkStore *store;
  VkBackupRequest request;
  VkReporter *reporter;
  VkManifest *manifest; /* given empty, filled in as the facts become known, so that a failure can be
                           reported too; what was stored when there is a new point */
  gboolean stored;      /* there is a new point */
  const char *place;    /* the URL by which the store was asked for; NULL: that is not known */
} VkBackupTask;

/* How far apart the instants of several domains are. */
typedef struct
{
  guint64 begin_milliseconds;  /* from the first to the last begin */
  guint64 frozen_milliseconds; /* from the first order to freeze until all were thawed */
} VkBackupSpread;

/* Backs up the domains at one instant: all are frozen, all jobs begun, all thawed, and then the disks
 * copied, one domain after the other.  When anything fails until all are copied, no point is stored, the guests run on,
 * nothing of the points is left in the stores, and the new checkpoints are deleted again.
 * VK_ERROR_UNCHANGED when less than the threshold would be moved.
 * VK_ERROR_FROZEN when a guest may still be frozen, whether points were stored or not.
 * The process must be allowed to be stopped through cancellable only. */
gboolean vk_backup_run (VkBackupTask *tasks, guint n, VkBackupSpread *spread, GCancellable *cancellable, GError **error);
