/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/xml-edit.h"

#include "base/error.h"

gboolean
vk_xml_check_value (const char *value, const char *what, GError **error)
{
  gboolean fits = value == NULL || g_utf8_validate (value, -1, NULL);

  for (const char *at = value; fits && at != NULL && *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);

      fits = (c >= 0x20 || c == '\t' || c == '\n' || c == '\r') && c != 0xfffe && c != 0xffff;
    }
  if (!fits)
    {
      g_autofree char *escaped = g_strescape (value, NULL);

      vk_fail (error, VK_ERROR_REFUSED, "%s, \"%s\", holds a byte or character that no XML document can hold", what, escaped);
    }
  return fits;
}

static gboolean
has_only_elements (xmlNode *node)
{
  gboolean elements = FALSE;

  for (xmlNode *child = node->children; child != NULL; child = child->next)
    {
      if (child->type == XML_ELEMENT_NODE)
        elements = TRUE;
      else if (child->type != XML_COMMENT_NODE && !xmlIsBlankNode (child))
        return FALSE;
    }
  return elements;
}

void
vk_xml_strip_indentation (xmlNode *node)
{
  gboolean only_elements = has_only_elements (node);
  xmlNode *next = NULL;

  for (xmlNode *child = node->children; child != NULL; child = next)
    {
      next = child->next;
      if (child->type == XML_ELEMENT_NODE)
        vk_xml_strip_indentation (child);
      else if (only_elements && xmlIsBlankNode (child))
        vk_xml_remove (child);
    }
}

void
vk_xml_remove (xmlNode *node)
{
  xmlUnlinkNode (node);
  xmlFreeNode (node);
}

void
vk_xml_remove_all (xmlNode *node, const char *expression)
{
  g_autoptr (GPtrArray) found = vk_xml_find_all (node, expression);

  for (guint i = 0; i < found->len; i++)
    {
      xmlNode *each = g_ptr_array_index (found, i);

      if (each->type == XML_ATTRIBUTE_NODE)
        xmlRemoveProp ((xmlAttr *) each);
      else
        vk_xml_remove (each);
    }
}

void
vk_xml_set_attribute (xmlNode *element, const char *name, const char *value)
{
  xmlSetProp (element, BAD_CAST name, BAD_CAST value);
}

void
vk_xml_set_text (xmlNode *element, const char *text)
{
  while (element->children != NULL)
    vk_xml_remove (element->children);
  /* Not xmlNodeSetContent(), which would take & for the start of an entity. */
  xmlAddChild (element, xmlNewDocText (element->doc, BAD_CAST text));
}
