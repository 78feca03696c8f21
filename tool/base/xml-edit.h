/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes to a libxml2 tree that every document we write needs. */
#pragma once

#include "base/xml.h"

/* Whether value can stand in an XML document at all: UTF-8, without control
 * characters.  VK_ERROR_REFUSED with a sentence that begins with what ("the
 * path of disk vda") and holds the value; NULL is accepted. */
gboolean vk_xml_check_value (const char *value, const char *what, GError **error);

/* Removes the white space between elements below node, so that
 * vk_xml_to_string() indents what was added like what was there. */
void vk_xml_strip_indentation (xmlNode *node);

/* Unlinks and frees a node. */
void vk_xml_remove (xmlNode *node);

/* Removes the nodes that expression selects; none of them may be inside
 * another. */
void vk_xml_remove_all (xmlNode *node, const char *expression);

/* Sets an attribute; value is plain text, nothing in it needs escaping. */
void vk_xml_set_attribute (xmlNode *element, const char *name, const char *value);

/* Makes text, plain as above, the only content of element. */
void vk_xml_set_text (xmlNode *element, const char *text);
