/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Restore points of a domain that does not exist, made as a backup makes them. */
#pragma once

#include "store/store.h"

#define TEST_DOMAIN "guest"
#define TEST_DOMAIN_UUID "6a2b0c3f-8f0f-4d0e-9d86-0d1b8c5b7a11"

/* The text of the file "domain.xml" of such a point. */
#define TEST_DOMAIN_XML "<domain><name>guest</name></domain>\n"

/* Backs up length bytes of disk as the disk "vda" into store; dir is for what is
 * needed meanwhile.  Returns: (transfer full) the point, as it is listed. */
VkPoint *test_back_up (VkStore *store, const char *dir, const guint8 *disk, gsize length);
