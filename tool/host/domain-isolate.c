/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of the host a domain uses beside its disks, and what is left of that for one that
 * runs beside the original, or in isolation. */
#include "config.h"

#include <string.h>

#include "base/xml-edit.h"
#include "host/domain-boot.h"

typedef struct
{
  const char *expression; /* the elements */
  gboolean isolated;      /* only then they go */
  const char *warning;    /* or NULL when nobody misses them */
} Cut;

/* Whole elements that go. */
static const Cut cuts[] = {
  { "devices/hostdev | devices/interface[@type='hostdev' or @type='vdpa' or @type='vhostuser']", FALSE, "host devices are left out" },
  { "devices/filesystem", TRUE, "shared directories are left out" },
  { "devices/shmem", FALSE, "shared memory is left out" },
  { "devices/memory[source/path]", FALSE, "memory that is a file of the host is left out" },
  { "devices/redirdev[not(@type='spicevmc')] | devices/smartcard", FALSE, NULL },
  { "devices/vsock", TRUE, NULL },
  { "devices/tpm[not(backend/@type='emulator')]", FALSE, "the host's TPM is left out" },
  { "devices/input[@type='passthrough' or @type='evdev']", FALSE, NULL },
  { "devices/rng[backend/@model='egd']", TRUE, NULL },
  { "devices/lease", FALSE, NULL },
  { "devices/graphics[@type='egl-headless' or @type='sdl' or @type='rdp' or @type='dbus']", TRUE, NULL },
  { "devices/graphics/gl | devices/video/model/acceleration | devices/video/driver[@name='vhostuser']", TRUE, NULL },
  { "devices/*[self::serial or self::parallel or self::console or self::channel]/log", FALSE, NULL },
  { "*[namespace-uri() = 'http://libvirt.org/schemas/domain/qemu/1.0' and local-name() = 'commandline']", FALSE,
    "arguments that the document passes to QEMU by hand are left out" },
  { "*[namespace-uri() = 'http://libvirt.org/schemas/domain/qemu/1.0' and local-name() = 'override']", TRUE, NULL },
};

static void
cut_elements (xmlNode *root, gboolean isolated, GPtrArray *warnings)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cuts); i++)
    {
      if (cuts[i].isolated && !isolated)
        continue;
      if (cuts[i].warning != NULL && vk_xml_find (root, cuts[i].expression) != NULL)
        g_ptr_array_add (warnings, g_strdup (cuts[i].warning));
      vk_xml_remove_all (root, cuts[i].expression);
    }
}

/* A port that is a file, socket or device of the host becomes a pseudoterminal, a
 * channel a socket that libvirt names itself. */
static void
cut_ports (xmlNode *root)
{
  g_autoptr (GPtrArray) ports = vk_xml_find_all (root, "devices/*[self::serial or self::parallel or self::console or self::channel]"
                                                       "[not(@type='spicevmc' or @type='spiceport' or @type='null' or @type='qemu-vdagent')]");

  for (guint i = 0; i < ports->len; i++)
    {
      xmlNode *port = g_ptr_array_index (ports, i);
      gboolean is_channel = strcmp ((const char *) port->name, "channel") == 0;

      vk_xml_remove_all (port, "source | protocol | @tty");
      vk_xml_set_attribute (port, "type", is_channel ? "unix" : "pty");
      if (is_channel)
        vk_xml_set_attribute (xmlNewChild (port, NULL, BAD_CAST "source", NULL), "mode", "bind");
    }
}

/* Two displays cannot listen on one port. */
static void
cut_displays (xmlNode *root, gboolean isolated)
{
  g_autoptr (GPtrArray) displays = vk_xml_find_all (root, "devices/graphics[@type='vnc' or @type='spice']");

  for (guint i = 0; i < displays->len; i++)
    {
      xmlNode *display = g_ptr_array_index (displays, i);

      vk_xml_remove_all (display, "@port | @tlsPort | @websocket | @socket | listen[@type='socket']");
      if (!isolated)
        {
          vk_xml_set_attribute (display, "autoport", "yes");
          continue;
        }
      vk_xml_remove_all (display, "@autoport | @listen | listen | channel");
      vk_xml_set_attribute (xmlNewChild (display, NULL, BAD_CAST "listen", NULL), "type", "none");
    }
}

/* The sound of the host. */
static void
cut_sound (xmlNode *root)
{
  g_autoptr (GPtrArray) backends = vk_xml_find_all (root, "devices/audio");

  for (guint i = 0; i < backends->len; i++)
    {
      xmlNode *backend = g_ptr_array_index (backends, i);

      vk_xml_remove_all (backend, "node() | @*[not(name() = 'id')]");
      vk_xml_set_attribute (backend, "type", "none");
    }
}

/* Media that are devices of the host. */
static void
cut_media (xmlNode *root)
{
  g_autoptr (GPtrArray) drives = vk_xml_find_all (root, "devices/disk[(@device='cdrom' or @device='floppy') and (@type='block' or @type='dir')]");

  for (guint i = 0; i < drives->len; i++)
    {
      xmlNode *drive = g_ptr_array_index (drives, i);

      vk_xml_remove_all (drive, "source | driver/@type | backingStore");
      vk_xml_set_attribute (drive, "type", "file");
    }
}

void
vk_domain_xml_cut_off (xmlNode *root, gboolean isolated, GPtrArray *warnings)
{
  g_autoptr (GPtrArray) sockets = NULL;

  cut_elements (root, isolated, warnings);
  cut_ports (root);
  cut_displays (root, isolated);
  /* The number of a socket is the host's to give. */
  sockets = vk_xml_find_all (root, "devices/vsock/cid");
  for (guint i = 0; i < sockets->len; i++)
    {
      vk_xml_remove_all (g_ptr_array_index (sockets, i), "@address");
      vk_xml_set_attribute (g_ptr_array_index (sockets, i), "auto", "yes");
    }
  if (!isolated)
    return;
  cut_sound (root);
  cut_media (root);
}
