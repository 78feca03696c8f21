/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From overlays to permanent disks, beneath a running guest: QEMU copies each disk,
 * what the guest writes meanwhile included, and goes over to the copy.  libvirt's block
 * pull would leave the disk in the overlay's place. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/xml-edit.h"
#include "boot/boot-private.h"
#include "host/domain-boot.h"
#include "host/domain-xml.h"

/* QEMU's user has to reach the disks. */
enum { DIRECTORY_MODE = 0711, POLL_MS = 50 };

typedef struct
{
  virDomainPtr domain;
  VkBoot *boot;
  char *directory; /* absolute */
  VkReporter *reporter;
  GCancellable *cancellable;
  gboolean again;  /* files of ours may lie there from an earlier attempt */
} Finish;

/* --- where the disks are now ---------------------------------------------- */

static char *
read_document (const Finish *finish, unsigned int flags, GError **error)
{
  char *text = virDomainGetXMLDesc (finish->domain, flags);
  char *copy = g_strdup (text);

  free (text);
  if (copy == NULL)
    vk_set_libvirt_error (error, NULL, "cannot read the document of the domain '%s'", finish->boot->name);
  return copy;
}

static VkDomainXml *
read_domain (const Finish *finish, GError **error)
{
  g_autofree char *text = read_document (finish, 0, error);

  return text ? vk_domain_xml_parse (text, error) : NULL;
}

static gboolean
is_below (const char *path, const char *directory)
{
  return path != NULL && g_str_has_prefix (path, directory) && path[strlen (directory)] == '/';
}

static char *
new_path (const Finish *finish, const char *target)
{
  g_autofree char *name = g_strconcat (target, ".qcow2", NULL);

  return g_build_filename (finish->directory, name, NULL);
}

static gboolean
is_overlay (const Finish *finish, const VkDisk *disk)
{
  return is_below (disk->path, finish->boot->overlays) && strcmp (disk->device, "disk") == 0;
}

/* --- one disk ------------------------------------------------------------- */

static gboolean
check_free (const Finish *finish, const char *path, GError **error)
{
  if (finish->again || access (path, F_OK) < 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "'%s' exists already and is not overwritten: name another directory with --to, or move it away", path);
}

/* Ends the copy, whoever has begun it, and removes what it has written. */
static void
abandon_copy (const Finish *finish, const char *target, const char *path)
{
  virDomainBlockJobInfo info;

  if (virDomainGetBlockJobInfo (finish->domain, target, &info, 0) == 1)
    virDomainBlockJobAbort (finish->domain, target, 0);
  unlink (path);
}

static gboolean
begin_copy (const Finish *finish, const char *target, const char *path, GError **error)
{
  g_autoptr (xmlDoc) doc = xmlNewDoc (BAD_CAST "1.0");
  xmlNode *disk = xmlNewNode (NULL, BAD_CAST "disk");
  g_autofree char *text = NULL;

  if (!vk_xml_check_value (path, "the path of the new disk", error))
    return FALSE;
  xmlDocSetRootElement (doc, disk);
  vk_xml_set_attribute (disk, "type", "file");
  vk_xml_set_attribute (xmlNewChild (disk, NULL, BAD_CAST "driver", NULL), "type", "qcow2");
  vk_xml_set_attribute (xmlNewChild (disk, NULL, BAD_CAST "source", NULL), "file", path);
  text = vk_xml_to_string (doc);
  abandon_copy (finish, target, path);
  if (virDomainBlockCopy (finish->domain, target, text, NULL, 0, VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB) == 0)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "cannot copy the disk '%s' to '%s'", target, path);
  return FALSE;
}

/* Goes over to the copy when it can be done: once the copy has caught up with the guest,
 * which by the numbers of a guest that never rests it never has.  TRUE with *done FALSE:
 * not yet. */
static gboolean
try_pivot (const Finish *finish, const char *target, gboolean *done, GError **error)
{
  *done = virDomainBlockJobAbort (finish->domain, target, VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT) == 0;
  if (*done || virGetLastErrorCode () == VIR_ERR_BLOCK_COPY_ACTIVE)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "QEMU did not go over to the copy of the disk '%s'", target);
  return FALSE;
}

static void
show (const Finish *finish, const char *target, const virDomainBlockJobInfo *info)
{
  VkProgressItem item = { .disk = target, .done = info->cur, .total = info->end };

  vk_reporter_progress (finish->reporter, &item, 1);
}

static gboolean
follow_copy (const Finish *finish, const char *target, const char *path, GError **error)
{
  gboolean done = FALSE;

  while (!done)
    {
      virDomainBlockJobInfo info;
      int found = virDomainGetBlockJobInfo (finish->domain, target, &info, 0);

      if (g_cancellable_set_error_if_cancelled (finish->cancellable, error))
        return FALSE;
      if (found < 0)
        {
          vk_set_libvirt_error (error, NULL, "cannot follow the copy of the disk '%s'", target);
          return FALSE;
        }
      if (found == 0)
        return vk_fail (error, VK_ERROR_STORE, "QEMU has given up copying the disk '%s' to '%s': is there room? The domain runs on from its overlay", target, path);
      show (finish, target, &info);
      if (!try_pivot (finish, target, &done, error))
        return FALSE;
      if (!done)
        g_usleep (POLL_MS * 1000);
    }
  return TRUE;
}

static gboolean
move_disk (const Finish *finish, const VkDisk *disk, GError **error)
{
  g_autofree char *path = new_path (finish, disk->target);

  if (begin_copy (finish, disk->target, path, error) && follow_copy (finish, disk->target, path, error))
    return TRUE;
  abandon_copy (finish, disk->target, path);
  return FALSE;
}

/* --- all disks ------------------------------------------------------------ */

static gboolean
check_targets (const Finish *finish, const VkDomainXml *domain, GError **error)
{
  for (guint i = 0; i < domain->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (domain->disks, i);
      g_autofree char *path = new_path (finish, disk->target);

      if (is_overlay (finish, disk) && !check_free (finish, path, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
move_disks (Finish *finish, GError **error)
{
  g_autoptr (VkDomainXml) domain = read_domain (finish, error);

  if (domain == NULL || !check_targets (finish, domain, error))
    return FALSE;
  /* From now on files in the directory may be what is left of an attempt. */
  g_free (finish->boot->finishing);
  finish->boot->finishing = g_strdup (finish->directory);
  if (!vk_boot_save (finish->boot, error))
    return FALSE;
  for (guint i = 0; i < domain->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (domain->disks, i);

      if (is_overlay (finish, disk) && !move_disk (finish, disk, error))
        return FALSE;
    }
  return TRUE;
}

/* --- the definition ------------------------------------------------------- */

/* The file that text, an attribute or element, names goes to the directory if it is one of
 * the copies; a running QEMU keeps the old one open. */
static gboolean
move_file (const Finish *finish, xmlNode *text, GError **error)
{
  g_autofree char *path = vk_xml_text (text, ".");
  g_autofree char *name = NULL;
  g_autofree char *to = NULL;

  if (!is_below (path, finish->boot->overlays))
    return TRUE;
  name = g_path_get_basename (path);
  to = g_build_filename (finish->directory, name, NULL);
  if (!check_free (finish, to, error))
    return FALSE;
  unlink (to);
  if (!vk_file_copy (path, to, error))
    return FALSE;
  if (text->type == XML_ATTRIBUTE_NODE)
    vk_xml_set_attribute (text->parent, (const char *) text->name, to);
  else
    vk_xml_set_text (text, to);
  return TRUE;
}

/* Returns: (transfer full). */
static char *
make_document (const Finish *finish, GError **error)
{
  g_autofree char *text = read_document (finish, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE, error);
  g_autofree char *plain = text ? vk_domain_xml_unboot (text, error) : NULL;
  g_autoptr (xmlDoc) doc = plain ? vk_xml_parse (plain, "domain.xml", error) : NULL;
  g_autoptr (GPtrArray) files = doc ? vk_xml_find_all (xmlDocGetRootElement (doc), "devices/disk/source/@file | os/kernel | os/initrd | os/dtb") : NULL;

  for (guint i = 0; files != NULL && i < files->len; i++)
    if (!move_file (finish, g_ptr_array_index (files, i), error))
      return NULL;
  return doc ? vk_xml_to_string (doc) : NULL;
}

static gboolean
define (const Finish *finish, VkHost *host, GError **error)
{
  g_autofree char *document = make_document (finish, error);
  g_autoptr (virDomain) defined = NULL;

  if (document == NULL)
    return FALSE;
  if (strstr (document, finish->boot->overlays) != NULL)
    return vk_fail (error, VK_ERROR_FAILED, "the domain '%s' still uses a file in '%s', which stays", finish->boot->name, finish->boot->overlays);
  defined = virDomainDefineXML (vk_host_connection (host), document);
  if (defined == NULL)
    {
      vk_set_libvirt_error (error, NULL, "libvirt did not define the domain '%s', which runs from '%s' now", finish->boot->name, finish->directory);
      return FALSE;
    }
  /* The mark goes with the next start in any case. */
  virDomainSetMetadata (finish->domain, VIR_DOMAIN_METADATA_ELEMENT, NULL, NULL, VK_BOOT_NAMESPACE, VIR_DOMAIN_AFFECT_LIVE);
  return TRUE;
}

/* --- all of it ------------------------------------------------------------ */

static gboolean
run (Finish *finish, VkHost *host, GError **error)
{
  finish->again = g_strcmp0 (finish->boot->finishing, finish->directory) == 0;
  if (finish->boot->finishing != NULL && !finish->again)
    return vk_fail (error, VK_ERROR_REFUSED, "the domain '%s' is on its way to '%s' already: finish it with --to there", finish->boot->name, finish->boot->finishing);
  if (!vk_directory_make (finish->directory, DIRECTORY_MODE, error))
    return FALSE;
  vk_reporter_phase (finish->reporter, "copy", "copying the disks");
  if (!move_disks (finish, error))
    return FALSE;
  vk_reporter_phase (finish->reporter, "define", "defining the domain");
  if (!define (finish, host, error))
    return FALSE;
  /* The firmware variables are the domain's now. */
  g_clear_pointer (&finish->boot->nvram, g_free);
  return vk_boot_save (finish->boot, error) && vk_boot_remove_files (finish->boot, VK_BOOT_GRACE, error);
}

gboolean
vk_boot_finish (VkHost *host, const char *name, const char *directory, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkBoot) boot = vk_boot_find (host, name, error);
  g_autoptr (virDomain) domain = NULL;
  g_autofree char *absolute = g_canonicalize_filename (directory, NULL);
  Finish finish = { .boot = boot, .directory = absolute, .reporter = reporter, .cancellable = cancellable };
  gboolean ok;
  int lock;

  if (boot == NULL)
    return FALSE;
  domain = virDomainLookupByUUIDString (vk_host_connection (host), boot->uuid);
  if (domain == NULL || virDomainIsActive (domain) != 1)
    return vk_fail (error, VK_ERROR_REFUSED, "the domain '%s' does not run any more; what it wrote is in '%s', above '%s': boot that again, or throw it away with --discard", name, boot->overlays, boot->point);
  lock = vk_boot_lock (boot->directory, FALSE, error);
  if (lock < 0)
    return FALSE;
  finish.domain = domain;
  ok = run (&finish, host, error);
  close (lock);
  return ok;
}
