/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "host/domain-boot.h"

#define UUID "11111111-2222-3333-4444-555555555555"
#define NAME "a<b&c@20261124T200000Z"

static const char document[] =
  "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>x</name>"
  "<metadata><virt-keep:boot xmlns:virt-keep='" VK_BOOT_NAMESPACE "' point='old'/><o:o xmlns:o='urn:o'/></metadata>"
  "<memory unit='GiB'>4</memory><currentMemory unit='GiB'>2</currentMemory>"
  "<os><type>hvm</type></os><devices>"
  "<disk type='file' device='disk'><driver name='qemu' type='qcow2' io='native' cache='none'/><source file='/o/vda.qcow2'/><target dev='vda'/></disk>"
  "<disk type='block' device='cdrom'><source dev='/dev/sr0'/><target dev='sda'/><readonly/></disk>"
  "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/><target dev='tap7'/><model type='virtio'/><bandwidth/></interface>"
  "<interface type='hostdev'><source><address type='pci'/></source></interface>"
  "<serial type='file'><source path='/var/log/guest.log'/><target port='0'/></serial>"
  "<channel type='unix'><source mode='bind' path='/run/agent.sock'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
  "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>"
  "<graphics type='vnc' port='5901' autoport='no' listen='0.0.0.0'><listen type='address' address='0.0.0.0'/></graphics>"
  "<hostdev mode='subsystem' type='pci'/><filesystem type='mount'><source dir='/srv'/><target dir='srv'/></filesystem>"
  "<shmem name='s'/><vsock><cid auto='no' address='3'/></vsock><audio id='1' type='pulseaudio'/>"
  "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
  "</devices><qemu:commandline><qemu:arg value='-x'/></qemu:commandline></domain>";

typedef struct
{
  VkDomainBoot boot;
  GHashTable *sockets;
  GPtrArray *warnings;
} Fixture;

static void
fixture_init (Fixture *fixture)
{
  fixture->sockets = g_hash_table_new (g_str_hash, g_str_equal);
  fixture->warnings = g_ptr_array_new_with_free_func (g_free);
  fixture->boot = (VkDomainBoot) { .uuid = UUID, .point = NAME, .store_id = "0123abcd", .sockets = fixture->sockets, .network = "none" };
  g_hash_table_insert (fixture->sockets, (gpointer) "vda", (gpointer) "/doors & co/vda.nbd");
}

static void
fixture_clear (Fixture *fixture)
{
  g_hash_table_unref (fixture->sockets);
  g_ptr_array_unref (fixture->warnings);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

/* The document for the fixture.  Returns: (transfer full). */
static xmlDoc *
boot_ok (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = vk_domain_xml_boot (document, &fixture->boot, fixture->warnings, &error);
  xmlDoc *doc;

  g_assert_no_error (error);
  doc = vk_xml_parse (text, "result", &error);
  g_assert_no_error (error);
  return doc;
}

static void
assert_text (xmlDoc *doc, const char *expression, const char *expected)
{
  g_autofree char *text = vk_xml_text (xmlDocGetRootElement (doc), expression);

  g_assert_cmpstr (text, ==, expected);
}

static void
assert_none (xmlDoc *doc, const char *expression)
{
  if (vk_xml_find (xmlDocGetRootElement (doc), expression) != NULL)
    g_error ("there is a %s", expression);
}

static void
test_alone (void)
{
  g_auto (Fixture) fixture = { 0 };
  g_autoptr (xmlDoc) doc = NULL;

  fixture_init (&fixture);
  fixture.boot.memory = G_GUINT64_CONSTANT (96) << 20;
  doc = boot_ok (&fixture);
  assert_text (doc, "uuid", UUID);
  assert_text (doc, "metadata/*[namespace-uri() = '" VK_BOOT_NAMESPACE "']/@point", NAME);
  assert_none (doc, "metadata/*[@point = 'old']");
  g_assert_nonnull (vk_xml_find (xmlDocGetRootElement (doc), "metadata/*[local-name() = 'o']"));
  assert_text (doc, "devices/disk[1]/backingStore/source/host/@socket", "/doors & co/vda.nbd");
  g_assert_nonnull (vk_xml_find (xmlDocGetRootElement (doc), "devices/disk[1]/backingStore/backingStore[not(*)]"));
  assert_text (doc, "memory", "98304");
  assert_none (doc, "currentMemory");
  /* Nobody else is here: the host's things stay, but for the network. */
  g_assert_nonnull (vk_xml_find (xmlDocGetRootElement (doc), "devices/hostdev"));
  assert_text (doc, "devices/serial/@type", "file");
  assert_text (doc, "devices/interface[1]/@type", "user");
  assert_text (doc, "devices/interface[1]/link/@state", "down");
  assert_text (doc, "devices/interface[1]/mac/@address", "52:54:00:00:00:01");
  assert_none (doc, "devices/interface/source | devices/interface/target | devices/interface/bandwidth");
  g_assert_cmpuint (fixture.warnings->len, ==, 0);
}

static void
test_beside (void)
{
  g_auto (Fixture) fixture = { 0 };
  g_autoptr (xmlDoc) doc = NULL;

  fixture_init (&fixture);
  fixture.boot.beside = TRUE;
  fixture.boot.network = "same";
  doc = boot_ok (&fixture);
  assert_none (doc, "devices/hostdev | devices/shmem | devices/interface[@type = 'hostdev'] | *[local-name() = 'commandline']");
  assert_text (doc, "devices/interface/source/@bridge", "br0");
  assert_none (doc, "devices/interface/target");
  assert_text (doc, "devices/serial/@type", "pty");
  assert_none (doc, "devices/serial/source");
  assert_none (doc, "devices/channel[1]/source/@path");
  assert_text (doc, "devices/channel[2]/@type", "spicevmc");
  assert_none (doc, "devices/graphics/@port");
  assert_text (doc, "devices/graphics/listen/@address", "0.0.0.0");
  assert_text (doc, "devices/vsock/cid/@auto", "yes");
  g_assert_nonnull (vk_xml_find (xmlDocGetRootElement (doc), "devices/filesystem"));
  g_assert_cmpuint (fixture.warnings->len, ==, 3);
}

static void
test_isolated (void)
{
  g_auto (Fixture) fixture = { 0 };
  g_autoptr (xmlDoc) doc = NULL;

  fixture_init (&fixture);
  fixture.boot.isolated = TRUE;
  fixture.boot.console_log = "/log & co";
  doc = boot_ok (&fixture);
  assert_none (doc, "devices/interface | devices/hostdev | devices/filesystem | devices/shmem | devices/vsock");
  assert_none (doc, "devices/disk[@device = 'cdrom']/source");
  assert_text (doc, "devices/disk[1]/driver/@cache", "unsafe");
  assert_none (doc, "devices/disk[1]/driver/@io");
  assert_text (doc, "devices/graphics/listen/@type", "none");
  assert_none (doc, "devices/graphics/@listen | devices/graphics/@autoport");
  assert_text (doc, "devices/audio/@type", "none");
  assert_text (doc, "devices/serial/log/@file", "/log & co");
  g_assert_nonnull (vk_xml_find (xmlDocGetRootElement (doc), "devices/rng"));
}

static void
test_network (void)
{
  g_auto (Fixture) fixture = { 0 };
  g_autoptr (xmlDoc) doc = NULL;

  fixture_init (&fixture);
  fixture.boot.network = "lab <1>";
  doc = boot_ok (&fixture);
  assert_text (doc, "devices/interface[1]/@type", "network");
  assert_text (doc, "devices/interface[1]/source/@network", "lab <1>");
  assert_none (doc, "devices/interface[1]/source/@bridge");
}

static void
assert_fails (Fixture *fixture, const char *xml, int code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_domain_xml_boot (xml, &fixture->boot, fixture->warnings, &error));
  g_assert_error (error, VK_ERROR, code);
}

static void
test_refused (void)
{
  static const char numa[] = "<domain><cpu><numa><cell id='0' memory='1'/></numa></cpu><devices><disk><target dev='vda'/></disk></devices></domain>";
  g_auto (Fixture) fixture = { 0 };

  fixture_init (&fixture);
  assert_fails (&fixture, "<domain><devices/></domain>", VK_ERROR_FAILED);
  assert_fails (&fixture, "<network/>", VK_ERROR_FAILED);
  fixture.boot.memory = 1 << 30;
  assert_fails (&fixture, numa, VK_ERROR_REFUSED);
  fixture.boot.memory = 0;
  fixture.boot.network = "\x01";
  assert_fails (&fixture, document, VK_ERROR_REFUSED);
}

static void
test_unboot (void)
{
  g_auto (Fixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *booted = NULL;
  g_autofree char *text = NULL;
  g_autoptr (xmlDoc) doc = NULL;

  fixture_init (&fixture);
  fixture.boot.console_log = "/log";
  booted = vk_domain_xml_boot (document, &fixture.boot, fixture.warnings, &error);
  g_assert_no_error (error);
  text = vk_domain_xml_unboot (booted, &error);
  g_assert_no_error (error);
  doc = vk_xml_parse (text, "result", &error);
  assert_none (doc, "devices/disk/backingStore | devices/serial/log | metadata/*[namespace-uri() = '" VK_BOOT_NAMESPACE "']");
  g_assert_nonnull (vk_xml_find (xmlDocGetRootElement (doc), "metadata/*[local-name() = 'o']"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/domain-boot/alone", test_alone);
  g_test_add_func ("/domain-boot/beside", test_beside);
  g_test_add_func ("/domain-boot/isolated", test_isolated);
  g_test_add_func ("/domain-boot/network", test_network);
  g_test_add_func ("/domain-boot/refused", test_refused);
  g_test_add_func ("/domain-boot/unboot", test_unboot);
  return g_test_run ();
}
