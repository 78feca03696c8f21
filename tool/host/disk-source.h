/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a disk's data is, for people and as a path. */
#pragma once

#include "base/xml.h"

/* The source of a <disk> element as text for people: a path,
 * "rbd:POOL/IMAGE@HOST:PORT,HOST:PORT", "nbd:EXPORT@unix:/path",
 * "https://HOST/PATH", "volume:POOL/VOLUME", "nvme:0000:01:00.0/1".  Never holds
 * anything secret (user names, query strings, cookies).
 * Returns: (transfer full), or NULL when the drive is empty. */
char *vk_disk_source_describe (xmlNode *disk);

/* The path of a disk of type file or block.  Returns: (transfer full) or NULL. */
char *vk_disk_source_path (xmlNode *disk);
