/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Restore points that run as domains without being restored first: each disk is
 * an overlay on the point, which is read through a door that lives as long as the
 * domain's QEMU holds it open. */
#pragma once

#include <gio/gio.h>

#include "host/host.h"
#include "report/reporter.h"
#include "store/store.h"

typedef struct
{
  const char *name;        /* of the domain; NULL: the point's when it is free, otherwise one made from it */
  guint64 memory;          /* bytes; 0: as the point has it */
  const char *network;     /* "none" (also NULL): the links are down; "same"; or the name of a libvirt network */
  const char *overlay_dir; /* NULL: in the directory of the boot's state */
  gboolean isolated;       /* a new identity always; no host devices, shared directories, host sockets, or listening display */
  gboolean autodestroy;    /* libvirt ends the domain when our connection to it ends, however that happens */
  gboolean paused;         /* started, but no instruction is run: vk_boot_resume() */
  const char *console_log; /* absolute path of a new file that gets what the guest writes to its first serial port (one is
                              added when there is none), or NULL */
} VkBootRequest;

/* A domain that was started from a restore point. */
typedef struct
{
  char *name;
  char *uuid;
  char *point;         /* name of the restore point */
  char *store_id;
  char *directory;     /* with the state of the boot; root's */
  char *overlays;      /* directory with overlays and copied files, QEMU's user's */
  char *nvram;         /* path of the copy of the firmware variables, or NULL */
  char *uri;           /* of the libvirt connection */
  char *finishing;     /* directory that its disks are being moved to, or NULL */
  GHashTable *disks;   /* target -> path of the overlay (char *) */
  GPtrArray *warnings; /* of char *: what the domain lacks of what the point has */
} VkBoot;

void vk_boot_free (VkBoot *boot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkBoot, vk_boot_free)

/* Starts a transient domain from the point.  The point is only read, and any number of
 * boots of it may run.  After a failure nothing is left, nor, but for the
 * directories, which vk_boot_find_stray() finds, after virt-keep was killed.
 * VK_ERROR_REFUSED for a name that is taken, a host that is not this one;
 * VK_ERROR_NOT_FOUND for a network; VK_ERROR_STORE; VK_LIBVIRT_ERROR.
 * Returns: (transfer full), when the domain runs (or is paused, as asked). */
VkBoot *vk_boot_start (VkHost *host, VkStore *store, const VkPoint *point, const VkBootRequest *request, VkReporter *reporter, GCancellable *cancellable, GError **error);

/* Lets the processors of a domain that was started paused run. */
gboolean vk_boot_resume (VkHost *host, const VkBoot *boot, GError **error);

/* The boot whose domain is, or was, called name.  VK_ERROR_REFUSED for a domain that is
 * none, VK_ERROR_NOT_FOUND when there is neither.
 * Returns: (transfer full); disks and warnings are empty. */
VkBoot *vk_boot_find (VkHost *host, const char *name, GError **error);

/* Ends the domain of that name, which must be a boot, and removes what was made for
 * it; also when the domain has ended already. */
gboolean vk_boot_discard (VkHost *host, const char *name, GError **error);

/* Moves the running domain, a boot, to permanent disks DIRECTORY/TARGET.qcow2
 * while it runs, and defines it.  Afterwards it is a domain as any other.  After a
 * failure, or when virt-keep was killed, it still is a boot that runs, and the same
 * can be asked for again: disks that have been moved are not moved twice.
 * VK_ERROR_REFUSED for files in the way, and for a domain that does not run. */
gboolean vk_boot_finish (VkHost *host, const char *name, const char *directory, VkReporter *reporter, GCancellable *cancellable, GError **error);

/* What is left of boots whose domains are gone. */
typedef struct
{
  char *directory; /* of the boot's state; it need not be there any more */
  char *name;      /* of its domain, or NULL when that is not known */
  char *point;     /* or NULL, as above */
  GArray *doors;   /* of pid_t: door processes that still run */
} VkBootStray;

void vk_boot_stray_free (VkBootStray *stray);

/* Returns: (transfer full) of VkBootStray. */
GPtrArray *vk_boot_find_stray (VkHost *host, GError **error);

/* Ends the doors and removes the files, overlays and what was written to them
 * included. */
gboolean vk_boot_remove_stray (const VkBootStray *stray, GError **error);
