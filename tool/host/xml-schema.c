/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/xml-schema.h"

#include "base/error.h"
#include "base/xml-edit.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlRelaxNGParserCtxt, xmlRelaxNGFreeParserCtxt)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlRelaxNGValidCtxt, xmlRelaxNGFreeValidCtxt)

/* The first complaint of libxml2 about a schema or document; the line is that
 * of the first complaint that has one. */
struct complaint
{
  char *words;
  int line;
};

#if LIBXML_VERSION >= 21200
typedef const xmlError ComplaintSource;
#else
typedef xmlError ComplaintSource;
#endif

static void
keep_first_complaint (void *data, ComplaintSource *source)
{
  struct complaint *complaint = data;

  if (complaint->words == NULL)
    complaint->words = g_strchomp (g_strdup (source->message ? source->message : "no reason given"));
  if (complaint->line == 0)
    complaint->line = source->line;
}

xmlRelaxNG *
vk_xml_schema_load (const char *directory, const char *file, GError **error)
{
  g_autofree char *path = g_build_filename (directory, file, NULL);
  g_autoptr (xmlRelaxNGParserCtxt) parser = NULL;
  g_autoptr (xmlRelaxNG) schema = NULL;
  struct complaint complaint = { NULL, 0 };
  xmlStructuredErrorFunc usual_handler = xmlStructuredError;
  void *usual_data = xmlStructuredErrorContext;

  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
    {
      vk_fail (error, VK_ERROR_REFUSED, "libvirt's schema %s, which templates are checked against, is missing: install the package that has it (Debian: libvirt0, Fedora: libvirt-libs) or do without --templates", path);
      return NULL;
    }
  parser = xmlRelaxNGNewParserCtxt (path);
  xmlRelaxNGSetParserStructuredErrors (parser, keep_first_complaint, &complaint);
  /* The parser reads included files with this thread's handler, not its own. */
  xmlSetStructuredErrorFunc (&complaint, keep_first_complaint);
  schema = xmlRelaxNGParse (parser);
  xmlSetStructuredErrorFunc (usual_data, usual_handler);
  if (schema == NULL)
    vk_fail (error, VK_ERROR_REFUSED, "%s cannot be read as a RELAX NG schema: %s", path, complaint.words ? complaint.words : "no reason given");
  g_free (complaint.words);
  return g_steal_pointer (&schema);
}

static gboolean
is_valid (xmlRelaxNG *schema, xmlDoc *doc, struct complaint *complaint)
{
  g_autoptr (xmlRelaxNGValidCtxt) context = xmlRelaxNGNewValidCtxt (schema);

  xmlRelaxNGSetValidStructuredErrors (context, keep_first_complaint, complaint);
  return xmlRelaxNGValidateDoc (context, doc) == 0;
}

/* One element of a template may stand in the filled document many times; its
 * name and line are what they share. */
struct suspect
{
  const xmlChar *name;
  long line;
  const xmlChar *attribute; /* NULL: the whole element */
};

static gboolean
is_suspect (const xmlNode *node, const struct suspect *suspect)
{
  return xmlStrEqual (node->name, suspect->name) && xmlGetLineNo (node) == suspect->line;
}

static void
remove_suspect (xmlNode *node, const struct suspect *suspect)
{
  xmlNode *next = NULL;

  for (xmlNode *child = node->children; child != NULL; child = next)
    {
      next = child->next;
      if (child->type != XML_ELEMENT_NODE)
        continue;
      if (suspect->attribute == NULL && is_suspect (child, suspect))
        vk_xml_remove (child);
      else
        remove_suspect (child, suspect);
    }
  if (suspect->attribute != NULL && is_suspect (node, suspect))
    xmlUnsetProp (node, suspect->attribute);
}

static gboolean
is_valid_without (xmlRelaxNG *schema, xmlDoc *doc, const struct suspect *suspect)
{
  g_autoptr (xmlDoc) copy = xmlCopyDoc (doc, 1);
  struct complaint complaint = { NULL, 0 };
  gboolean valid = FALSE;

  remove_suspect (xmlDocGetRootElement (copy), suspect);
  valid = is_valid (schema, copy, &complaint);
  g_free (complaint.words);
  return valid;
}

/* Finds the smallest thing below node without which the document is valid:
 * children come before their parents, attributes before their elements. */
static gboolean
find_culprit (xmlRelaxNG *schema, xmlNode *node, GHashTable *tried, struct suspect *culprit)
{
  struct suspect suspect = { node->name, xmlGetLineNo (node), NULL };
  g_autofree char *key = g_strdup_printf ("%ld %s", suspect.line, (const char *) node->name);

  if (!g_hash_table_add (tried, g_steal_pointer (&key)))
    return FALSE;
  for (xmlNode *child = node->children; child != NULL; child = child->next)
    if (child->type == XML_ELEMENT_NODE && find_culprit (schema, child, tried, culprit))
      return TRUE;
  for (xmlAttr *attribute = node->properties; attribute != NULL; attribute = attribute->next)
    {
      suspect.attribute = attribute->name;
      *culprit = suspect;
      if (is_valid_without (schema, node->doc, &suspect))
        return TRUE;
    }
  suspect.attribute = NULL;
  *culprit = suspect;
  return node->parent->type == XML_ELEMENT_NODE && is_valid_without (schema, node->doc, &suspect);
}

/* An element that is nothing but a wrapper around one other is not what is
 * wrong, even though the schema demands that it has something in it. */
static void
look_into_wrapper (xmlNode *node, struct suspect *culprit)
{
  xmlNode *child = xmlFirstElementChild (node);

  if (culprit->attribute == NULL && is_suspect (node, culprit) && node->properties == NULL && child != NULL && xmlNextElementSibling (child) == NULL)
    {
      culprit->name = child->name;
      culprit->line = xmlGetLineNo (child);
    }
  for (; child != NULL; child = xmlNextElementSibling (child))
    look_into_wrapper (child, culprit);
}

gboolean
vk_xml_schema_check (xmlRelaxNG *schema, xmlDoc *doc, const char *name, GError **error)
{
  g_autoptr (GHashTable) tried = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  struct complaint complaint = { NULL, 0 };
  struct suspect culprit = { NULL, 0, NULL };
  xmlNode *root = xmlDocGetRootElement (doc);
  gboolean valid = is_valid (schema, doc, &complaint);

  if (!valid && find_culprit (schema, root, tried, &culprit))
    {
      look_into_wrapper (root, &culprit);
      if (culprit.attribute != NULL)
        vk_fail (error, VK_ERROR_REFUSED, "%s:%ld: attribute '%s' of element '%s' is not what libvirt's schema allows here", name, culprit.line, (const char *) culprit.attribute, (const char *) culprit.name);
      else
        vk_fail (error, VK_ERROR_REFUSED, "%s:%ld: element '%s' is not what libvirt's schema allows here", name, culprit.line, (const char *) culprit.name);
    }
  else if (!valid)
    {
      vk_fail (error, VK_ERROR_REFUSED, "%s:%d: libvirt's schema does not allow this: %s", name, complaint.line, complaint.words ? complaint.words : "no reason given");
    }
  g_free (complaint.words);
  return valid;
}
