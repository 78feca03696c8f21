/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs, libvirt and QEMU: whether they are there, and new enough. */
#include "config.h"

#include <glib/gi18n.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "base/xml.h"
#include "doctor/doctor-private.h"
#include "view/nbd-server.h"

/* --- programs ---------------------------------------------------------------- */

static const struct
{
  const char *name;
  gboolean needed;
  const char *purpose;
} programs[] = {
  { "qemu-img", TRUE, "makes and checks images" },
  { "qemu-nbd", TRUE, "writes and reads images" },
  { "nbdkit", FALSE, "reads the disks of a restic store" },
  { "restic", FALSE, "removes from restic stores, copies and mounts them" },
  { "guestfish", FALSE, "finds and copies files in restore points (ls, get)" },
};

static void
check_plugin (VkDoctor *doctor)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *path = vk_nbdkit_find_plugin (&failure);

  if (path != NULL)
    vk_doctor_add (doctor, "host", NULL, "nbdkit-plugin", VK_CHECK_OK, NULL, "nbdkit's plugin that reads restic stores is %s", path);
  else
    vk_doctor_add (doctor, "host", NULL, "nbdkit-plugin", doctor->request->store_is_restic ? VK_CHECK_PROBLEM : VK_CHECK_NOTE, NULL, "%s", failure->message);
}

void
vk_doctor_check_programs (VkDoctor *doctor)
{
  for (gsize i = 0; i < G_N_ELEMENTS (programs); i++)
    {
      g_autoptr (GError) failure = NULL;
      g_autofree char *path = vk_process_find (programs[i].name, &failure);
      gboolean needed = programs[i].needed || (doctor->request->store_is_restic && strcmp (programs[i].name, "nbdkit") == 0);

      if (path != NULL)
        vk_doctor_add (doctor, "host", NULL, programs[i].name, VK_CHECK_OK, NULL, "%s is %s", programs[i].name, path);
      else
        vk_doctor_add (doctor, "host", NULL, programs[i].name, needed ? VK_CHECK_PROBLEM : VK_CHECK_NOTE, failure->message, "%s is missing, which %s", programs[i].name, programs[i].purpose);
    }
  check_plugin (doctor);
}

/* --- libvirt and QEMU --------------------------------------------------------- */

/* What needs which version; the first of each is what a backup needs. */
typedef struct
{
  guint major, minor;
  gboolean needed;
  const char *feature;
} Need;

static const Need libvirt_needs[] = {
  { 7, 2, TRUE, "backups and checkpoints of running domains" },
};

static const Need qemu_needs[] = {
  { 4, 2, TRUE, "backups and checkpoints of running domains" },
  { 5, 2, FALSE, "asking it which exports are left after a backup: the locks of the images tell instead" },
  { 7, 1, FALSE, "screenshots as PNG: virt-keep prove converts them" },
};

static void
check_version (VkDoctor *doctor, const char *word, const char *name, const char *version, const Need *needs, gsize count)
{
  guint major, minor;
  gboolean good = TRUE;

  /* libvirt has made it of numbers.  NOLINTNEXTLINE(cert-err34-c) */
  if (sscanf (version, "%u.%u", &major, &minor) != 2)
    {
      vk_doctor_add (doctor, "host", NULL, word, VK_CHECK_NOTE, NULL, "the version of %s is not known", name);
      return;
    }
  for (gsize i = 0; i < count; i++)
    if (major < needs[i].major || (major == needs[i].major && minor < needs[i].minor))
      {
        good = FALSE;
        vk_doctor_add (doctor, "host", NULL, word, needs[i].needed ? VK_CHECK_PROBLEM : VK_CHECK_NOTE, needs[i].needed ? N_("install a newer one") : NULL,
                       "%s is %s, and %u.%u or newer is needed for %s", name, version, needs[i].major, needs[i].minor, needs[i].feature);
      }
  if (good)
    vk_doctor_add (doctor, "host", NULL, word, VK_CHECK_OK, NULL, "%s is %s", name, version);
}

/* libvirt says so of the emulator that a new domain would get. */
static void
check_capabilities (VkDoctor *doctor)
{
  char *text = virConnectGetDomainCapabilities (vk_host_connection (doctor->host), NULL, NULL, NULL, NULL, 0);
  g_autofree char *said = text ? NULL : g_strdup (virGetLastErrorMessage ());
  g_autoptr (xmlDoc) doc = text ? vk_xml_parse (text, "domain capabilities", NULL) : NULL;
  g_autofree char *supported = doc ? vk_xml_text (xmlDocGetRootElement (doc), "features/backup/@supported") : NULL;

  free (text);
  if (g_strcmp0 (supported, "yes") == 0)
    vk_doctor_add (doctor, "host", NULL, "backup-support", VK_CHECK_OK, NULL, "libvirt and QEMU support backups with checkpoints");
  else if (supported != NULL)
    vk_doctor_add (doctor, "host", NULL, "backup-support", VK_CHECK_PROBLEM, N_("install libvirt 7.2 and QEMU 4.2 or newer"), "libvirt says that backups with checkpoints are not supported");
  else
    vk_doctor_add (doctor, "host", NULL, "backup-support", VK_CHECK_NOTE, NULL, "libvirt does not say whether backups are supported%s%s", said ? ": " : "", said ? said : "");
}

static void
ignore_event (virConnectPtr connection, virDomainPtr domain, gpointer opaque)
{
}

static void
check_events (VkDoctor *doctor)
{
  virConnectPtr connection = vk_host_connection (doctor->host);
  int id = virConnectDomainEventRegisterAny (connection, NULL, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK (ignore_event), NULL, NULL);

  if (id < 0)
    {
      vk_doctor_add (doctor, "host", NULL, "events", VK_CHECK_PROBLEM, N_("virt-keep learns from events how a job has ended: give it a connection that has them"), "libvirt sends no events: %s", virGetLastErrorMessage ());
      return;
    }
  virConnectDomainEventDeregisterAny (connection, id);
  vk_doctor_add (doctor, "host", NULL, "events", VK_CHECK_OK, NULL, "libvirt sends the events of jobs");
}

void
vk_doctor_check_host (VkDoctor *doctor)
{
  g_autofree char *uri = vk_host_uri (doctor->host);
  g_autofree char *libvirt = vk_host_libvirt_version (doctor->host);
  g_autofree char *qemu = vk_host_qemu_version (doctor->host);

  if (vk_host_is_local (doctor->host))
    vk_doctor_add (doctor, "host", NULL, "connection", VK_CHECK_OK, NULL, "the connection is %s, to QEMU on this machine", uri);
  else
    vk_doctor_add (doctor, "host", NULL, "connection", VK_CHECK_NOTE, N_("run virt-keep on the machine on which the domains run"), "the connection is %s, to QEMU on another machine, where paths need not mean the same", uri);
  check_version (doctor, "libvirt", "libvirt", libvirt, libvirt_needs, G_N_ELEMENTS (libvirt_needs));
  check_version (doctor, "qemu", "QEMU", qemu, qemu_needs, G_N_ELEMENTS (qemu_needs));
  check_capabilities (doctor);
  check_events (doctor);
}
