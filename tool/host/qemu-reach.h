/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a domain's QEMU can get at a directory on this machine.  It runs as a user of
 * its own, which needs search permission on the directory and on all above it; and a
 * QEMU that runs has a mount namespace of its own, in which a file system that was
 * mounted after its start does not appear. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct
{
  gboolean has_user; /* FALSE: uid and gid are not known, and not looked at */
  guint uid;
  guint gid;
  const char *uuid;  /* of the domain, while it runs; NULL: there is no process to look at */
} VkQemuReach;

/* Why it cannot get at directory, which exists, as a sentence, and in *advice (transfer
 * full) what to do.  NULL when nothing speaks against it, which is also the answer where
 * we are not allowed to find out.
 * Returns: (transfer full). */
char *vk_qemu_describe_obstacle (const VkQemuReach *reach, const char *directory, char **advice);

/* The process of the domain with this UUID on this machine, 0 when there is none to be
 * seen. */
pid_t vk_qemu_find_process (const char *uuid);
