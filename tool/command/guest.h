/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ls and get share. */
#pragma once

#include "command/command.h"
#include "files/guest.h"

/* Called with the file systems of the point mounted. */
typedef gboolean (*VkGuestFunc) (VkInvocation *invocation, VkGuest *guest, const char *point_name, VkReporter *reporter, GCancellable *cancellable, GError **error);

typedef struct
{
  const char *disk;       /* as vk_guest_open() has them */
  const char *filesystem;
  VkProgressStyle style;
  VkGuestFunc look;
} VkGuestRequest;

/* Opens the point that is the first argument, and calls look. */
gboolean vk_look_into_point (VkInvocation *invocation, const VkGuestRequest *request, GError **error);

/* path from the root of the file systems.  Returns: (transfer full). */
char *vk_guest_path (const char *path);
