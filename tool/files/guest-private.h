/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What guest.c (mounting), guest-list.c and guest-copy.c share. */
#pragma once

#include "files/fish.h"
#include "files/guest.h"

struct VkGuest
{
  struct VkExport *export;
  char *directory; /* private, for what guestfish writes to files */
  VkFish *fish;
};

/* What is at path, symbolic links not followed.  Returns: (transfer full), or NULL
 * as vk_guest_list(). */
VkGuestFile *vk_guest_stat (VkGuest *guest, const char *path, GCancellable *cancellable, GError **error);

/* Where path leads, all symbolic links followed.  Returns: (transfer full). */
char *vk_guest_resolve (VkGuest *guest, const char *path, GCancellable *cancellable, GError **error);
