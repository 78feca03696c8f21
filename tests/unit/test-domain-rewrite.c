/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "domain-samples.h"
#include "host/disk-select.h"
#include "host/domain-rewrite.h"

#define NEW_NAME "restored <&'\" \xc3\xa9 &amp; ${name}"

/* A rewrite with its tables, all that a test changes. */
typedef struct
{
  VkDomainRewrite rewrite;
  GHashTable *disks;
  GHashTable *copied;
} Fixture;

static void
fixture_clear (Fixture *fixture)
{
  g_hash_table_unref (fixture->disks);
  g_hash_table_unref (fixture->copied);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

static void
fixture_init (Fixture *fixture, const char *format)
{
  memset (fixture, 0, sizeof *fixture);
  fixture->disks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  fixture->copied = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  fixture->rewrite.disks = fixture->disks;
  fixture->rewrite.copied = fixture->copied;
  fixture->rewrite.disk_format = format;
}

static void
put_path (GHashTable *table, const char *target, const char *suffix)
{
  g_hash_table_insert (table, g_strdup (target), g_strconcat ("/restored & co/", target, suffix, NULL));
}

/* Everything that a backup can hold of the domain goes to "/restored & co". */
static void
restore_all (Fixture *fixture, VkDomainXml *domain)
{
  g_autoptr (GError) error = NULL;

  vk_domain_xml_select_disks (domain, NULL, NULL, &error);
  for (guint i = 0; i < domain->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (domain->disks, i);

      if (disk->part == VK_DISK_TAKEN)
        put_path (fixture->disks, disk->target, ".img");
      else if ((disk->reason == VK_LEFT_OUT_CDROM || disk->reason == VK_LEFT_OUT_FLOPPY) && disk->path != NULL)
        put_path (fixture->copied, disk->target, ".copy");
    }
  fixture->rewrite.name = NEW_NAME;
  fixture->rewrite.new_identity = TRUE;
  fixture->rewrite.nvram = domain->nvram ? "/restored & co/nvram.fd" : NULL;
  fixture->rewrite.kernel = "/restored & co/kernel";
  fixture->rewrite.initrd = "/restored & co/initrd";
  fixture->rewrite.dtb = "/restored & co/dtb";
}

static char *
rewrite_ok (const char *xml, const VkDomainRewrite *rewrite, GStrv *removed)
{
  g_autoptr (GError) error = NULL;
  char *text = vk_domain_xml_rewrite (xml, rewrite, removed, &error);

  g_assert_no_error (error);
  g_assert_nonnull (text);
  return text;
}

static VkDomainXml *
parse (const char *xml)
{
  g_autoptr (GError) error = NULL;
  VkDomainXml *domain = vk_domain_xml_parse (xml, &error);

  g_assert_no_error (error);
  return domain;
}

static void
add_fact (GString *text, const char *word, const char *value)
{
  if (value != NULL)
    g_string_append_printf (text, "%s %s\n", word, value);
}

static char *
describe (const char *xml, GStrv removed)
{
  GString *text = g_string_new (NULL);
  g_autoptr (VkDomainXml) domain = parse (xml);

  add_fact (text, "nvram", domain->nvram);
  add_fact (text, "kernel", domain->kernel);
  add_fact (text, "initrd", domain->initrd);
  add_fact (text, "dtb", domain->dtb);
  for (guint i = 0; i < domain->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (domain->disks, i);

      g_string_append_printf (text, "disk %s %s %s %s%s\n", disk->target, disk->type, disk->format, disk->source ? disk->source : "-", disk->encrypted ? " (encrypted)" : "");
    }
  for (gsize i = 0; removed[i] != NULL; i++)
    add_fact (text, "removed", removed[i]);
  return g_string_free (text, FALSE);
}

/* How many nodes of xml the expression selects. */
static guint
count (const char *xml, const char *expression)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (xmlDoc) doc = vk_xml_parse (xml, "rewritten", &error);
  g_autoptr (GPtrArray) found = NULL;

  g_assert_no_error (error);
  found = vk_xml_find_all (xmlDocGetRootElement (doc), expression);
  return found->len;
}

/* Nothing of the first domain's identity or old storage is left. */
static void
check_nothing_old (const char *xml)
{
  static const char *const gone[] = {
    "uuid", "@id", "devices/interface/mac", "genid/text()", "sysinfo//entry[@name='uuid']",
    "seclabel[not(@type) or @type='dynamic']/label", "seclabel/imagelabel[not(../label)]",
    "devices/disk[@device='disk']/*[self::auth or self::encryption or self::mirror or self::backingStore]",
    "devices/disk[@device='disk']/source/*", "devices/disk/source/@index", "devices/disk/source/@startupPolicy",
    "devices/disk[@type != 'file']", "devices/disk/source[not(@file)]",
    "devices/disk/driver[@io='native' and not(@cache='none') and not(@cache='directsync')]",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (gone); i++)
    {
      if (count (xml, gone[i]) != 0)
        g_error ("%s is still there:\n%s", gone[i], xml);
    }
}

static void
test_sample (gconstpointer data)
{
  const Sample *sample = data;
  g_autoptr (VkDomainXml) domain = parse (sample->xml);
  g_auto (Fixture) fixture = { 0 };
  g_auto (GStrv) removed = NULL;
  g_autofree char *rewritten = NULL;
  g_autofree char *again = NULL;
  g_autofree char *text = NULL;
  g_autoptr (VkDomainXml) restored = NULL;

  fixture_init (&fixture, "qcow2");
  restore_all (&fixture, domain);
  rewritten = rewrite_ok (sample->xml, &fixture.rewrite, &removed);
  text = describe (rewritten, removed);
  restored = parse (rewritten);
  g_assert_cmpstr (restored->name, ==, NEW_NAME);
  check_nothing_old (rewritten);
  samples_validate (sample, rewritten);
  samples_compare (sample, "restored", text);
  again = rewrite_ok (rewritten, &fixture.rewrite, NULL);
  g_assert_cmpstr (again, ==, rewritten);
}

/* Restored to raw images under its own name and UUID. */
static void
test_sample_in_place (gconstpointer data)
{
  const Sample *sample = data;
  g_autoptr (VkDomainXml) domain = parse (sample->xml);
  g_autoptr (VkDomainXml) restored = NULL;
  g_auto (Fixture) fixture = { 0 };
  g_autofree char *rewritten = NULL;

  fixture_init (&fixture, "raw");
  restore_all (&fixture, domain);
  fixture.rewrite.name = fixture.rewrite.nvram = fixture.rewrite.kernel = fixture.rewrite.initrd = fixture.rewrite.dtb = NULL;
  fixture.rewrite.new_identity = FALSE;
  rewritten = rewrite_ok (sample->xml, &fixture.rewrite, NULL);
  restored = parse (rewritten);
  g_assert_cmpstr (restored->name, ==, domain->name);
  g_assert_cmpstr (restored->uuid, ==, domain->uuid);
  g_assert_cmpstr (restored->nvram, ==, domain->nvram);
  g_assert_cmpstr (restored->kernel, ==, domain->kernel);
  g_assert_cmpuint (count (rewritten, "devices/interface/mac"), ==, count (sample->xml, "devices/interface/mac"));
  g_assert_cmpuint (count (rewritten, "devices/disk/driver/metadata_cache"), ==, 0);
  samples_validate (sample, rewritten);
}

#define DOMAIN(inside) "<domain><name>n</name><uuid>6d49ff62-3658-43e2-b13a-db8a126b6744</uuid>" inside "</domain>"
#define VDA(inside) "<disk type='file' device='disk'>" inside "<target dev='vda'/></disk>"

static void
test_driver (void)
{
  const struct { const char *disk; const char *format; const char *there; const char *gone; } disks[] = {
    { VDA (""), "qcow2", "driver[@name='qemu' and @type='qcow2']", "driver[2]" },
    { VDA ("<driver type='raw'/>"), "qcow2", "driver[@name='qemu' and @type='qcow2']", "driver[2]" },
    { VDA ("<driver name='tap' type='qcow2'/>"), "raw", "driver[@name='qemu' and @type='raw']", "driver[2]" },
    { VDA ("<driver io='native' cache='none'/>"), "raw", "driver[@io='native' and @cache='none']", "mirror" },
    { VDA ("<driver io='native' cache='directsync'/>"), "raw", "driver[@io='native']", "mirror" },
    { VDA ("<driver io='native' cache='writeback'/>"), "raw", "driver[@cache='writeback']", "driver/@io" },
    { VDA ("<driver io='native'/>"), "raw", "driver", "driver/@io" },
    { VDA ("<driver io='io_uring' queues='2' iothread='1'/>"), "raw", "driver[@io='io_uring' and @queues='2' and @iothread='1']", "mirror" },
    { VDA ("<driver discard_no_unref='on'><metadata_cache/></driver>"), "raw", "driver", "driver/metadata_cache | driver/@discard_no_unref" },
    { VDA ("<driver discard_no_unref='on'><metadata_cache/></driver>"), "qcow2", "driver[@discard_no_unref='on' and metadata_cache]", "mirror" },
    { VDA ("<boot order='1'/><serial>s</serial><wwn>w</wwn><iotune/><alias name='ua-x'/>"), "raw", "self::*[boot and serial and wwn and iotune and alias]", "mirror" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (disks); i++)
    {
      g_auto (Fixture) fixture = { 0 };
      g_autofree char *document = g_strconcat ("<domain><name>n</name><devices>", disks[i].disk, "</devices></domain>", NULL);
      g_autofree char *there = g_strconcat ("devices/disk/", disks[i].there, NULL);
      g_autofree char *gone = g_strconcat ("devices/disk/", disks[i].gone, NULL);
      g_autofree char *rewritten = NULL;

      fixture_init (&fixture, disks[i].format);
      put_path (fixture.disks, "vda", ".img");
      rewritten = rewrite_ok (document, &fixture.rewrite, NULL);
      if (count (rewritten, there) != 1 || count (rewritten, gone) != 0)
        g_error ("disk %" G_GSIZE_FORMAT ":\n%s", i, rewritten);
    }
}

/* Images that stay where they are: kept when readable here, else ejected or removed. */
static void
test_images_not_restored (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *directory = g_dir_make_tmp ("virt-keep-XXXXXX", &error);
  g_autofree char *image = g_build_filename (directory, "there.iso", NULL);
  g_autofree char *document = NULL;
  g_autofree char *rewritten = NULL;
  g_autofree char *joined = NULL;
  g_auto (GStrv) removed = NULL;
  g_auto (Fixture) fixture = { 0 };

  g_assert_no_error (error);
  g_assert_true (g_file_set_contents (image, "x", 1, NULL));
  document = g_strdup_printf ("<domain><name>n</name><devices>" VDA ("<source file='/old'/>")
                              "<disk type='file' device='cdrom'><source file='%1$s' startupPolicy='optional'/><target dev='sda'/><readonly/></disk>"
                              "<disk type='block' device='cdrom'><source dev='/no/such/drive'/><backingStore/><target dev='sdb'/><readonly/></disk>"
                              "<disk type='network' device='cdrom'><source protocol='https' name='%1$s'><host name='h'/></source><target dev='sdc'/></disk>"
                              "<disk type='file' device='floppy'><source file='/no/such/floppy'/><target dev='fda'/></disk>"
                              "<disk type='dir' device='disk'><source dir='%2$s'/><target dev='vdb'/><readonly/></disk>"
                              "<disk type='file' device='disk'><source file='/no/such/tools'/><target dev='vdc'/><readonly/></disk>"
                              "<disk type='file' device='disk'><source file='%1$s'/><target dev='vdd'/></disk>"
                              "<disk type='file' device='disk'><source file='%1$s'/><target dev='vde'/><readonly/></disk>"
                              "<disk type='vhostuser' device='disk'><source type='unix' path='%1$s'/><target dev='vdf'/></disk>"
                              "<disk type='block' device='lun'><source dev='/dev/null'/><target dev='sdd'/></disk>"
                              "</devices></domain>", image, directory);
  fixture_init (&fixture, "qcow2");
  put_path (fixture.disks, "vda", ".qcow2");
  rewritten = rewrite_ok (document, &fixture.rewrite, &removed);
  joined = g_strjoinv (" ", removed);
  g_assert_cmpstr (joined, ==, "vdc vdd vdf sdd");
  g_assert_cmpuint (count (rewritten, "devices/disk"), ==, 7);
  g_assert_cmpuint (count (rewritten, "devices/disk[target/@dev='sda' and @type='file']/source[@file and @startupPolicy]"), ==, 1);
  g_assert_cmpuint (count (rewritten, "devices/disk[@type='file' and not(source) and not(backingStore)]/target[@dev='sdb' or @dev='sdc' or @dev='fda']"), ==, 3);
  g_assert_cmpuint (count (rewritten, "devices/disk[@type='dir' and target/@dev='vdb']/source/@dir"), ==, 1);
  g_assert_cmpuint (count (rewritten, "devices/disk[target/@dev='vde']/source/@file"), ==, 1);
  g_unlink (image);
  g_rmdir (directory);
}

static void
test_copied_image (void)
{
  g_auto (Fixture) fixture = { 0 };
  g_autofree char *rewritten = NULL;

  fixture_init (&fixture, "qcow2");
  put_path (fixture.copied, "sda", ".img");
  rewritten = rewrite_ok ("<domain><name>n</name><devices><disk type='block' device='cdrom'><driver name='qemu' type='raw' cache='none' io='native'/>"
                          "<source dev='/dev/sr0' index='3'><slices><slice type='storage' offset='0' size='512'/></slices><encryption format='luks'/><reservations managed='yes'/></source>"
                          "<backingStore/><target dev='sda'/><readonly/></disk></devices></domain>", &fixture.rewrite, NULL);
  g_assert_cmpuint (count (rewritten, "devices/disk[@type='file']/source[@file='/restored & co/sda.img' and count(@*)=1 and count(*)=2 and slices and encryption]"), ==, 1);
  g_assert_cmpuint (count (rewritten, "devices/disk/driver[@type='raw' and @io='native']"), ==, 1);
}

static void
test_identity (void)
{
  const char *xml = "<domain id='4'><name>n</name><uuid>6d49ff62-3658-43e2-b13a-db8a126b6744</uuid><genid>eed1bb11-182f-4853-be09-83a34b5673e7</genid>"
                    "<sysinfo type='smbios'><system><entry name='serial'>s</entry><entry name='uuid'>6d49ff62-3658-43e2-b13a-db8a126b6744</entry></system></sysinfo>"
                    "<devices><interface type='user'><mac address='52:54:00:00:00:01'/></interface></devices>"
                    "<seclabel type='dynamic' model='apparmor' relabel='yes'><label>l</label><imagelabel>l</imagelabel></seclabel>"
                    "<seclabel type='dynamic' model='selinux' relabel='yes'><label>l</label><imagelabel>l</imagelabel><baselabel>b</baselabel></seclabel>"
                    "<seclabel type='static' model='dac' relabel='yes'><label>root:root</label></seclabel></domain>";
  VkDomainRewrite rewrite = { .disk_format = "qcow2" };
  g_autofree char *kept = rewrite_ok (xml, &rewrite, NULL);
  g_autofree char *renewed = NULL;

  rewrite.new_identity = TRUE;
  rewrite.name = "other";
  renewed = rewrite_ok (xml, &rewrite, NULL);
  g_assert_cmpuint (count (kept, "uuid | sysinfo/system/entry | devices/interface/mac"), ==, 4);
  g_assert_cmpuint (count (kept, "self::*[name='n' and not(@id)]/genid[not(node())]"), ==, 1);
  g_assert_cmpuint (count (kept, "seclabel"), ==, 2);
  g_assert_cmpuint (count (kept, "seclabel[@model='selinux' and baselabel and not(label) and not(imagelabel)]"), ==, 1);
  g_assert_cmpuint (count (kept, "seclabel[@model='dac']/label"), ==, 1);
  g_assert_cmpuint (count (renewed, "self::*[name='other' and not(uuid)]/genid[not(node())]"), ==, 1);
  g_assert_cmpuint (count (renewed, "sysinfo/system/entry"), ==, 1);
  g_assert_cmpuint (count (renewed, "devices/interface/mac"), ==, 0);
}

static void
check_nvram (const char *element, const char *path, gboolean new_identity, const char *expected)
{
  g_autofree char *xml = g_strdup_printf ("<domain><name>n</name><os><loader>/code.fd</loader>%s</os></domain>", element);
  VkDomainRewrite rewrite = { .disk_format = "qcow2", .nvram = path, .new_identity = new_identity };
  g_autofree char *rewritten = rewrite_ok (xml, &rewrite, NULL);

  if (strstr (rewritten, expected) == NULL)
    g_error ("%s is not in %s", expected, rewritten);
}

static void
test_nvram (void)
{
  const char *in_text = "<nvram template='/t'>/vars.fd</nvram>";
  const char *in_source = "<nvram type='file' template='/t'><source file='/vars.fd'/></nvram>";

  check_nvram (in_text, NULL, FALSE, "<nvram template=\"/t\">/vars.fd</nvram>");
  check_nvram (in_text, "/a&b", FALSE, "<nvram template=\"/t\">/a&amp;b</nvram>");
  check_nvram (in_source, "/new", FALSE, "<nvram template=\"/t\">/new</nvram>");
  check_nvram ("<nvram format='qcow2'>/v</nvram>", "/new", TRUE, "<nvram format=\"qcow2\">/new</nvram>");
  check_nvram ("", "/new", FALSE, "<nvram>/new</nvram>");
  check_nvram (in_text, NULL, TRUE, "<nvram template=\"/t\"/>");
  check_nvram (in_source, NULL, TRUE, "<nvram template=\"/t\"/>");
  check_nvram ("<nvram>/vars.fd</nvram>", NULL, TRUE, "<loader>/code.fd</loader>\n  </os>");
}

static void
check_refused (const char *xml, const VkDomainRewrite *rewrite, int code, const char *words)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) removed = NULL;

  g_assert_null (vk_domain_xml_rewrite (xml, rewrite, &removed, &error));
  g_assert_error (error, VK_ERROR, code);
  g_assert_null (removed);
  if (strstr (error->message, words) == NULL)
    g_error ("\"%s\" does not say \"%s\"", error->message, words);
}

static void
test_refused (void)
{
  g_auto (Fixture) fixture = { 0 };

  fixture_init (&fixture, "qcow2");
  check_refused ("junk", &fixture.rewrite, VK_ERROR_FAILED, "domain.xml:1");
  check_refused ("<pool/>", &fixture.rewrite, VK_ERROR_FAILED, "begins with <pool>");
  check_refused (DOMAIN ("<devices><disk/></devices>"), &fixture.rewrite, VK_ERROR_FAILED, "the target of a disk");
  fixture.rewrite.name = "\xff";
  check_refused (DOMAIN (""), &fixture.rewrite, VK_ERROR_REFUSED, "the name, \"\\377\", holds a byte");
  fixture.rewrite.name = "a\x01";
  check_refused (DOMAIN (""), &fixture.rewrite, VK_ERROR_REFUSED, "the name, \"a\\001\", holds a byte");
  fixture.rewrite.name = NULL;
  fixture.rewrite.nvram = "/\x7f\x80";
  check_refused (DOMAIN (""), &fixture.rewrite, VK_ERROR_REFUSED, "the path of the NVRAM file");
  fixture.rewrite.nvram = NULL;
  put_path (fixture.disks, "vdb", ".img");
  check_refused (DOMAIN ("<devices>" VDA ("") "</devices>"), &fixture.rewrite, VK_ERROR_FAILED, "has no disk 'vdb'");
  put_path (fixture.disks, "vda", "\xc3.img");
  check_refused (DOMAIN ("<devices>" VDA ("") "</devices>"), &fixture.rewrite, VK_ERROR_REFUSED, "the path of a restored disk");
}

static char *
rewrite_interfaces (const VkDomainRewrite *rewrite, GError **error)
{
  static const char xml[] =
      "<domain type='qemu'><name>guest</name><uuid>11111111-2222-3333-4444-555555555555</uuid><devices>"
      "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/old' index='1'/><target dev='vda' bus='virtio'/></disk>"
      "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='prod' portid='x'/></interface>"
      "<interface type='network'><mac address='52:54:00:00:00:02'/><source network='other'/></interface>"
      "<interface type='bridge'><mac address='52:54:00:00:00:03'/><source bridge='prod'/></interface>"
      "</devices></domain>";

  return vk_domain_xml_rewrite (xml, rewrite, NULL, error);
}

static void
test_networks (void)
{
  g_autoptr (GHashTable) networks = g_hash_table_new (g_str_hash, g_str_equal);
  VkDomainRewrite rewrite = { .networks = networks };
  g_autofree char *xml = NULL;
  g_autofree char *none = NULL;
  g_autoptr (GError) error = NULL;

  g_hash_table_insert (networks, "prod", "a&b");
  xml = rewrite_interfaces (&rewrite, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (xml, "<source network=\"a&amp;b\"/>"));
  g_assert_nonnull (strstr (xml, "<source network=\"other\"/>"));
  g_assert_nonnull (strstr (xml, "<source bridge=\"prod\"/>"));
  g_assert_nonnull (strstr (xml, "52:54:00:00:00:01"));
  g_hash_table_insert (networks, "absent", "lab");
  none = rewrite_interfaces (&rewrite, &error);
  g_assert_null (none);
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
  g_assert_nonnull (strstr (error->message, "'absent'"));
}

static void
test_new_parts (void)
{
  VkDomainRewrite new_macs = { .new_macs = TRUE };
  VkDomainRewrite new_uuid = { .new_uuid = TRUE };
  g_autoptr (GError) error = NULL;
  g_autofree char *macs = rewrite_interfaces (&new_macs, &error);
  g_autofree char *uuid = rewrite_interfaces (&new_uuid, &error);

  g_assert_no_error (error);
  g_assert_null (strstr (macs, "<mac"));
  g_assert_nonnull (strstr (macs, "<uuid>"));
  g_assert_nonnull (strstr (uuid, "<mac"));
  g_assert_null (strstr (uuid, "<uuid>"));
}

static void
test_block_device (void)
{
  g_autoptr (GHashTable) disks = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) block = g_hash_table_new (g_str_hash, g_str_equal);
  VkDomainRewrite rewrite = { .disks = disks, .block = block, .disk_format = "qcow2" };
  g_autoptr (GError) error = NULL;
  g_autofree char *xml = NULL;

  g_hash_table_insert (disks, "vda", "/dev/vg/x");
  g_hash_table_add (block, "vda");
  xml = rewrite_interfaces (&rewrite, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (xml, "<disk type=\"block\""));
  g_assert_nonnull (strstr (xml, "<source dev=\"/dev/vg/x\"/>"));
  g_assert_nonnull (strstr (xml, "type=\"raw\""));
}

/* text without the line breaks and what follows them between elements. */
static char *
without_indentation (const char *text)
{
  g_autoptr (GRegex) break_and_spaces = g_regex_new ("\n *", 0, 0, NULL);

  return g_regex_replace_literal (break_and_spaces, text, -1, 0, "", 0, NULL);
}

/* The <source> that a URI makes of the disk, or NULL with *error. */
static char *
rewrite_to_uri (const char *uri, GError **error)
{
  g_autoptr (GHashTable) disks = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) network = g_hash_table_new (g_str_hash, g_str_equal);
  VkDomainRewrite rewrite = { .disks = disks, .network = network, .disk_format = "qcow2" };
  g_autofree char *xml = NULL;
  g_autofree char *whole = NULL;
  const char *source;

  g_hash_table_insert (disks, "vda", (gpointer) uri);
  g_hash_table_add (network, "vda");
  xml = rewrite_interfaces (&rewrite, error);
  if (xml == NULL)
    return NULL;
  whole = without_indentation (xml);
  g_assert_nonnull (strstr (whole, "<disk type=\"network\""));
  g_assert_nonnull (strstr (whole, "<driver name=\"qemu\" type=\"raw\"/>"));
  source = strstr (whole, "<source protocol");
  g_assert_nonnull (source);
  return g_strndup (source, (gsize) (strstr (source, "<target") - source));
}

static void
test_network_disk (void)
{
  const struct { const char *uri; const char *source; } places[] = {
    { "nbd://store.example:10810/web%20a%26b", "<source protocol=\"nbd\" name=\"web a&amp;b\"><host name=\"store.example\" port=\"10810\"/></source>" },
    { "nbd+tcp://[::1]", "<source protocol=\"nbd\"><host name=\"::1\"/></source>" },
    { "nbd+unix:///web?socket=/run/a%3Fb", "<source protocol=\"nbd\" name=\"web\"><host transport=\"unix\" socket=\"/run/a?b\"/></source>" },
    { "nbd:unix:/run/x:y:exportname=a:b", "<source protocol=\"nbd\" name=\"a:b\"><host transport=\"unix\" socket=\"/run/x:y\"/></source>" },
    { "nbd:[::1]:10809", "<source protocol=\"nbd\"><host name=\"::1\" port=\"10809\"/></source>" },
    { "iscsi://store/iqn.2026-11.example:web/1", "<source protocol=\"iscsi\" name=\"iqn.2026-11.example:web/1\"><host name=\"store\"/></source>" },
    { "rbd:pool/web", "<source protocol=\"rbd\" name=\"pool/web\"/>" },
    { "rbd:pool/a\\:b:conf=/etc/ceph/other.conf", "<source protocol=\"rbd\" name=\"pool/a:b\"><config file=\"/etc/ceph/other.conf\"/></source>" },
  };
  static const char *const refused[] = {
    "rbd:web", "rbd:pool/web@then", "rbd:pool/web:id=me", "rbd:pool/web:conf=/a:key=secret", "iscsi://me%25secret@store/iqn.x/1", "iscsi://store/iqn.x",
    "nbd:store", "nbd:store:0", "nbd:unix:", "nbd+unix:///web", "nbd+unix:///web?socket=/a&other=b", "nbd:///web", "nbd://store/%01",
    "ssh://store/web.raw", "https://store/web.raw", "json:{\"driver\":\"null-co\"}", "nbd://store/%zz",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *source = rewrite_to_uri (places[i].uri, &error);

      g_assert_no_error (error);
      g_assert_cmpstr (source, ==, places[i].source);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *source = rewrite_to_uri (refused[i], &error);

      g_assert_null (source);
      g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
    }
}

int
main (int argc, char **argv)
{
  g_autoptr (xmlRelaxNG) schema = NULL;

  g_test_init (&argc, &argv, NULL);
  schema = samples_load_schema ();
  samples_add_tests ("/domain-rewrite/sample", schema, test_sample);
  samples_add_tests ("/domain-rewrite/sample-in-place", schema, test_sample_in_place);
  g_test_add_func ("/domain-rewrite/driver", test_driver);
  g_test_add_func ("/domain-rewrite/images-not-restored", test_images_not_restored);
  g_test_add_func ("/domain-rewrite/copied-image", test_copied_image);
  g_test_add_func ("/domain-rewrite/identity", test_identity);
  g_test_add_func ("/domain-rewrite/nvram", test_nvram);
  g_test_add_func ("/domain-rewrite/refused", test_refused);
  g_test_add_func ("/domain-rewrite/networks", test_networks);
  g_test_add_func ("/domain-rewrite/new-parts", test_new_parts);
  g_test_add_func ("/domain-rewrite/block-device", test_block_device);
  g_test_add_func ("/domain-rewrite/network-disk", test_network_disk);
  return g_test_run ();
}
