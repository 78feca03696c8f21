/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/guest-info.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "host/agent.h"

enum { STRING_LIMIT = 256, LIST_LIMIT = 128, ANSWER_SECONDS = 5 };

/* --- what the guest may say -------------------------------------------------------- */

static void
set_text (JsonObject *object, const char *member, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  gsize length = strlen (valid);

  if (length > STRING_LIMIT)
    {
      length = (gsize) (g_utf8_find_prev_char (valid, valid + STRING_LIMIT + 1) - valid);
      valid[length] = '\0';
    }
  for (char *next = valid; *next != '\0'; next = g_utf8_next_char (next))
    if (g_ascii_iscntrl (*next))
      *next = '?';
  vk_json_set_string (object, member, valid);
}

static const char *
find_string (virTypedParameterPtr parameters, int n, const char *name)
{
  const char *value = NULL;

  return virTypedParamsGetString (parameters, n, name, &value) == 1 ? value : NULL;
}

static void
copy_string (JsonObject *object, const char *member, virTypedParameterPtr parameters, int n, const char *name)
{
  const char *value = find_string (parameters, n, name);

  if (value != NULL)
    set_text (object, member, value);
}

static void
copy_bytes (JsonObject *object, const char *member, virTypedParameterPtr parameters, int n, const char *name)
{
  unsigned long long value;

  if (virTypedParamsGetULLong (parameters, n, name, &value) == 1)
    json_object_set_int_member (object, member, (gint64) MIN (value, (unsigned long long) G_MAXINT64));
}

static guint
find_count (virTypedParameterPtr parameters, int n, const char *name)
{
  unsigned int value;

  return virTypedParamsGetUInt (parameters, n, name, &value) == 1 ? MIN (value, LIST_LIMIT) : 0;
}

/* --- os and file systems ------------------------------------------------------------- */

static void
add_os (JsonObject *guest, virTypedParameterPtr parameters, int n)
{
  g_autoptr (JsonObject) os = json_object_new ();

  copy_string (os, "id", parameters, n, "os.id");
  copy_string (os, "name", parameters, n, "os.pretty-name");
  copy_string (os, "version", parameters, n, "os.version-id");
  copy_string (os, "kernel", parameters, n, "os.kernel-release");
  copy_string (os, "machine", parameters, n, "os.machine");
  if (json_object_get_size (os) > 0)
    json_object_set_object_member (guest, "os", g_steal_pointer (&os));
}

static JsonObject *
filesystem (virTypedParameterPtr parameters, int n, guint number)
{
  static const struct
  {
    const char *member;
    const char *name;
  } strings[] = { { "mountpoint", "mountpoint" }, { "device", "name" }, { "type", "fstype" } },
    sizes[] = { { "total_bytes", "total-bytes" }, { "used_bytes", "used-bytes" } };
  g_autofree char *count = g_strdup_printf ("fs.%u.disk.count", number);
  guint disks = find_count (parameters, n, count);
  JsonArray *targets = json_array_new ();
  JsonObject *object = json_object_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (strings); i++)
    {
      g_autofree char *name = g_strdup_printf ("fs.%u.%s", number, strings[i].name);

      copy_string (object, strings[i].member, parameters, n, name);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *name = g_strdup_printf ("fs.%u.%s", number, sizes[i].name);

      copy_bytes (object, sizes[i].member, parameters, n, name);
    }
  for (guint i = 0; i < disks; i++)
    {
      g_autofree char *name = g_strdup_printf ("fs.%u.disk.%u.alias", number, i);
      g_autoptr (JsonObject) disk = json_object_new ();

      /* The target, as libvirt has found it for the address that the guest gave. */
      copy_string (disk, "target", parameters, n, name);
      if (json_object_has_member (disk, "target"))
        json_array_add_string_element (targets, json_object_get_string_member (disk, "target"));
    }
  json_object_set_array_member (object, "disks", targets);
  return object;
}

void
vk_guest_info_add_parameters (JsonObject *guest, virTypedParameterPtr parameters, int n)
{
  guint count = find_count (parameters, n, "fs.count");
  JsonArray *filesystems;

  add_os (guest, parameters, n);
  copy_string (guest, "hostname", parameters, n, "hostname");
  if (count == 0)
    return;
  filesystems = json_array_new ();
  for (guint i = 0; i < count; i++)
    json_array_add_object_element (filesystems, filesystem (parameters, n, i));
  json_object_set_array_member (guest, "filesystems", filesystems);
}

/* --- interfaces -------------------------------------------------------------------------- */

static JsonArray *
addresses (virDomainInterfacePtr interface)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < MIN (interface->naddrs, LIST_LIMIT); i++)
    {
      g_autofree char *text = g_strdup_printf ("%s/%u", interface->addrs[i].addr ? interface->addrs[i].addr : "", interface->addrs[i].prefix);
      g_autoptr (JsonObject) clean = json_object_new ();

      set_text (clean, "address", text);
      json_array_add_string_element (array, json_object_get_string_member (clean, "address"));
    }
  return array;
}

void
vk_guest_info_add_interfaces (JsonObject *guest, virDomainInterfacePtr *interfaces, int n)
{
  JsonArray *array;

  if (n <= 0)
    return;
  array = json_array_new ();
  for (int i = 0; i < MIN (n, LIST_LIMIT); i++)
    {
      JsonObject *object = json_object_new ();

      set_text (object, "name", interfaces[i]->name ? interfaces[i]->name : "");
      if (interfaces[i]->hwaddr != NULL)
        set_text (object, "mac", interfaces[i]->hwaddr);
      json_object_set_array_member (object, "addresses", addresses (interfaces[i]));
      json_array_add_object_element (array, object);
    }
  json_object_set_array_member (guest, "interfaces", array);
}

/* --- asking ---------------------------------------------------------------------------------- */

static void
ask_parameters (virDomainPtr domain, JsonObject *guest, unsigned int type)
{
  virTypedParameterPtr parameters = NULL;
  int n = 0;

  if (virDomainGetGuestInfo (domain, type, &parameters, &n, 0) < 0)
    return;
  vk_guest_info_add_parameters (guest, parameters, n);
  virTypedParamsFree (parameters, n);
}

static void
ask_interfaces (virDomainPtr domain, JsonObject *guest)
{
  virDomainInterfacePtr *interfaces = NULL;
  int n = virDomainInterfaceAddresses (domain, &interfaces, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, 0);

  vk_guest_info_add_interfaces (guest, interfaces, n);
  for (int i = 0; i < n; i++)
    virDomainInterfaceFree (interfaces[i]);
  free (interfaces);
}

JsonObject *
vk_guest_info_get (virDomainPtr domain)
{
  /* One that the agent does not know would make libvirt refuse them all. */
  static const unsigned int types[] = { VIR_DOMAIN_GUEST_INFO_OS, VIR_DOMAIN_GUEST_INFO_HOSTNAME, VIR_DOMAIN_GUEST_INFO_FILESYSTEM };
  g_autoptr (JsonObject) guest = json_object_new ();

  vk_agent_limit_answers (domain, ANSWER_SECONDS);
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    ask_parameters (domain, guest, types[i]);
  ask_interfaces (domain, guest);
  vk_agent_limit_answers (domain, 0);
  return json_object_get_size (guest) > 0 ? g_steal_pointer (&guest) : NULL;
}
