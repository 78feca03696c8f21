/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest tells of itself is bounded and made readable, whatever it is. */
#include "config.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "base/json.h"
#include "host/guest-info.h"

typedef struct
{
  virTypedParameterPtr list;
  int n;
  int room;
} Parameters;

static void
add_string (Parameters *parameters, const char *name, const char *value)
{
  g_assert_cmpint (virTypedParamsAddString (&parameters->list, &parameters->n, &parameters->room, name, value), ==, 0);
}

static void
add_uint (Parameters *parameters, const char *name, unsigned int value)
{
  g_assert_cmpint (virTypedParamsAddUInt (&parameters->list, &parameters->n, &parameters->room, name, value), ==, 0);
}

static void
add_ullong (Parameters *parameters, const char *name, unsigned long long value)
{
  g_assert_cmpint (virTypedParamsAddULLong (&parameters->list, &parameters->n, &parameters->room, name, value), ==, 0);
}

/* The JSON of them, which are freed. */
static char *
told (Parameters *parameters)
{
  g_autoptr (JsonObject) guest = json_object_new ();

  vk_guest_info_add_parameters (guest, parameters->list, parameters->n);
  virTypedParamsFree (parameters->list, parameters->n);
  return vk_json_to_string (guest, FALSE);
}

static void
test_plain (void)
{
  Parameters parameters = { 0 };
  g_autofree char *text = NULL;

  add_string (&parameters, "os.id", "debian");
  add_string (&parameters, "os.pretty-name", "Debian GNU/Linux 12");
  add_string (&parameters, "hostname", "web");
  add_uint (&parameters, "fs.count", 1);
  add_string (&parameters, "fs.0.mountpoint", "/");
  add_string (&parameters, "fs.0.name", "vda1");
  add_string (&parameters, "fs.0.fstype", "ext4");
  add_ullong (&parameters, "fs.0.total-bytes", 1000);
  add_ullong (&parameters, "fs.0.used-bytes", 10);
  add_uint (&parameters, "fs.0.disk.count", 1);
  add_string (&parameters, "fs.0.disk.0.alias", "vda");
  text = told (&parameters);
  g_assert_cmpstr (text, ==, "{\"os\":{\"id\":\"debian\",\"name\":\"Debian GNU/Linux 12\"},\"hostname\":\"web\","
                             "\"filesystems\":[{\"mountpoint\":\"/\",\"device\":\"vda1\",\"type\":\"ext4\",\"total_bytes\":1000,\"used_bytes\":10,\"disks\":[\"vda\"]}]}");
}

static void
test_nothing (void)
{
  Parameters parameters = { 0 };
  g_autofree char *text = told (&parameters);

  g_assert_cmpstr (text, ==, "{}");
}

static void
test_wrong_types (void)
{
  Parameters parameters = { 0 };
  g_autofree char *text = NULL;

  add_uint (&parameters, "hostname", 7);
  add_string (&parameters, "fs.count", "1");
  add_ullong (&parameters, "os.id", 3);
  virResetLastError ();
  text = told (&parameters);
  g_assert_cmpstr (text, ==, "{}");
}

static void
test_unreadable (void)
{
  Parameters parameters = { 0 };
  g_autofree char *text = NULL;

  add_string (&parameters, "hostname", "a\033[2Jb\n\377");
  text = told (&parameters);
  g_assert_cmpstr (text, ==, "{\"hostname\":\"a?[2Jb?\357\277\275\"}");
}

/* Cut between characters. */
static void
test_long (void)
{
  Parameters parameters = { 0 };
  g_autoptr (GString) name = g_string_new ("x");
  g_autofree char *text = NULL;
  g_autoptr (JsonObject) guest = NULL;
  const char *kept;

  while (name->len < 100000)
    g_string_append (name, "\303\244");
  add_string (&parameters, "hostname", name->str);
  text = told (&parameters);
  guest = vk_json_parse (text, "guest", NULL);
  g_assert_nonnull (guest);
  kept = json_object_get_string_member (guest, "hostname");
  g_assert_cmpuint (strlen (kept), ==, 255);
  g_assert_true (g_utf8_validate (kept, -1, NULL));
}

static void
test_many (void)
{
  Parameters parameters = { 0 };
  g_autofree char *text = NULL;
  g_autoptr (JsonObject) guest = NULL;
  JsonArray *filesystems;

  add_uint (&parameters, "fs.count", G_MAXUINT);
  add_uint (&parameters, "fs.0.disk.count", G_MAXUINT);
  add_ullong (&parameters, "fs.0.total-bytes", G_MAXUINT64);
  text = told (&parameters);
  guest = vk_json_parse (text, "guest", NULL);
  g_assert_nonnull (guest);
  filesystems = json_object_get_array_member (guest, "filesystems");
  g_assert_cmpuint (json_array_get_length (filesystems), ==, 128);
  g_assert_cmpint (json_object_get_int_member (json_array_get_object_element (filesystems, 0), "total_bytes"), ==, G_MAXINT64);
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (json_array_get_object_element (filesystems, 0), "disks")), ==, 0);
}

static void
test_interfaces (void)
{
  g_autoptr (JsonObject) guest = json_object_new ();
  virDomainIPAddress address = { .type = 0, .addr = (char *) "192.0.2.7", .prefix = 24 };
  virDomainInterface odd = { .name = (char *) "a\tb", .hwaddr = NULL, .naddrs = 0, .addrs = NULL };
  virDomainInterface plain = { .name = (char *) "eth0", .hwaddr = (char *) "52:54:00:00:00:01", .naddrs = 1, .addrs = &address };
  virDomainInterfacePtr list[200] = { &plain };
  g_autofree char *text = NULL;

  vk_guest_info_add_interfaces (guest, list, -1);
  g_assert_cmpuint (json_object_get_size (guest), ==, 0);
  vk_guest_info_add_interfaces (guest, list, 1);
  text = vk_json_to_string (guest, FALSE);
  g_assert_cmpstr (text, ==, "{\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"52:54:00:00:00:01\",\"addresses\":[\"192.0.2.7/24\"]}]}");
  for (gsize i = 0; i < G_N_ELEMENTS (list); i++)
    list[i] = &odd;
  vk_guest_info_add_interfaces (guest, list, G_N_ELEMENTS (list));
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (guest, "interfaces")), ==, 128);
  g_assert_cmpstr (json_object_get_string_member (json_array_get_object_element (json_object_get_array_member (guest, "interfaces"), 5), "name"), ==, "a?b");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (virInitialize (), ==, 0);
  g_test_add_func ("/guest-info/what a guest tells is kept", test_plain);
  g_test_add_func ("/guest-info/a guest that tells nothing", test_nothing);
  g_test_add_func ("/guest-info/values of other types are left out", test_wrong_types);
  g_test_add_func ("/guest-info/control characters and other bytes become harmless", test_unreadable);
  g_test_add_func ("/guest-info/long words are cut", test_long);
  g_test_add_func ("/guest-info/long lists are cut, and large numbers are the largest", test_many);
  g_test_add_func ("/guest-info/interfaces", test_interfaces);
  return g_test_run ();
}
