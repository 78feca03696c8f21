/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validation against libvirt's RNG schemas, with messages that name the line
 * that is wrong: libxml2's own often name an element far above it. */
#pragma once

#include <libxml/relaxng.h>

#include "base/xml.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlRelaxNG, xmlRelaxNGFree)

/* Reads directory/file, e.g. "domainbackup.rng".  VK_ERROR_REFUSED when it is
 * missing (the sentence names the package that has it) or not a schema.
 * Returns: (transfer full) or NULL. */
xmlRelaxNG *vk_xml_schema_load (const char *directory, const char *file, GError **error);

/* Whether schema allows doc.  VK_ERROR_REFUSED otherwise, with a sentence that
 * begins "NAME:LINE: ". */
gboolean vk_xml_schema_check (xmlRelaxNG *schema, xmlDoc *doc, const char *name, GError **error);
