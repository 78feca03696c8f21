/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "host/backup-xml.h"
#include "host/xml-schema.h"
#include "host/xml-template.h"

#define CHECKPOINT "virt-keep-0a1b2c3d-20261123T181400Z"
#define ODD "/a<b>&amp; 'c' \"d\" \xc3\xa9 ${disk}\t"

/* A directory for templates or schemas, removed with what is in it. */
typedef struct
{
  char *path;
} Directory;

static void
directory_clear (Directory *directory)
{
  GDir *dir = g_dir_open (directory->path, 0, NULL);
  const char *name = NULL;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (directory->path, name, NULL);

      g_remove (path);
    }
  g_clear_pointer (&dir, g_dir_close);
  g_rmdir (directory->path);
  g_free (directory->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Directory, directory_clear)

static void
directory_init (Directory *directory)
{
  directory->path = g_dir_make_tmp ("virt-keep-XXXXXX", NULL);
  g_assert_nonnull (directory->path);
}

static char *
put_file (const Directory *directory, const char *name, const char *text)
{
  char *path = g_build_filename (directory->path, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  return path;
}

static const VkBackupXmlDisk disks[] = {
  { .disk = "vda", .target_file = "/s/vda.qcow2", .target_format = "qcow2", .scratch_file = "/t/vda.scratch", .export_name = "vda" },
  { .disk = "sda", .left_out = TRUE },
  { .disk = "vdb", .target_file = "/s/vdb.qcow2", .target_format = "qcow2", .scratch_file = "/t/vdb.scratch", .export_name = "vdb", .incremental = CHECKPOINT },
};

static const VkCheckpointXmlDisk checkpoint_disks[] = { { "vda", TRUE }, { "sda", FALSE }, { "vdb", TRUE } };

static const VkBackupXml push = { .disks = disks, .n_disks = G_N_ELEMENTS (disks) };
static const VkBackupXml pull = { .pull = TRUE, .socket = "/run/s", .disks = disks, .n_disks = G_N_ELEMENTS (disks) };
static const VkCheckpointXml checkpoint = { .name = CHECKPOINT, .description = "made by virt-keep", .disks = checkpoint_disks, .n_disks = G_N_ELEMENTS (checkpoint_disks) };

static void
validate (const char *text, const char *schema_file)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (xmlDoc) doc = NULL;
  g_autoptr (xmlRelaxNG) schema = NULL;

  if (!g_file_test (LIBVIRT_SCHEMA_DIR "/domainbackup.rng", G_FILE_TEST_EXISTS))
    {
      g_test_message ("not validated: libvirt's schemas are not in " LIBVIRT_SCHEMA_DIR);
      return;
    }
  doc = vk_xml_parse (text, "filled", &error);
  g_assert_no_error (error);
  schema = vk_xml_schema_load (LIBVIRT_SCHEMA_DIR, schema_file, &error);
  g_assert_no_error (error);
  vk_xml_schema_check (schema, doc, "filled", &error);
  g_assert_no_error (error);
}

static char *
build (const VkBackupXml *backup, const char *templates_dir)
{
  g_autoptr (GError) error = NULL;
  char *text = vk_backup_xml_build (backup, templates_dir, &error);

  g_assert_no_error (error);
  validate (text, "domainbackup.rng");
  return text;
}

static char *
build_checkpoint (const VkCheckpointXml *what, const char *templates_dir)
{
  g_autoptr (GError) error = NULL;
  char *text = vk_checkpoint_xml_build (what, templates_dir, &error);

  g_assert_no_error (error);
  validate (text, "domaincheckpoint.rng");
  return text;
}

#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static void
test_push (void)
{
  g_autofree char *text = build (&push, NULL);

  g_assert_cmpstr (text, ==,
                   DECLARATION "<domainbackup mode=\"push\">\n  <disks>\n"
                   "    <disk name=\"vda\" backup=\"yes\" type=\"file\" backupmode=\"full\">\n      <target file=\"/s/vda.qcow2\"/>\n      <driver type=\"qcow2\"/>\n    </disk>\n"
                   "    <disk name=\"vdb\" backup=\"yes\" type=\"file\" backupmode=\"incremental\" incremental=\"" CHECKPOINT "\">\n      <target file=\"/s/vdb.qcow2\"/>\n      <driver type=\"qcow2\"/>\n    </disk>\n"
                   "    <disk name=\"sda\" backup=\"no\"/>\n  </disks>\n</domainbackup>\n");
}

static void
test_pull (void)
{
  g_autofree char *text = build (&pull, NULL);

  g_assert_cmpstr (text, ==,
                   DECLARATION "<domainbackup mode=\"pull\">\n  <server transport=\"unix\" socket=\"/run/s\"/>\n  <disks>\n"
                   "    <disk name=\"vda\" backup=\"yes\" type=\"file\" backupmode=\"full\" exportname=\"vda\">\n      <scratch file=\"/t/vda.scratch\"/>\n      <driver type=\"qcow2\"/>\n    </disk>\n"
                   "    <disk name=\"vdb\" backup=\"yes\" type=\"file\" backupmode=\"incremental\" incremental=\"" CHECKPOINT "\" exportname=\"vdb\">\n      <scratch file=\"/t/vdb.scratch\"/>\n      <driver type=\"qcow2\"/>\n    </disk>\n"
                   "    <disk name=\"sda\" backup=\"no\"/>\n  </disks>\n</domainbackup>\n");
}

static void
test_checkpoint (void)
{
  g_autofree char *text = build_checkpoint (&checkpoint, NULL);
  VkCheckpointXml undescribed = checkpoint;
  g_autofree char *shorter = NULL;

  g_assert_cmpstr (text, ==,
                   DECLARATION "<domaincheckpoint>\n  <name>" CHECKPOINT "</name>\n  <description>made by virt-keep</description>\n  <disks>\n"
                   "    <disk name=\"vda\" checkpoint=\"bitmap\"/>\n    <disk name=\"vdb\" checkpoint=\"bitmap\"/>\n    <disk name=\"sda\" checkpoint=\"no\"/>\n  </disks>\n</domaincheckpoint>\n");
  undescribed.description = NULL;
  shorter = build_checkpoint (&undescribed, NULL);
  g_assert_null (strstr (shorter, "<description"));
}

/* Any number of disks of each kind. */
static void
test_counts (void)
{
  VkBackupXmlDisk many[40] = { { NULL } };
  char targets[G_N_ELEMENTS (many)][8];
  VkBackupXml backup = { .disks = many };

  for (gsize i = 0; i < G_N_ELEMENTS (many); i++)
    {
      g_snprintf (targets[i], sizeof targets[i], "sd%c%c", (char) ('a' + i / 26), (char) ('a' + i % 26));
      many[i].disk = targets[i];
      many[i].target_file = "/f";
      many[i].target_format = "raw";
      many[i].scratch_file = "/f";
      many[i].export_name = "e";
      many[i].left_out = i % 3 == 1;
    }
  backup.socket = "/run/s";
  for (backup.n_disks = 1; backup.n_disks <= G_N_ELEMENTS (many); backup.n_disks += 13)
    for (backup.pull = 0; backup.pull <= 1; backup.pull++)
      {
        g_autofree char *text = build (&backup, NULL);
        g_auto (GStrv) parts = g_strsplit (text, "<disk name=\"sd", -1);

        g_assert_cmpuint (g_strv_length (parts), ==, backup.n_disks + 1);
      }
}

/* What goes in comes out, whatever it is; holes in values are not filled. */
static void
test_odd_values (void)
{
  const VkBackupXmlDisk odd[] = { { .disk = "vda", .target_file = ODD, .target_format = "qcow2", .scratch_file = ODD, .export_name = ODD } };
  const VkBackupXml backup = { .pull = TRUE, .socket = ODD, .disks = odd, .n_disks = 1 };
  VkCheckpointXml described = checkpoint;
  g_autofree char *text = build (&backup, NULL);
  g_autoptr (xmlDoc) doc = vk_xml_parse (text, "filled", NULL);
  xmlNode *root = xmlDocGetRootElement (doc);
  g_autofree char *socket = vk_xml_text (root, "server/@socket");
  g_autofree char *scratch = vk_xml_text (root, "disks/disk/scratch/@file");
  g_autofree char *export = vk_xml_text (root, "disks/disk/@exportname");
  g_autofree char *checkpoint_text = NULL;
  g_autoptr (xmlDoc) checkpoint_doc = NULL;
  g_autofree char *description = NULL;

  described.description = ODD;
  checkpoint_text = build_checkpoint (&described, NULL);
  checkpoint_doc = vk_xml_parse (checkpoint_text, "filled", NULL);
  description = vk_xml_text (xmlDocGetRootElement (checkpoint_doc), "description");
  g_assert_cmpstr (socket, ==, ODD);
  g_assert_cmpstr (scratch, ==, ODD);
  g_assert_cmpstr (export, ==, ODD);
  g_assert_cmpstr (description, ==, ODD);
}

static void
test_impossible_values (void)
{
  static const char *const values[] = { "/\xff", "/\x01", "/\xc3", "/\xed\xa0\x80", "/\xef\xbf\xbf" };

  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    {
      const VkBackupXmlDisk disk = { .disk = "vda", .target_file = values[i], .target_format = "qcow2" };
      const VkBackupXml backup = { .disks = &disk, .n_disks = 1 };
      g_autoptr (GError) error = NULL;

      g_assert_null (vk_backup_xml_build (&backup, NULL, &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
      g_assert_nonnull (strstr (error->message, "target-file, \"/\\"));
    }
}

/* A push template line by line, so that what is wrong has a known line. */
#define LINE_1 "<domainbackup mode='push'>\n"
#define LINE_2 "  <disks>\n"
#define LINE_3 "    <disk name='${disk}' backup='yes' type='file' backupmode='${backupmode}' incremental='${incremental}'>\n"
#define LINE_4 "      <target file='${target-file}'/>\n"
#define LINE_5 "      <driver type='${target-format}'/>\n"
#define LINE_6 "    </disk>\n"
#define LINE_7 "    <disk name='${left-out-disk}' backup='no'/>\n"
#define LINE_8 "  </disks>\n</domainbackup>\n"

static const struct { const char *text; const char *words; } bad_templates[] = {
  { "", "domainbackup-push.xml:" },
  { "<domainbackup", "domainbackup-push.xml:1: " },
  { LINE_1 LINE_2 LINE_3 LINE_4 "  </disk>\n" LINE_6, "domainbackup-push.xml:" },
  { "<!DOCTYPE domainbackup [<!ENTITY x 'y'>]>\n" LINE_1 LINE_2 LINE_3 LINE_4 LINE_5 LINE_6 LINE_7 LINE_8, "document type declaration" },
  { LINE_1 LINE_2 LINE_3 LINE_4 LINE_5 LINE_6 LINE_8, ":1: one element is to have the attribute name='${left-out-disk}', and 0 have" },
  { LINE_1 LINE_2 LINE_7 LINE_8, ":1: one element is to have the attribute name='${disk}', and 0 have" },
  { LINE_1 LINE_2 LINE_3 LINE_4 LINE_5 LINE_6 LINE_7 LINE_7 LINE_8, ":8: one element is to have the attribute name='${left-out-disk}', and 2 have" },
  { LINE_1 LINE_2 LINE_3 LINE_7 LINE_4 LINE_5 LINE_6 LINE_8, ":4: the elements for disks taken and for disks left out cannot be inside one another" },
  { LINE_1 LINE_2 LINE_3 "<target file='${target_file}'/>\n" LINE_5 LINE_6 LINE_7 LINE_8, ":4: there is no hole ${target_file} here; there are ${disk}, ${backupmode}, ${incremental}, ${target-file}, ${target-format}" },
  { LINE_1 LINE_2 LINE_3 LINE_4 "<driver type='${export-name}'/>\n" LINE_6 LINE_7 LINE_8, ":5: there is no hole ${export-name} here" },
  { LINE_1 LINE_2 LINE_3 LINE_4 LINE_5 LINE_6 "<disk name='${left-out-disk}' backup='${disk}'/>\n" LINE_8, ":7: there is no hole ${disk} here; there are ${left-out-disk}" },
  { LINE_1 "<incremental>\n${incremental}</incremental>" LINE_2 LINE_3 LINE_4 LINE_5 LINE_6 LINE_7 LINE_8, ":2: there is no hole ${incremental} here; there are none" },
  { LINE_1 LINE_2 LINE_3 "<target file='${target-file'/>\n" LINE_5 LINE_6 LINE_7 LINE_8, ":4: a hole begins with ${ but no } ends it" },
  { LINE_1 LINE_2 LINE_3 LINE_4 LINE_5 "${incremental}" LINE_6 LINE_7 LINE_8, ":3: a hole without a value would drop element 'disk'" },
  { LINE_1 LINE_2 LINE_3 "<tarrget file='${target-file}'/>\n" LINE_5 LINE_6 LINE_7 LINE_8, ":4: element 'tarrget' is not what" },
  { LINE_1 LINE_2 LINE_3 LINE_4 "<driver typo='qcow2'/>\n" LINE_6 LINE_7 LINE_8, ":5: element 'driver' is not what" },
  { LINE_1 LINE_2 LINE_3 LINE_4 "<driver type='${target-format} or raw'/>\n" LINE_6 LINE_7 LINE_8, ":5: element 'driver' is not what" },
  { LINE_1 LINE_2 LINE_3 "<target file='relative/${target-file}'/>\n" LINE_5 LINE_6 LINE_7 LINE_8, ":4: element 'target' is not what" },
  { LINE_1 LINE_2 LINE_3 LINE_4 LINE_5 LINE_6 "<disk name='${left-out-disk}' backup='maybe'/>\n" LINE_8, ":7: element 'disk' is not what" },
  { LINE_1 LINE_2 "<disk name='${disk}' backup='yes' type='file'\n colour='blue'>\n" LINE_4 LINE_5 LINE_6 LINE_7 LINE_8, ":4: attribute 'colour' of element 'disk' is not what" },
  { "<domainbackup mode='shove'>\n" LINE_2 LINE_3 LINE_4 LINE_5 LINE_6 LINE_7 LINE_8, ":1: attribute 'mode' of element 'domainbackup' is not what" },
  { "<domainbackup mode='pull'>\n<server transport='unix' name='localhost'/>\n" LINE_2 "<disk name='${disk}'/>" LINE_7 LINE_8, ":2: attribute 'transport' of element 'server' is not what" },
  { "<domainbackup mode='pull'>\n<server transport='unix'/>\n" LINE_2 "<disk name='${disk}'/>" LINE_7 LINE_8, ":2: libvirt's schema does not allow this: " },
  { LINE_1 "<server transport='unix' socket='/s'/>\n" LINE_2 LINE_3 LINE_4 LINE_5 LINE_6 LINE_7 LINE_8, ":2: element 'server' is not what" },
  { LINE_1 LINE_2 LINE_3 "<target file='/fixed'/>\n" LINE_5 LINE_6 LINE_7 LINE_8, ":1: nothing in element 'domainbackup' has the hole ${target-file}" },
  { LINE_1 LINE_2 LINE_3 LINE_4 "<driver type='raw'/>\n" LINE_6 LINE_7 LINE_8, ":1: nothing in element 'domainbackup' has the hole ${target-format}" },
  { LINE_1 LINE_2 "<!-- ${incremental} --><disk name='${disk}' type='file'>\n" LINE_4 LINE_5 LINE_6 LINE_7 LINE_8, ":1: nothing in element 'domainbackup' has the hole ${incremental}" },
  { "<domainbackups>\n" LINE_2 LINE_3 LINE_4 LINE_5 LINE_6 LINE_7 "</disks></domainbackups>\n", ":1: " },
};

static void
check_bad_template (gsize i)
{
  g_auto (Directory) directory = { NULL };
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  directory_init (&directory);
  path = put_file (&directory, "domainbackup-push.xml", bad_templates[i].text);
  text = vk_backup_xml_build (&push, directory.path, &error);
  g_assert_null (text);
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
  if (strstr (error->message, bad_templates[i].words) == NULL || strstr (error->message, path) == NULL)
    g_error ("template %" G_GSIZE_FORMAT ": \"%s\" does not say \"%s\"", i, error->message, bad_templates[i].words);
}

/* In a process of its own, to see that libxml2 prints nothing on its own account. */
static void
test_bad_templates (void)
{
  if (g_test_subprocess ())
    {
      for (gsize i = 0; i < G_N_ELEMENTS (bad_templates); i++)
        check_bad_template (i);
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("");
}

/* The same mistakes where only the one disk of the domain could show them. */
static void
test_bad_template_one_disk (void)
{
  const VkBackupXmlDisk disk = { .disk = "vda", .target_file = "/f", .target_format = "qcow2" };
  const VkBackupXml backup = { .disks = &disk, .n_disks = 1 };
  g_auto (Directory) directory = { NULL };
  g_autofree char *path = NULL;
  g_autofree char *path_again = NULL;
  g_autoptr (GError) error = NULL;

  directory_init (&directory);
  path = put_file (&directory, "domainbackup-push.xml", LINE_1 LINE_2 "<disk name='${disk}' type='fyle'>\n" LINE_4 LINE_5 LINE_6 LINE_7 LINE_8);
  g_assert_null (vk_backup_xml_build (&backup, directory.path, &error));
  g_assert_nonnull (strstr (error->message, ":3: element 'disk' is not what libvirt's schema allows here"));
  g_clear_error (&error);
  path_again = put_file (&directory, "domainbackup-push.xml", LINE_1 LINE_2 LINE_3 LINE_4 LINE_5 LINE_6 "<disk name='${left-out-disk}' backup='${no}'/>" LINE_8);
  g_assert_null (vk_backup_xml_build (&backup, directory.path, &error));
  g_assert_nonnull (strstr (error->message, ":7: there is no hole ${no} here"));
}

static void
test_replaced (void)
{
  g_auto (Directory) directory = { NULL };
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  g_autofree char *built_in = NULL;
  g_autoptr (xmlDoc) doc = NULL;
  g_autofree char *description = NULL;
  g_autofree char *comment = NULL;

  directory_init (&directory);
  path = put_file (&directory, "domaincheckpoint.xml",
                   "<?xml version='1.0' encoding='ISO-8859-1'?><domaincheckpoint><description><![CDATA[<${checkpoint}>]]> f\xfcr ${description}</description><!-- ${not a hole} -->"
                   "<disks><disk name='${disk}' bitmap='b-${disk}-${checkpoint}'/><disk name='${left-out-disk}' checkpoint='no'/></disks><name>${checkpoint}</name></domaincheckpoint>");
  text = build_checkpoint (&checkpoint, directory.path);
  built_in = build (&push, directory.path);
  doc = vk_xml_parse (text, "filled", NULL);
  description = vk_xml_text (xmlDocGetRootElement (doc), "description");
  comment = vk_xml_text (xmlDocGetRootElement (doc), "disks/disk[1]/@bitmap");
  g_assert_cmpstr (description, ==, "<" CHECKPOINT "> f\xc3\xbcr made by virt-keep");
  g_assert_cmpstr (comment, ==, "b-vda-" CHECKPOINT);
  g_assert_nonnull (strstr (built_in, "<target file=\"/s/vda.qcow2\"/>"));
}

static void
check_directory_refused (const char *directory, const char *words)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_backup_xml_build (&push, directory, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
  if (strstr (error->message, words) == NULL || strstr (error->message, directory) == NULL)
    g_error ("\"%s\" does not say \"%s\"", error->message, words);
}

static void
test_directory_refused (void)
{
  g_auto (Directory) directory = { NULL };
  g_autofree char *missing = NULL;
  g_autofree char *file = NULL;
  g_autofree char *not_a_file = NULL;

  directory_init (&directory);
  missing = g_build_filename (directory.path, "missing", NULL);
  file = put_file (&directory, "domainbackup.xml", "<domainbackup/>");
  not_a_file = g_build_filename (directory.path, "domainbackup-push.xml", NULL);
  check_directory_refused (missing, "is not a directory");
  check_directory_refused (file, "is not a directory");
  check_directory_refused (directory.path, "holds none of the files that it could replace: ");
  g_assert_cmpint (g_mkdir (not_a_file, 0700), ==, 0);
  check_directory_refused (directory.path, "is not a regular file");
  g_assert_cmpint (g_rmdir (not_a_file), ==, 0);
  g_assert_cmpint (symlink (missing, not_a_file), ==, 0);
  check_directory_refused (directory.path, "is not a regular file");
  g_assert_cmpint (g_unlink (not_a_file), ==, 0);
}

/* A schema that is not there, or not one, or includes what is not there. */
static void
test_schema_refused (void)
{
  const struct { const char *text; const char *words; } schemas[] = {
    { NULL, "is missing: install the package that has it (Debian: libvirt0, Fedora: libvirt-libs)" },
    { "junk", "cannot be read as a RELAX NG schema" },
    { "<grammar/>", "cannot be read as a RELAX NG schema" },
    { "<grammar xmlns='http://relaxng.org/ns/structure/1.0'><start><ref name='a'/></start><include href='no-such-file.rng'/></grammar>", "cannot be read as a RELAX NG schema" },
  };

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      g_test_trap_assert_stderr ("");
      return;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (schemas); i++)
    {
      g_auto (Directory) directory = { NULL };
      g_autoptr (GError) error = NULL;
      g_autofree char *path = NULL;

      directory_init (&directory);
      path = schemas[i].text ? put_file (&directory, "domainbackup.rng", schemas[i].text) : NULL;
      g_assert_null (vk_xml_schema_load (directory.path, "domainbackup.rng", &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
      if (strstr (error->message, schemas[i].words) == NULL)
        g_error ("\"%s\" does not say \"%s\"", error->message, schemas[i].words);
    }
}

/* A replaced template goes nowhere without its schema; a built-in one needs none. */
static void
test_no_schema (void)
{
  static const char *const names[] = { NULL };
  static const char *const disk_names[] = { "disk", NULL };
  const char *values[] = { "vda" };
  g_autoptr (GPtrArray) taken = g_ptr_array_new ();
  g_autoptr (GPtrArray) left_out = g_ptr_array_new ();
  const VkXmlTemplate what = { "domaincheckpoint.xml", "domaincheckpoint.rng", names, NULL, disk_names, taken, left_out, NULL };
  g_auto (Directory) directory = { NULL };
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  directory_init (&directory);
  path = put_file (&directory, "domaincheckpoint.xml", "<domaincheckpoint><disks><disk name='${disk}'/><disk name='${left-out-disk}'/></disks></domaincheckpoint>");
  g_ptr_array_add (taken, values);
  g_assert_null (vk_xml_template_build (&what, directory.path, directory.path, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
  g_assert_nonnull (strstr (error->message, "domaincheckpoint.rng"));
  text = vk_xml_template_build (&what, directory.path, LIBVIRT_SCHEMA_DIR, NULL);
  g_assert_nonnull (text);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/backup-xml/push", test_push);
  g_test_add_func ("/backup-xml/pull", test_pull);
  g_test_add_func ("/backup-xml/checkpoint", test_checkpoint);
  g_test_add_func ("/backup-xml/counts", test_counts);
  g_test_add_func ("/backup-xml/odd-values", test_odd_values);
  g_test_add_func ("/backup-xml/impossible-values", test_impossible_values);
  g_test_add_func ("/backup-xml/bad-templates", test_bad_templates);
  g_test_add_func ("/backup-xml/bad-template-one-disk", test_bad_template_one_disk);
  g_test_add_func ("/backup-xml/replaced", test_replaced);
  g_test_add_func ("/backup-xml/directory-refused", test_directory_refused);
  g_test_add_func ("/backup-xml/schema-refused", test_schema_refused);
  g_test_add_func ("/backup-xml/no-schema", test_no_schema);
  return g_test_run ();
}
