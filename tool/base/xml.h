/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxml2 with GLib's manners: automatic clean-up, errors as GError, and no
 * entity expansion or network access for documents that are not ours. */
#pragma once

#include <glib.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlXPathContext, xmlXPathFreeContext)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlXPathObject, xmlXPathFreeObject)

/* Parses text (UTF-8, NUL-terminated).  name is what error messages call the
 * document, e.g. a path.  A document type declaration is refused: no libvirt
 * document has one, and entities are how XML attacks its reader.
 * Returns: (transfer full) the document, or NULL with VK_ERROR_FAILED set to
 * a sentence with name and line. */
xmlDoc *vk_xml_parse (const char *text, const char *name, GError **error);

/* The nodes that expression selects below (and relative to) node, in document
 * order.  The expression must be valid XPath 1.0 of ours.
 * Returns: (transfer container) of xmlNode *, possibly empty. */
GPtrArray *vk_xml_find_all (xmlNode *node, const char *expression);

/* The first such node, or NULL. */
xmlNode *vk_xml_find (xmlNode *node, const char *expression);

/* The text of the first node (element, attribute or text) that expression
 * selects.  Returns: (transfer full) or NULL when there is none. */
char *vk_xml_text (xmlNode *node, const char *expression);

/* The value of an attribute without namespace of an element.
 * Returns: (transfer full) or NULL. */
char *vk_xml_attribute (xmlNode *element, const char *name);

/* The document as UTF-8 text with indentation.  Returns: (transfer full). */
char *vk_xml_to_string (xmlDoc *doc);
