/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Templates with holes, written ${name}; host/backup-xml.h says what they can do. */
#pragma once

#include <glib.h>

/* A row of values goes with a list of names; NULL is a hole without a value. */
typedef struct
{
  const char *file;                /* "domainbackup-push.xml" */
  const char *schema;              /* "domainbackup.rng" */
  const char *const *names;        /* NULL-terminated: holes known everywhere */
  const char *const *values;       /* theirs */
  const char *const *disk_names;   /* NULL-terminated: holes known in the element repeated for each disk taken */
  GPtrArray *taken;                /* of const char **: a row of values for each of them */
  GPtrArray *left_out;             /* of const char *: targets */
  const char *const *needed;       /* NULL-terminated: holes that a template cannot do without; NULL: none */
} VkXmlTemplate;

/* Reads the template (from templates_dir, when that is not NULL and has it),
 * fills it, and, when it is not a built-in one, validates the result against
 * the schema in schema_dir.
 * VK_ERROR_REFUSED with file and line, or with the name of the directory or of
 * the value that is wrong.
 * Returns: (transfer full) the document, or NULL. */
char *vk_xml_template_build (const VkXmlTemplate *what, const char *templates_dir, const char *schema_dir, GError **error);
