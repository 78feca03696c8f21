/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A boot on its way: start.c says in which order, the others do it. */
#pragma once

#include "boot/boot-private.h"

typedef struct
{
  VkHost *host;
  VkStore *store;
  const VkPoint *point;
  const VkBootRequest *request;
  VkReporter *reporter;
  GCancellable *cancellable;
  VkBoot *boot;
  char *document;      /* of the original, as the point has it */
  gboolean beside;     /* the original is defined here, or the boot is to be none of it: another identity */
  gboolean has_user;   /* QEMU runs as: */
  guint uid, gid;
  int lock;            /* on the boot's directory, or -1 */
  GHashTable *sockets; /* target -> path of the door's socket */
  GHashTable *copied;  /* target -> path of a copied medium */
  GHashTable *files;   /* role -> path of a copied file */
  GPtrArray *doors;    /* of VkLastingDoor */
} VkBootStart;

/* Chooses name and UUID, makes the directories and writes all that down. */
gboolean vk_boot_reserve (VkBootStart *start, GError **error);

/* Opens the doors, and makes the overlays and copies of files meanwhile. */
gboolean vk_boot_prepare (VkBootStart *start, GError **error);
