/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The backup of one domain, step by step, as the manual describes it: the one
 * room that knows host, transfer and store. */
#pragma once

#include <gio/gio.h>

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
  VK_LEVEL_COPY, /* full, without a checkpoint */
  VK_LEVEL_AUTO,
} VkBackupLevel;

/* The words of --mode and --level, in the order of the enums. */
extern const char *const vk_mode_words[];
extern const char *const vk_level_words[];

typedef struct
{
  const char *domain;             /* name, UUID or id */
  VkBackupMode mode;
  VkBackupLevel level;
  const char *const *disks;       /* only these targets, or NULL */
  const char *const *excluded;    /* not these targets, or NULL */
  const char *scratch_dir;        /* pull: where QEMU keeps what the guest overwrites, or NULL */
  const char *templates_dir;      /* or NULL */
  gboolean use_monitor;           /* ask QEMU through monitor passthrough */
} VkBackupRequest;

/* Backs up the domain into store.  manifest, given empty, is filled in as the
 * facts become known, so that a failed backup can be reported too; on success
 * it is what was stored.  On failure the guest runs on, nothing of the point
 * is left in the store, and the new checkpoint is deleted again.
 * The process must be allowed to be stopped through cancellable only. */
gboolean vk_backup_run (VkHost *host, VkStore *store, const VkBackupRequest *request, VkReporter *reporter, VkManifest *manifest, GCancellable *cancellable, GError **error);
