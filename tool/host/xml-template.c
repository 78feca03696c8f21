/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/xml-template.h"

#include <gio/gio.h>
#include <string.h>

#include "base/error.h"
#include "base/xml-edit.h"
#include "host/xml-schema.h"
#include "templates-resource.h"

#define RESOURCE_PREFIX "/virt-keep/xml-templates/"
#define TAKEN_HOLE "disk"
#define LEFT_OUT_HOLE "left-out-disk"

/* Holes and their values in one part of the document. */
struct scope
{
  const char *file;                 /* for messages */
  const char *const *names;
  const char *const *values;        /* NULL: none of them has a value */
  const struct scope *outer;        /* NULL: there is none around it */
};

/* Finds the value of the hole name; FALSE when there is no such hole. */
static gboolean
look_up (const struct scope *scope, const char *name, const char **value)
{
  for (; scope != NULL; scope = scope->outer)
    for (gsize i = 0; scope->names[i] != NULL; i++)
      if (strcmp (scope->names[i], name) == 0)
        {
          *value = scope->values ? scope->values[i] : NULL;
          return TRUE;
        }
  return FALSE;
}

static char *
list_holes (const struct scope *scope)
{
  GString *text = g_string_new (NULL);

  for (; scope != NULL; scope = scope->outer)
    for (gsize i = 0; scope->names[i] != NULL; i++)
      g_string_append_printf (text, "%s${%s}", text->len > 0 ? ", " : "", scope->names[i]);
  return g_string_free (text, FALSE);
}

static gboolean
refuse_hole (const struct scope *scope, const char *name, long line, GError **error)
{
  g_autofree char *known = list_holes (scope);

  vk_fail (error, VK_ERROR_REFUSED, "%s:%ld: there is no hole ${%s} here; %s%s",
               scope->file, line, name, known[0] != '\0' ? "there are " : "there are none", known);
  return FALSE;
}

/* Fills the holes in text.  *filled is NULL when one of them has no value. */
static gboolean
fill_text (const char *text, const struct scope *scope, long line, char **filled, GError **error)
{
  g_autoptr (GString) result = g_string_new (NULL);
  gboolean complete = TRUE;
  const char *start = NULL;

  for (; (start = strstr (text, "${")) != NULL; )
    {
      const char *end = strchr (start, '}');
      g_autofree char *name = end ? g_strndup (start + 2, end - start - 2) : NULL;
      const char *value = NULL;

      if (name == NULL)
        return vk_fail (error, VK_ERROR_REFUSED, "%s:%ld: a hole begins with ${ but no } ends it", scope->file, line);
      if (!look_up (scope, name, &value))
        return refuse_hole (scope, name, line, error);
      if (!vk_xml_check_value (value, name, error))
        return FALSE;
      complete = complete && value != NULL;
      g_string_append_len (result, text, start - text);
      g_string_append (result, value ? value : "");
      text = end + 1;
    }
  g_string_append (result, text);
  *filled = complete ? g_strdup (result->str) : NULL;
  return TRUE;
}

static gboolean
fill_attributes (xmlNode *element, const struct scope *scope, GError **error)
{
  xmlAttr *next = NULL;

  for (xmlAttr *attribute = element->properties; attribute != NULL; attribute = next)
    {
      xmlChar *value = xmlNodeListGetString (element->doc, attribute->children, 1);
      g_autofree char *text = g_strdup (value ? (const char *) value : "");
      g_autofree char *filled = NULL;

      next = attribute->next;
      xmlFree (value);
      if (strstr (text, "${") == NULL)
        continue;
      if (!fill_text (text, scope, xmlGetLineNo (element), &filled, error))
        return FALSE;
      if (filled != NULL)
        xmlSetNsProp (element, attribute->ns, attribute->name, BAD_CAST filled);
      else
        xmlRemoveProp (attribute);
    }
  return TRUE;
}

/* The prototypes are filled on their own, once for each disk. */
struct prototypes
{
  xmlNode *taken;
  xmlNode *left_out;
};

static gboolean
contains (const xmlNode *element, const xmlNode *other)
{
  while (other != NULL && other != element)
    other = other->parent;
  return other != NULL;
}

/* Fills element and what is below it, except the prototypes.  *keep is FALSE
 * when the text of element is a hole without a value. */
static gboolean
fill_element (xmlNode *element, const struct scope *scope, const struct prototypes *except, gboolean *keep, GError **error)
{
  xmlNode *next = NULL;

  *keep = TRUE;
  if (!fill_attributes (element, scope, error))
    return FALSE;
  for (xmlNode *child = element->children; child != NULL; child = next)
    {
      gboolean is_text = child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE;
      gboolean keep_child = TRUE;

      next = child->next;
      if (is_text && child->content != NULL && strstr ((const char *) child->content, "${") != NULL)
        {
          g_autofree char *filled = NULL;

          if (!fill_text ((const char *) child->content, scope, xmlGetLineNo (element), &filled, error))
            return FALSE;
          *keep = *keep && filled != NULL;
          xmlNodeSetContent (child, BAD_CAST (filled ? filled : ""));
        }
      if (child->type == XML_ELEMENT_NODE && child != except->taken && child != except->left_out
          && !fill_element (child, scope, except, &keep_child, error))
        return FALSE;
      if (!keep_child && (contains (child, except->taken) || contains (child, except->left_out)))
        *keep = FALSE;
      else if (!keep_child)
        vk_xml_remove (child);
    }
  return TRUE;
}

/* fill_element() where there is no dropping the element. */
static gboolean
fill_whole (xmlNode *element, const struct scope *scope, const struct prototypes *except, GError **error)
{
  gboolean keep = TRUE;

  if (!fill_element (element, scope, except, &keep, error))
    return FALSE;
  if (!keep)
    vk_fail (error, VK_ERROR_REFUSED, "%s:%ld: a hole without a value would drop element '%s' or one in it that each disk needs", scope->file, xmlGetLineNo (element), (const char *) element->name);
  return keep;
}

/* The one element whose name attribute is ${hole}. */
static xmlNode *
find_prototype (xmlDoc *doc, const char *hole, const char *file, GError **error)
{
  g_autofree char *expression = g_strdup_printf ("*//*[@name='${%s}']", hole);
  xmlNode *root = xmlDocGetRootElement (doc);
  g_autoptr (GPtrArray) found = vk_xml_find_all ((xmlNode *) doc, expression);
  xmlNode *last = found->len > 0 ? g_ptr_array_index (found, found->len - 1) : root;

  if (found->len == 1)
    return last;
  vk_fail (error, VK_ERROR_REFUSED, "%s:%ld: one element is to have the attribute name='${%s}', and %u have",
               file, xmlGetLineNo (last), hole, found->len);
  return NULL;
}

/* Puts a filled copy of prototype in front of it, for one disk. */
static gboolean
add_disk (xmlNode *prototype, const struct scope *scope, GError **error)
{
  static const struct prototypes none = { NULL, NULL };

  return fill_whole (xmlAddPrevSibling (prototype, xmlDocCopyNode (prototype, prototype->doc, 1)), scope, &none, error);
}

/* Takes a prototype away, after a look at its holes: no disk may have needed it. */
static gboolean
finish_prototype (xmlNode *prototype, struct scope *scope, GError **error)
{
  static const struct prototypes none = { NULL, NULL };
  gboolean keep = TRUE;

  scope->values = NULL;
  if (!fill_element (prototype, scope, &none, &keep, error))
    return FALSE;
  vk_xml_remove (prototype);
  return TRUE;
}

static gboolean
add_disks (const VkXmlTemplate *what, const struct prototypes *prototypes, const struct scope *outer, GError **error)
{
  static const char *const left_out_names[] = { LEFT_OUT_HOLE, NULL };
  struct scope taken = { outer->file, what->disk_names, NULL, outer };
  struct scope left_out = { outer->file, left_out_names, NULL, outer };

  for (guint i = 0; i < what->taken->len; i++)
    {
      taken.values = g_ptr_array_index (what->taken, i);
      if (!add_disk (prototypes->taken, &taken, error))
        return FALSE;
    }
  for (guint i = 0; i < what->left_out->len; i++)
    {
      const char *target = g_ptr_array_index (what->left_out, i);

      left_out.values = &target;
      if (!add_disk (prototypes->left_out, &left_out, error))
        return FALSE;
    }
  return finish_prototype (prototypes->taken, &taken, error) && finish_prototype (prototypes->left_out, &left_out, error);
}

static gboolean
fill_document (xmlDoc *doc, const VkXmlTemplate *what, const char *file, GError **error)
{
  xmlNode *root = xmlDocGetRootElement (doc);
  struct scope scope = { file, what->names, what->values, NULL };
  struct prototypes prototypes = { NULL, NULL };

  /* They explain the template, not the document. */
  vk_xml_remove_all ((xmlNode *) doc, "//comment()");
  vk_xml_strip_indentation (root);
  prototypes.taken = find_prototype (doc, TAKEN_HOLE, file, error);
  prototypes.left_out = prototypes.taken ? find_prototype (doc, LEFT_OUT_HOLE, file, error) : NULL;
  if (prototypes.left_out == NULL)
    return FALSE;
  if (contains (prototypes.taken, prototypes.left_out) || contains (prototypes.left_out, prototypes.taken))
    return vk_fail (error, VK_ERROR_REFUSED, "%s:%ld: the elements for disks taken and for disks left out cannot be inside one another", file, xmlGetLineNo (prototypes.left_out));
  return fill_whole (root, &scope, &prototypes, error) && add_disks (what, &prototypes, &scope, error);
}

static gboolean
is_there (const char *path)
{
  return g_file_test (path, G_FILE_TEST_EXISTS) || g_file_test (path, G_FILE_TEST_IS_SYMLINK);
}

/* The path of the file that replaces a built-in template, or NULL with or
 * without an error. */
static char *
find_replacement (const char *file, const char *templates_dir, GError **error)
{
  g_autofree char *path = g_build_filename (templates_dir, file, NULL);
  g_auto (GStrv) built_in = g_resource_enumerate_children (vk_templates_get_resource (), RESOURCE_PREFIX, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
  g_autofree char *names = g_strjoinv (", ", built_in);

  if (is_there (path))
    return g_steal_pointer (&path);
  for (gsize i = 0; built_in[i] != NULL; i++)
    {
      g_autofree char *other = g_build_filename (templates_dir, built_in[i], NULL);

      if (is_there (other))
        return NULL;
    }
  if (!g_file_test (templates_dir, G_FILE_TEST_IS_DIR))
    vk_fail (error, VK_ERROR_REFUSED, "the template directory %s is not a directory that can be read", templates_dir);
  else
    vk_fail (error, VK_ERROR_REFUSED, "the template directory %s holds none of the files that it could replace: %s", templates_dir, names);
  return NULL;
}

/* The first needed hole that stands nowhere in the template, or NULL: what libvirt
 * is told would then not be what was set up. */
static const char *
find_missing (xmlDoc *doc, const VkXmlTemplate *what)
{
  for (gsize i = 0; what->needed != NULL && what->needed[i] != NULL; i++)
    {
      g_autofree char *expression = g_strdup_printf ("//@*[contains(., '${%s}')] | //text()[contains(., '${%s}')]", what->needed[i], what->needed[i]);

      if (vk_xml_find (xmlDocGetRootElement (doc), expression) == NULL)
        return what->needed[i];
    }
  return NULL;
}

static gboolean
refuse_missing (xmlDoc *doc, const char *name, const char *path, GError **error)
{
  xmlNode *root = xmlDocGetRootElement (doc);

  return vk_fail (error, VK_ERROR_REFUSED, "%s:%ld: nothing in element '%s' has the hole ${%s}, which a backup needs", path, xmlGetLineNo (root), (const char *) root->name, name);
}

static xmlDoc *
load_replacement (const char *path, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) reason = NULL;
  g_autoptr (xmlDoc) doc = NULL;

  /* A pipe would be waited for. */
  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
    {
      vk_fail (error, VK_ERROR_REFUSED, "the template %s is not a regular file", path);
      return NULL;
    }
  if (!g_file_get_contents (path, &text, NULL, &reason))
    {
      vk_fail (error, VK_ERROR_REFUSED, "the template cannot be read: %s", reason->message);
      return NULL;
    }
  doc = vk_xml_parse (text, path, &reason);
  if (doc == NULL)
    g_set_error_literal (error, VK_ERROR, VK_ERROR_REFUSED, reason->message);
  return g_steal_pointer (&doc);
}

static xmlDoc *
load_built_in (const char *file, GError **error)
{
  g_autofree char *path = g_strconcat (RESOURCE_PREFIX, file, NULL);
  g_autoptr (GBytes) bytes = g_resource_lookup_data (vk_templates_get_resource (), path, G_RESOURCE_LOOKUP_FLAGS_NONE, error);

  /* GResource puts a NUL behind the data. */
  return bytes ? vk_xml_parse (g_bytes_get_data (bytes, NULL), file, error) : NULL;
}

static gboolean
validate (xmlDoc *doc, const VkXmlTemplate *what, const char *path, const char *schema_dir, GError **error)
{
  g_autoptr (xmlRelaxNG) schema = vk_xml_schema_load (schema_dir, what->schema, error);

  return schema != NULL && vk_xml_schema_check (schema, doc, path, error);
}

char *
vk_xml_template_build (const VkXmlTemplate *what, const char *templates_dir, const char *schema_dir, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *replacement = templates_dir ? find_replacement (what->file, templates_dir, &failure) : NULL;
  g_autoptr (xmlDoc) doc = NULL;
  const char *missing = NULL;

  if (failure == NULL)
    doc = replacement ? load_replacement (replacement, &failure) : load_built_in (what->file, &failure);
  if (doc == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  missing = replacement ? find_missing (doc, what) : NULL;
  if (!fill_document (doc, what, replacement ? replacement : what->file, error))
    return NULL;
  if (replacement != NULL && !validate (doc, what, replacement, schema_dir, error))
    return NULL;
  if (missing != NULL && !refuse_missing (doc, missing, replacement, error))
    return NULL;
  return vk_xml_to_string (doc);
}
