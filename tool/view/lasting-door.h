/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door that outlives virt-keep: qemu-nbd or nbdkit in a session of its own, which
 * ends by itself as soon as nobody is connected to it any more.  Its first client is
 * ours, so that until a domain's QEMU is connected, too, it ends when we do; and before
 * it has taken us in, a guard sees to that (see base/process.h): however virt-keep ends,
 * the door does not stay behind. */
#pragma once

#include "view/nbd-server.h"

typedef struct VkLastingDoor VkLastingDoor;

typedef struct
{
  const char *directory; /* whose door it is: stands as VK_DOOR_VARIABLE in the environment of the process */
  const char *socket;    /* path that is made, short enough for sun_path */
  const char *log;       /* path of a new file for what the server says */
  gboolean has_owner;    /* the socket is given to this user: */
  guint uid, gid;
} VkDoorPlace;

/* Starts a door to chain[0], see vk_nbd_server_read(), and does not wait for it.
 * held: of int, descriptors that are to be open as long as the door is.
 * Returns: (transfer full), or NULL with VK_ERROR_STORE, VK_ERROR_REFUSED set. */
VkLastingDoor *vk_lasting_door_read (const char *const *chain, const GArray *held, const VkDoorPlace *place, GError **error);

/* The same for a file of a restic repository, see vk_nbd_server_restic(): the
 * server holds a lock of its own and keeps it fresh. */
VkLastingDoor *vk_lasting_door_restic (const VkNbdResticFile *file, const char *name, const VkDoorPlace *place, GError **error);

/* Waits until the door serves a disk of size bytes.  VK_ERROR_STORE with what the
 * server said. */
gboolean vk_lasting_door_wait (VkLastingDoor *door, guint64 size, GCancellable *cancellable, GError **error);

/* Leaves the door, which ends unless somebody else is connected. */
void vk_lasting_door_free (VkLastingDoor *door);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkLastingDoor, vk_lasting_door_free)

#define VK_DOOR_VARIABLE "VIRT_KEEP_DOOR"

/* The doors of this user that run.  directory NULL: any; otherwise those of that one.
 * owners (may be NULL) gets (transfer full) the directory of each.
 * Returns: (transfer full) of pid_t. */
GArray *vk_lasting_door_find (const char *directory, GPtrArray *owners);

/* Waits until the doors of directory have ended: grace seconds for their doing it by
 * themselves, then they are ended.  FALSE with VK_ERROR_FAILED when one cannot be. */
gboolean vk_lasting_door_end_all (const char *directory, guint grace, GError **error);
