/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A proof for programs, for people, and as files. */
#pragma once

#include "prove/prove.h"

/* Adds the members that virt-keep-json(5) documents to object. */
void vk_proof_fill_json (JsonObject *object, const VkProof *proof, const GPtrArray *expectations);

/* Appends what people want to know: indented lines. */
void vk_proof_append_text (GString *text, const VkProof *proof, const GPtrArray *expectations);

/* Writes NAME.json (the members of object), NAME.log (a copy of console_log) and, when
 * there is one, NAME.png into directory, in the place of what an earlier proof of the same
 * restore point has left there.  name is that of the point. */
gboolean vk_proof_save (const char *directory, const char *name, const VkProof *proof, const char *console_log, JsonObject *object, GError **error);
