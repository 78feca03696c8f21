/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a verification of a repository has found, put into words: a damage to a file
 * of the repository once, with all that it concerns. */
#pragma once

#include "store/restic/blob-check.h"
#include "store/store.h"

typedef struct VkDamageList VkDamageList;

/* What is found is added to damages (of VkDamage), which must outlive the list.
 * Returns: (transfer full). */
VkDamageList *vk_damage_list_new (GPtrArray *damages);

/* Finishes the damages: they are complete only then. */
void vk_damage_list_free (VkDamageList *list);

/* Something is wrong with the point itself. */
void vk_damage_list_add_point (VkDamageList *list, const VkPoint *point, const char *message);

/* The fault concerns the bytes from start to end (exclusive) of that file of the point;
 * start and end are equal when it is not known which. */
void vk_damage_list_add_fault (VkDamageList *list, const VkPoint *point, const char *file, const VkBlobFault *fault, guint64 start, guint64 end);
