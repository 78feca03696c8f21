/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process that watches over a backup job, since the job goes on when virt-keep is
 * killed or hangs: a pull job's scratch file then grows until QEMU pauses the guest, and
 * a push job writes on for nobody.  It only ever ends the job, thaws
 * the file systems that were frozen for it, and lets a guest go on that the job has
 * paused: checkpoints and files are for the next backup. */
#pragma once

#include <gio/gio.h>

typedef struct VkGuard VkGuard;

/* What the guard is to know. */
typedef struct
{
  const char *uri;              /* as given to libvirt, or NULL */
  gboolean at_once;             /* it connects to libvirt as it starts: what that takes is not certain to be there later */
  const char *domain;           /* UUID */
  const char *const *files;     /* NULL-terminated: of the job, by which it is told to be ours */
  const char *scratch_dir;      /* pull, or NULL */
  guint64 scratch_reserve;      /* bytes; it acts below half of them.  0: it does not look */
  gboolean guest_ran;           /* before the job */
} VkGuardOrder;

/* Starts the process, without waiting for it.  Returns: (transfer full), or NULL with
 * VK_ERROR_FAILED set. */
VkGuard *vk_guard_start (const VkGuardOrder *order, GError **error);

/* Says that libvirt is about to be asked for the job, that it has said no, and that the job has
 * begun.  guard may be NULL here and below. */
void vk_guard_tell_beginning (VkGuard *guard);
void vk_guard_tell_refused (VkGuard *guard);
void vk_guard_tell_begun (VkGuard *guard);

/* Whether it has ended the job for lack of room. */
gboolean vk_guard_has_acted (VkGuard *guard);

/* Why it cannot do its work, such as no connection to libvirt, or NULL.  (transfer none) */
const char *vk_guard_failure (VkGuard *guard);

/* The job has ended: so does the guard. */
void vk_guard_dismiss (VkGuard *guard);

/* The process itself: reads its order from descriptor 0, and returns when there is
 * nothing more to do.  FALSE with VK_ERROR_USAGE when no order comes. */
gboolean vk_guard_run (GError **error);
