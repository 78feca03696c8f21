/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "domain-samples.h"
#include "host/disk-select.h"
#include "host/domain-xml.h"

#define DOMAIN_WITH(inside) "<domain type='qemu' id='3'><name>n</name><uuid>6d49ff62-3658-43e2-b13a-db8a126b6744</uuid>" inside "</domain>"
#define DISK(attributes, inside) "<disk type='file' " attributes "><source file='/i'/>" inside "</disk>"

static void
add_fact (GString *text, const char *word, const char *value)
{
  if (value != NULL)
    g_string_append_printf (text, "%s %s\n", word, value);
}

static void
add_disk (GString *text, const VkDisk *disk)
{
  g_string_append_printf (text, "disk %s %s %s %s %s%s\n", disk->target, vk_disk_part_word (disk->part), vk_left_out_word (disk->reason),
                          disk->format, disk->source ? disk->source : "-", disk->encrypted ? " (encrypted)" : "");
}

/* What becomes of a disk that is left out when --disk names it beside the others. */
static void
add_named (GString *text, VkDomainXml *domain, const char *target, const char *taken)
{
  const char *only[] = { target, taken, NULL };
  g_autoptr (GError) error = NULL;

  if (vk_domain_xml_select_disks (domain, only, NULL, &error))
    g_string_append_printf (text, "--disk %s copied\n", target);
  else
    g_string_append_printf (text, "--disk %s %s\n", target, vk_error_class_name (error));
}

static void
add_disks (GString *text, VkDomainXml *domain)
{
  const char *taken = NULL;
  g_autoptr (GPtrArray) left_out = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;

  vk_domain_xml_select_disks (domain, NULL, NULL, &error);
  for (guint i = 0; i < domain->disks->len; i++)
    {
      VkDisk *disk = g_ptr_array_index (domain->disks, i);

      add_disk (text, disk);
      if (disk->part == VK_DISK_TAKEN)
        taken = disk->target;
      else
        g_ptr_array_add (left_out, disk->target);
    }
  if (error != NULL)
    g_string_append_printf (text, "%s: %s\n", vk_error_class_name (error), error->message);
  for (guint i = 0; i < left_out->len; i++)
    add_named (text, domain, g_ptr_array_index (left_out, i), taken);
}

static char *
describe (VkDomainXml *domain)
{
  GString *text = g_string_new (NULL);

  add_fact (text, "name", domain->name);
  g_string_append_printf (text, "id %d\n", domain->id);
  if (domain->has_qemu_user)
    g_string_append_printf (text, "user %u:%u\n", domain->qemu_uid, domain->qemu_gid);
  add_fact (text, "loader", domain->loader);
  add_fact (text, "nvram", domain->nvram);
  add_fact (text, "kernel", domain->kernel);
  add_fact (text, "initrd", domain->initrd);
  add_fact (text, "dtb", domain->dtb);
  if (domain->has_tpm_emulator)
    add_fact (text, "tpm", domain->tpm_version ? domain->tpm_version : "default");
  add_disks (text, domain);
  return g_string_free (text, FALSE);
}

static VkDomainXml *
parse (const char *xml)
{
  g_autoptr (GError) error = NULL;
  VkDomainXml *domain = vk_domain_xml_parse (xml, &error);

  g_assert_no_error (error);
  g_assert_nonnull (domain);
  return domain;
}

static void
test_sample (gconstpointer data)
{
  const Sample *sample = data;
  g_autoptr (VkDomainXml) domain = parse (sample->xml);
  g_autofree char *text = describe (domain);

  samples_validate (sample, sample->xml);
  samples_compare (sample, "live", text);
}

/* Each is refused with a message that has the second text in it. */
static void
test_hostile (void)
{
  const struct { const char *xml; const char *words; } documents[] = {
    { "", "domain XML" },
    { "not XML", "domain XML:1" },
    { "<domain>", "domain XML:1" },
    { "<domain><name>n</name></domain>\xff", "domain XML" },
    { "<network><name>n</name></network>", "begins with <network>" },
    { "<domainsnapshot><domain><name>n</name></domain></domainsnapshot>", "begins with <domainsnapshot>" },
    { "<domain/>", "no <name>" },
    { "<domain><name/></domain>", "no <name>" },
    { "<domain><name>n</name><uuid>../../etc</uuid></domain>", "'../../etc' is not a UUID" },
    { "<!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain><name>&x;</name></domain>", "document type declaration" },
    { "<!DOCTYPE domain SYSTEM 'http://127.0.0.1:9/x.dtd'><domain><name>n</name></domain>", "document type declaration" },
    { "<!DOCTYPE domain [<!ENTITY a 'haha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>]>"
      "<domain><name>&d;&d;&d;&d;</name></domain>", "document type declaration" },
    { "<domain><name>&undefined;</name></domain>", "undefined" },
    { DOMAIN_WITH ("<devices><disk/></devices>"), "the target of a disk is \"\"" },
    { DOMAIN_WITH ("<devices>" DISK ("", "<target dev=''/>") "</devices>"), "the target of a disk is \"\"" },
    { DOMAIN_WITH ("<devices>" DISK ("", "<target dev='../../vda'/>") "</devices>"), "\"../../vda\"" },
    { DOMAIN_WITH ("<devices>" DISK ("", "<target dev='v d&#10;a'/>") "</devices>"), "the target of a disk is" },
    { DOMAIN_WITH ("<devices>" DISK ("", "<target dev='vd\xc3\xa4'/>") "</devices>"), "the target of a disk is" },
    { DOMAIN_WITH ("<devices>" DISK ("", "<target dev='vda'/>") DISK ("", "<target dev='vda'/>") "</devices>"), "two disks have the target 'vda'" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (documents); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (vk_domain_xml_parse (documents[i].xml, &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
      if (strstr (error->message, documents[i].words) == NULL)
        g_error ("document %" G_GSIZE_FORMAT ": \"%s\" does not say \"%s\"", i, error->message, documents[i].words);
    }
}

static void
test_deep (void)
{
  GString *xml = g_string_new ("<domain><name>n</name>");
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  for (int i = 0; i < 100000; i++)
    g_string_append (xml, "<a>");
  text = g_string_free (xml, FALSE);
  g_assert_null (vk_domain_xml_parse (text, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
}

/* Elements of the same names elsewhere in the document say nothing about the domain. */
static void
test_elements_elsewhere (void)
{
  g_autoptr (VkDomainXml) domain = parse ("<domain><metadata><name>no</name><devices><disk><target dev='vdz'/></disk></devices><nvram>/no</nvram></metadata>"
                                          "<name> spaces stay </name><os><nvram>\n  /vars.fd\n  </nvram><kernel> </kernel></os>"
                                          "<devices><disk><target dev='vda'/></disk></devices></domain>");
  const VkDisk *disk = g_ptr_array_index (domain->disks, 0);

  g_assert_cmpstr (domain->name, ==, " spaces stay ");
  g_assert_null (domain->uuid);
  g_assert_cmpint (domain->id, ==, -1);
  g_assert_cmpstr (domain->nvram, ==, "/vars.fd");
  g_assert_null (domain->kernel);
  g_assert_cmpuint (domain->disks->len, ==, 1);
  g_assert_cmpstr (disk->device, ==, "disk");
  g_assert_cmpstr (disk->type, ==, "file");
  g_assert_cmpstr (disk->format, ==, "raw");
  g_assert_null (disk->source);
  g_assert_null (disk->path);
  g_assert_null (disk->alias);
}

static void
test_qemu_user (void)
{
  const struct { const char *label; gboolean known; guint uid, gid; } labels[] = {
    { "+64055:+108", TRUE, 64055, 108 },
    { "root:root", TRUE, 0, 0 },
    { "0:+0", TRUE, 0, 0 },
    { " 107:107 ", TRUE, 107, 107 },
    { "no-such-user-anywhere:root", FALSE, 0, 0 },
    { "root:no-such-group-anywhere", FALSE, 0, 0 },
    { "+107", FALSE, 0, 0 },
    { "+-1:+0", FALSE, 0, 0 },
    { "+4294967295:+0", FALSE, 0, 0 },
    { ":", FALSE, 0, 0 },
    { "", FALSE, 0, 0 },
    { "system_u:system_r:svirt_t:s0:c1,c2", FALSE, 0, 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (labels); i++)
    {
      g_autofree char *xml = g_strdup_printf (DOMAIN_WITH ("<seclabel model='selinux'><label>root:root</label></seclabel><seclabel type='dynamic' model='dac'><label>%s</label></seclabel>"), labels[i].label);
      g_autoptr (VkDomainXml) domain = parse (xml);

      g_assert_cmpint (domain->has_qemu_user, ==, labels[i].known);
      if (!labels[i].known)
        continue;
      g_assert_cmpuint (domain->qemu_uid, ==, labels[i].uid);
      g_assert_cmpuint (domain->qemu_gid, ==, labels[i].gid);
    }
}

#define TWO_DISKS_AND_CDROM DOMAIN_WITH ("<devices>" DISK ("device='disk'", "<target dev='vda'/>") DISK ("device='disk'", "<target dev='vdb'/>") DISK ("device='cdrom'", "<target dev='sda'/>") "</devices>")

static void
check_selection (const char *const *only, const char *const *excluded, const char *expected)
{
  g_autoptr (VkDomainXml) domain = parse (TWO_DISKS_AND_CDROM);
  g_autoptr (GError) error = NULL;
  GString *text = g_string_new (NULL);
  g_autofree char *result = NULL;

  vk_domain_xml_select_disks (domain, only, excluded, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < domain->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (domain->disks, i);

      g_string_append_printf (text, "%s%s %s %s", i > 0 ? ", " : "", disk->target, vk_disk_part_word (disk->part), vk_left_out_word (disk->reason));
    }
  result = g_string_free (text, FALSE);
  g_assert_cmpstr (result, ==, expected);
}

static void
test_selection (void)
{
  const char *none[] = { NULL };
  const char *vdb[] = { "vdb", NULL };
  const char *sda[] = { "sda", NULL };
  const char *vda_sda[] = { "vda", "sda", NULL };

  check_selection (NULL, NULL, "vda taken none, vdb taken none, sda left-out cdrom");
  check_selection (none, none, "vda taken none, vdb taken none, sda left-out cdrom");
  check_selection (vdb, NULL, "vda left-out excluded, vdb taken none, sda left-out excluded");
  check_selection (NULL, vdb, "vda taken none, vdb left-out excluded, sda left-out cdrom");
  check_selection (NULL, sda, "vda taken none, vdb taken none, sda left-out excluded");
  check_selection (vda_sda, NULL, "vda taken none, vdb left-out excluded, sda copied none");
  check_selection (vda_sda, vdb, "vda taken none, vdb left-out excluded, sda copied none");
}

static void
check_refusal (const char *xml, const char *only, const char *excluded, int code, const char *message)
{
  g_autoptr (VkDomainXml) domain = parse (xml);
  const char *only_list[] = { only, NULL };
  const char *excluded_list[] = { excluded, NULL };
  g_autoptr (GError) error = NULL;

  g_assert_false (vk_domain_xml_select_disks (domain, only ? only_list : NULL, excluded ? excluded_list : NULL, &error));
  g_assert_error (error, VK_ERROR, code);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_selection_refused (void)
{
  const char *network_cdrom = DOMAIN_WITH ("<devices>" DISK ("", "<target dev='vda'/>")
                                           "<disk type='network' device='cdrom'><source protocol='https' name='x.iso'><host name='h'/></source><target dev='sda'/></disk></devices>");
  const char *layered_cdrom = DOMAIN_WITH ("<devices>" DISK ("", "<target dev='vda'/>")
                                           DISK ("device='cdrom'", "<backingStore type='file'><source file='/b'/></backingStore><target dev='sda'/>") "</devices>");
  const char *from_the_future = DOMAIN_WITH ("<devices><disk type='quantum' device='disk'><source state='both'/><target dev='vda'/></disk></devices>");

  check_refusal (TWO_DISKS_AND_CDROM, "vdz", NULL, VK_ERROR_NOT_FOUND, "domain 'n' has no disk 'vdz'; it has vda, vdb, sda");
  check_refusal (TWO_DISKS_AND_CDROM, NULL, "vdz", VK_ERROR_NOT_FOUND, "domain 'n' has no disk 'vdz'; it has vda, vdb, sda");
  check_refusal (DOMAIN_WITH (""), "vda", NULL, VK_ERROR_NOT_FOUND, "domain 'n' has no disk 'vda'; it has no disks at all");
  check_refusal (TWO_DISKS_AND_CDROM, "vda", "vda", VK_ERROR_REFUSED, "disk 'vda' is named with both --disk and --exclude");
  check_refusal (DOMAIN_WITH (""), NULL, NULL, VK_ERROR_REFUSED, "domain 'n' has nothing to back up: it has no disks");
  check_refusal (DOMAIN_WITH ("<devices>" DISK ("", "<target dev='vda'/>") "</devices>"), NULL, "vda", VK_ERROR_REFUSED,
                 "domain 'n' has nothing to back up: vda: the options --disk and --exclude leave it out");
  check_refusal (TWO_DISKS_AND_CDROM, "sda", NULL, VK_ERROR_REFUSED,
                 "domain 'n' has nothing to back up: vda: the options --disk and --exclude leave it out; vdb: the options --disk and --exclude leave it out; sda: only its image file would be copied");
  check_refusal (network_cdrom, "sda", NULL, VK_ERROR_REFUSED, "disk 'sda' of domain 'n' cannot be backed up: its image is not a file or block device of this host, which is all that can be copied");
  check_refusal (layered_cdrom, "sda", NULL, VK_ERROR_REFUSED, "disk 'sda' of domain 'n' cannot be backed up: its image has a backing image, so a copy of the file alone would not be complete");
  check_refusal (from_the_future, "vda", NULL, VK_ERROR_REFUSED, "disk 'vda' of domain 'n' cannot be backed up: its type is not one that this version of virt-keep knows");
  check_refusal (from_the_future, NULL, NULL, VK_ERROR_REFUSED, "domain 'n' has nothing to back up: vda: its type is not one that this version of virt-keep knows");
}

static void
test_words (void)
{
  for (VkLeftOutReason reason = VK_LEFT_OUT_NONE; reason <= VK_LEFT_OUT_UNKNOWN_TYPE; reason++)
    {
      g_assert_nonnull (vk_left_out_word (reason));
      g_assert_nonnull (vk_left_out_sentence (reason));
    }
  g_assert_cmpstr (vk_left_out_word (VK_LEFT_OUT_VHOSTVDPA), ==, "vhostvdpa");
}

int
main (int argc, char **argv)
{
  g_autoptr (xmlRelaxNG) schema = NULL;

  g_test_init (&argc, &argv, NULL);
  schema = samples_load_schema ();
  samples_add_tests ("/domain-xml/sample", schema, test_sample);
  g_test_add_func ("/domain-xml/hostile", test_hostile);
  g_test_add_func ("/domain-xml/deep", test_deep);
  g_test_add_func ("/domain-xml/elements-elsewhere", test_elements_elsewhere);
  g_test_add_func ("/domain-xml/qemu-user", test_qemu_user);
  g_test_add_func ("/domain-xml/selection", test_selection);
  g_test_add_func ("/domain-xml/selection-refused", test_selection_refused);
  g_test_add_func ("/domain-xml/words", test_words);
  return g_test_run ();
}
