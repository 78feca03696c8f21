/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What writing and reading a stream have in common. */
#pragma once

#include "stream/stream.h"

#define VK_STREAM_MANIFEST "manifest.json"
#define VK_STREAM_SUMS "SHA256SUMS"

typedef struct
{
  const char *name;   /* the manifest's, as is sha256 */
  const char *sha256;
  guint64 size;       /* bytes */
} VkStreamMember;

/* What belongs to manifest, in the order of the stream, after checking that it can be in one.
 * Returns: (transfer full) an array of VkStreamMember, or NULL with VK_ERROR_STORE. */
GArray *vk_stream_members (const VkManifest *manifest, GError **error);

/* What SHA256SUMS has to say: a line for the manifest, whose text is given, and one for each of
 * members, as sha256sum(1) reads them.  Returns: (transfer full). */
char *vk_stream_sums (const char *manifest_text, const GArray *members);
