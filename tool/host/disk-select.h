/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which disks of a domain a backup takes, and why not the others. */
#pragma once

#include "host/domain-xml.h"

/* Decides part and reason of each disk.  only and excluded are NULL or
 * NULL-terminated lists of disk targets (--disk, --exclude).
 * Errors, before anything was started: VK_ERROR_NOT_FOUND for a target that the
 * domain does not have (the message lists those it has), VK_ERROR_REFUSED for
 * one in only that cannot be taken or copied (the message says why), for a
 * target in both lists, and when nothing is left to take. */
gboolean vk_domain_xml_select_disks (VkDomainXml *domain, const char *const *only, const char *const *excluded, GError **error);

/* "excluded", "cdrom", ... : stable words. */
const char *vk_left_out_word (VkLeftOutReason reason);

/* What follows "vda is left out: ", e.g. "it is a CD-ROM (name it with --disk
 * to copy its image)". */
const char *vk_left_out_sentence (VkLeftOutReason reason);

/* "taken", "copied", "left-out": stable words. */
const char *vk_disk_part_word (VkDiskPart part);
