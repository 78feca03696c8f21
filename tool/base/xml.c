/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/xml.h"

#include <string.h>

#include "base/error.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlParserCtxt, xmlFreeParserCtxt)

/* Entities are in their declaration: without it nothing can refer to one, or swell. */
static void
refuse_doctype (void *context, G_GNUC_UNUSED const xmlChar *name, G_GNUC_UNUSED const xmlChar *external_id, G_GNUC_UNUSED const xmlChar *system_id)
{
  xmlParserCtxt *parser = context;

  *(gboolean *) parser->_private = TRUE;
  xmlStopParser (parser);
}

xmlDoc *
vk_xml_parse (const char *text, const char *name, GError **error)
{
  g_autoptr (xmlParserCtxt) context = xmlNewParserCtxt ();
  g_autoptr (xmlDoc) doc = NULL;
  size_t length = strlen (text);
  gboolean has_doctype = FALSE;

  if (length > G_MAXINT)
    {
      vk_fail (error, VK_ERROR_FAILED, "%s: more than 2 GiB is not a document that is read here", name);
      return NULL;
    }
  context->sax->internalSubset = refuse_doctype;
  context->_private = &has_doctype;
  doc = xmlCtxtReadMemory (context, text, (int) length, name, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
  if (has_doctype)
    {
      vk_fail (error, VK_ERROR_FAILED, "%s: a document type declaration is not accepted here", name);
      return NULL;
    }
  if (doc == NULL)
    {
      const xmlError *last = xmlCtxtGetLastError (context);
      g_autofree char *words = g_strdup (last && last->message ? last->message : "not an XML document");

      vk_fail (error, VK_ERROR_FAILED, "%s:%d: %s", name, last ? last->line : 0, g_strchomp (words));
      return NULL;
    }
  return g_steal_pointer (&doc);
}

GPtrArray *
vk_xml_find_all (xmlNode *node, const char *expression)
{
  GPtrArray *found = g_ptr_array_new ();
  g_autoptr (xmlXPathContext) context = xmlXPathNewContext (node->doc);
  g_autoptr (xmlXPathObject) object = NULL;

  context->node = node;
  object = xmlXPathEvalExpression (BAD_CAST expression, context);
  g_assert (object != NULL);
  if (object->nodesetval != NULL)
    for (int i = 0; i < object->nodesetval->nodeNr; i++)
      g_ptr_array_add (found, object->nodesetval->nodeTab[i]);
  return found;
}

xmlNode *
vk_xml_find (xmlNode *node, const char *expression)
{
  g_autoptr (GPtrArray) found = vk_xml_find_all (node, expression);

  return found->len > 0 ? g_ptr_array_index (found, 0) : NULL;
}

/* libxml2 allocates with its own allocator; callers here free with g_free(). */
static char *
take_xml_string (xmlChar *text)
{
  char *copy = g_strdup ((const char *) text);

  xmlFree (text);
  return copy;
}

char *
vk_xml_text (xmlNode *node, const char *expression)
{
  xmlNode *found = vk_xml_find (node, expression);

  return found ? take_xml_string (xmlNodeGetContent (found)) : NULL;
}

char *
vk_xml_attribute (xmlNode *element, const char *name)
{
  xmlChar *value = xmlGetNoNsProp (element, BAD_CAST name);

  return value ? take_xml_string (value) : NULL;
}

char *
vk_xml_to_string (xmlDoc *doc)
{
  xmlChar *text = NULL;
  int length = 0;

  xmlDocDumpFormatMemoryEnc (doc, &text, &length, "UTF-8", 1);
  return take_xml_string (text);
}
