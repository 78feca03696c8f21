/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "domain-samples.h"

#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>

xmlRelaxNG *
samples_load_schema (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (xmlRelaxNG) schema = NULL;

  if (!g_file_test (LIBVIRT_SCHEMA_DIR "/domain.rng", G_FILE_TEST_EXISTS))
    {
      g_test_message ("samples are not validated: libvirt's schemas are not in " LIBVIRT_SCHEMA_DIR);
      return NULL;
    }
  schema = vk_xml_schema_load (LIBVIRT_SCHEMA_DIR, "domain.rng", &error);
  g_assert_no_error (error);
  return g_steal_pointer (&schema);
}

static char *
read_file (const char *path)
{
  char *text = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static void
sample_free (gpointer data)
{
  Sample *sample = data;

  g_free (sample->path);
  g_free (sample->xml);
  g_free (sample);
}

static char *
without_suffix (const char *text)
{
  return g_strndup (text, strlen (text) - strlen (".xml"));
}

void
samples_add_tests (const char *prefix, xmlRelaxNG *schema, GTestDataFunc test)
{
  g_autofree char *directory = g_test_build_filename (G_TEST_DIST, "samples", NULL);
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const char *entry = NULL;
  guint count = 0;

  g_assert_nonnull (dir);
  while ((entry = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (directory, entry, NULL);
      g_autofree char *name = NULL;
      g_autofree char *test_path = NULL;
      Sample *sample = NULL;

      if (!g_str_has_suffix (entry, ".xml"))
        continue;
      name = without_suffix (entry);
      test_path = g_strdup_printf ("%s/%s", prefix, name);
      sample = g_new0 (Sample, 1);
      sample->xml = read_file (path);
      sample->path = g_steal_pointer (&path);
      sample->schema = schema;
      g_test_add_data_func_full (test_path, sample, test, sample_free);
      count++;
    }
  g_assert_cmpuint (count, >, 0);
}

/* The lines of NAME.expected that begin with word, without it. */
static char *
expected_lines (const Sample *sample, const char *word)
{
  g_autofree char *stem = without_suffix (sample->path);
  g_autofree char *expected_path = g_strconcat (stem, ".expected", NULL);
  g_autofree char *text = read_file (expected_path);
  g_autofree char *prefix = g_strconcat (word, " ", NULL);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  GString *found = g_string_new (NULL);

  for (gsize i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], prefix))
      g_string_append_printf (found, "%s\n", lines[i] + strlen (prefix));
  return g_string_free (found, FALSE);
}

void
samples_compare (const Sample *sample, const char *word, const char *text)
{
  g_autofree char *expected = expected_lines (sample, word);

  g_assert_cmpstr (text, ==, expected);
}

static gboolean
schema_is_too_old (const Sample *sample)
{
  g_autofree char *version = expected_lines (sample, "schema");
  unsigned int major = 0, minor = 0;
  unsigned long have = 0;

  if (version[0] == '\0')
    return FALSE;
  g_assert_cmpint (sscanf (version, "%u.%u", &major, &minor), ==, 2);
  g_assert_cmpint (virGetVersion (&have, NULL, NULL), ==, 0);
  return have < major * 1000000UL + minor * 1000UL;
}

void
samples_validate (const Sample *sample, const char *xml)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (xmlDoc) doc = vk_xml_parse (xml, sample->path, &error);

  g_assert_no_error (error);
  if (sample->schema == NULL || schema_is_too_old (sample))
    {
      g_test_message ("not validated: libvirt's schema here is missing or older than the sample");
      return;
    }
  vk_xml_schema_check (sample->schema, doc, sample->path, &error);
  g_assert_no_error (error);
}
