/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "boot/start-private.h"
#include "host/domain-boot.h"
#include "host/domain-rewrite.h"
#include "host/domain-xml.h"
#include "host/qemu-user.h"

enum { DOMAIN_XML_LIMIT = 16 << 20 };

static gboolean
load_document (VkBootStart *start, GError **error)
{
  const VkManifestFile *stored = vk_manifest_find_file (start->point->manifest, "domain-inactive-xml");

  if (stored == NULL)
    return vk_fail (error, VK_ERROR_STORE, "the restore point '%s' holds no domain XML", start->boot->point);
  start->document = vk_store_load_file (start->store, start->point, stored, DOMAIN_XML_LIMIT, error);
  return start->document != NULL;
}

/* --- before anything is made ---------------------------------------------- */

static gboolean
check_network (VkBootStart *start, GError **error)
{
  const char *name = start->request->network;
  virNetworkPtr network;

  if (name == NULL || strcmp (name, "none") == 0 || strcmp (name, "same") == 0)
    return TRUE;
  network = virNetworkLookupByName (vk_host_connection (start->host), name);
  if (network != NULL)
    {
      virNetworkFree (network);
      return TRUE;
    }
  if (virGetLastErrorCode () == VIR_ERR_NO_NETWORK)
    vk_fail (error, VK_ERROR_NOT_FOUND, "libvirt knows no network '%s': see virsh net-list --all", name);
  else
    vk_set_libvirt_error (error, NULL, "cannot look up the network '%s'", name);
  return FALSE;
}

static gboolean
check_host (VkBootStart *start, GError **error)
{
  if (vk_host_is_local (start->host))
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "a domain is booted from a restore point on the host where virt-keep runs, since it reads the store through it: run virt-keep there");
}

static gboolean
original_is_here (VkBootStart *start)
{
  g_autoptr (virDomain) domain = virDomainLookupByUUIDString (vk_host_connection (start->host), start->point->manifest->domain_uuid);

  return domain != NULL;
}

/* --- the domain ----------------------------------------------------------- */

static void
warn (VkBootStart *start, GStrv removed)
{
  GPtrArray *warnings = start->boot->warnings;

  for (gsize i = 0; removed != NULL && removed[i] != NULL; i++)
    g_ptr_array_add (warnings, g_strdup_printf ("the disk '%s' is not in the restore point and was left out of the domain", removed[i]));
  if (vk_manifest_find_file (start->point->manifest, "swtpm") != NULL)
    g_ptr_array_add (warnings, g_strdup ("the emulated TPM begins empty: its state in the restore point is not used, so that what the guest has sealed with it stays closed"));
}

/* Returns: (transfer full). */
static char *
make_document (VkBootStart *start, GError **error)
{
  const VkBootRequest *request = start->request;
  VkDomainRewrite rewrite = {
    .name = start->boot->name,
    .new_identity = start->beside,
    .disks = start->boot->disks,
    .disk_format = "qcow2",
    .copied = start->copied,
    .nvram = start->boot->nvram,
    .kernel = g_hash_table_lookup (start->files, "kernel"),
    .initrd = g_hash_table_lookup (start->files, "initrd"),
    .dtb = g_hash_table_lookup (start->files, "dtb"),
  };
  VkDomainBoot boot = {
    .uuid = start->boot->uuid,
    .point = start->boot->point,
    .store_id = start->boot->store_id,
    .sockets = start->sockets,
    .memory = request->memory,
    .network = request->network ? request->network : "none",
    .beside = start->beside,
    .isolated = request->isolated,
    .console_log = request->console_log,
  };
  g_auto (GStrv) removed = NULL;
  g_autofree char *rewritten = vk_domain_xml_rewrite (start->document, &rewrite, &removed, error);
  char *document = rewritten ? vk_domain_xml_boot (rewritten, &boot, start->boot->warnings, error) : NULL;

  if (document != NULL)
    warn (start, removed);
  return document;
}

/* libvirt has made variables from a template for a domain that came without. */
static gboolean
note_nvram (VkBootStart *start, virDomainPtr domain, GError **error)
{
  char *text;
  g_autoptr (VkDomainXml) live = NULL;

  if (!start->beside || start->boot->nvram != NULL)
    return TRUE;
  text = virDomainGetXMLDesc (domain, 0);
  live = text ? vk_domain_xml_parse (text, NULL) : NULL;
  free (text);
  if (live == NULL || live->nvram == NULL)
    return TRUE;
  start->boot->nvram = g_strdup (live->nvram);
  return vk_boot_save (start->boot, error);
}

static gboolean
start_domain (VkBootStart *start, GError **error)
{
  unsigned int flags = (start->request->paused ? VIR_DOMAIN_START_PAUSED : 0) | (start->request->autodestroy ? VIR_DOMAIN_START_AUTODESTROY : 0);
  g_autofree char *document = make_document (start, error);
  g_autoptr (virDomain) domain = NULL;

  if (document == NULL || g_cancellable_set_error_if_cancelled (start->cancellable, error))
    return FALSE;
  domain = virDomainCreateXML (vk_host_connection (start->host), document, flags);
  if (domain == NULL)
    {
      vk_set_libvirt_error (error, NULL, "libvirt did not start the domain '%s'", start->boot->name);
      return FALSE;
    }
  if (note_nvram (start, domain, error) && !g_cancellable_set_error_if_cancelled (start->cancellable, error))
    return TRUE;
  virDomainDestroy (domain);
  return FALSE;
}

/* --- all of it ------------------------------------------------------------ */

static gboolean
run (VkBootStart *start, GError **error)
{
  if (!check_host (start, error) || !check_network (start, error) || !load_document (start, error)
      || !vk_host_qemu_user (start->host, start->document, &start->has_user, &start->uid, &start->gid, error))
    return FALSE;
  start->beside = start->request->isolated || original_is_here (start);
  vk_reporter_phase (start->reporter, "open", "opening the restore point");
  if (!vk_boot_reserve (start, error) || !vk_boot_prepare (start, error))
    return FALSE;
  vk_reporter_phase (start->reporter, "start", "starting the domain");
  return start_domain (start, error);
}

/* After a failure: the doors end with our connections. */
static void
undo (VkBootStart *start)
{
  g_autoptr (GError) failure = NULL;

  g_ptr_array_set_size (start->doors, 0);
  if (start->boot->directory == NULL)
    return;
  if (start->boot->overlays == NULL)
    start->boot->overlays = g_strdup (start->boot->directory);
  if (!vk_boot_remove_files (start->boot, VK_BOOT_GRACE, &failure))
    vk_reporter_warning (start->reporter, failure->message);
}

static void
clear (VkBootStart *start)
{
  /* QEMU has its own connections by now. */
  g_ptr_array_unref (start->doors);
  g_hash_table_unref (start->sockets);
  g_hash_table_unref (start->copied);
  g_hash_table_unref (start->files);
  g_free (start->document);
  if (start->lock >= 0)
    close (start->lock);
}

VkBoot *
vk_boot_start (VkHost *host, VkStore *store, const VkPoint *point, const VkBootRequest *request, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkBoot) boot = g_new0 (VkBoot, 1);
  VkBootStart start = { .host = host, .store = store, .point = point, .request = request, .reporter = reporter, .cancellable = cancellable, .boot = boot, .lock = -1 };
  gboolean ok;

  boot->disks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  boot->warnings = g_ptr_array_new_with_free_func (g_free);
  start.sockets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  start.copied = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  start.files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  start.doors = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_lasting_door_free);
  ok = run (&start, error);
  if (!ok)
    undo (&start);
  clear (&start);
  return ok ? g_steal_pointer (&boot) : NULL;
}
