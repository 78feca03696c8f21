/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/backup-begin.h"

#include <glib/gi18n.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "host/question.h"

/* What a person can do about a failed virDomainBackupBegin(), or NULL. */
static const char *
begin_hint (void)
{
  const char *words = virGetLastErrorMessage ();

  switch (virGetLastErrorCode ())
    {
    case VIR_ERR_OPERATION_TIMEOUT:
      return N_("another job holds the domain, see virsh domjobinfo");
    case VIR_ERR_CHECKPOINT_INCONSISTENT:
      return N_("its dirty bitmap is gone, a full backup starts a new one");
    case VIR_ERR_NO_SUPPORT:
      return N_("backups of running domains need libvirt 7.2 and QEMU 4.2 or newer on the host");
    default:
      break;
    }
  if (strstr (words, "Permission denied") != NULL)
    return N_("QEMU runs as a user of its own, which has to be able to reach that directory (chmod o+x on it and on those above it), and AppArmor or SELinux must allow it");
  if (strstr (words, "Unable to access credentials") != NULL)
    return N_("QEMU on that host has no certificates, see virt-keep-remote(7)");
  if (strstr (words, "Cannot assign requested address") != NULL)
    return N_("QEMU can listen only at an address of its own host: name that with --data-address");
  if (strstr (words, "Address already in use") != NULL)
    return N_("another program listens there, name another port with --data-address");
  if (strstr (words, "No such file or directory") != NULL)
    return N_("QEMU has its own view of mounted file systems: one mounted after the domain was started is not in it");
  return NULL;
}

/* Failures that are none of libvirt's own have a class of their own, which only
 * the words tell. */
static gboolean
claim_begin_error (const char *name, gboolean here, gboolean push, GError **error)
{
  const char *words = virGetLastErrorMessage ();
  const char *hint = here ? begin_hint ()
    : N_("in push mode QEMU writes on its own host, where the store has to be under the same path, as on shared storage, and open to QEMU: use --mode pull, which needs nothing there");

  if (strstr (words, "blockjob") != NULL || strstr (words, "block job") != NULL)
    vk_fail (error, VK_ERROR_BUSY, "libvirt did not begin the backup of '%s': %s: wait for that job, or end it with virsh blockjob --abort", name, words);
  else if (strstr (words, "NBD server already running") != NULL)
    vk_fail (error, VK_ERROR_BUSY, "libvirt did not begin the backup of '%s': %s: something else exports its disks; wait for that, or use --mode push", name, words);
  else if (push && hint != NULL && (strstr (words, "Permission denied") != NULL || strstr (words, "No such file or directory") != NULL))
    vk_fail (error, VK_ERROR_STORE, "libvirt did not begin the backup of '%s': %s: %s", name, words, _(hint));
  else
    return FALSE;
  return TRUE;
}

typedef struct
{
  char *backup_xml;
  char *checkpoint_xml; /* or NULL */
  unsigned int flags;
  gboolean here; /* the domain runs on this host */
} Begin;

static void
begin_free (gpointer data)
{
  Begin *begin = data;

  g_free (begin->backup_xml);
  g_free (begin->checkpoint_xml);
  g_free (begin);
}

static gboolean
begin_backup (virDomainPtr domain, gpointer data, GError **error)
{
  const char *name = virDomainGetName (domain);
  const Begin *begin = data;

  if (virDomainBackupBegin (domain, begin->backup_xml, begin->checkpoint_xml, begin->flags) == 0)
    return TRUE;
  if (!claim_begin_error (name, begin->here, (begin->flags & VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL) != 0, error))
    vk_set_libvirt_error (error, begin_hint (), "libvirt did not begin the backup of '%s'", name);
  return FALSE;
}

gboolean
vk_backup_begin (virDomainPtr domain, const char *backup_xml, const char *checkpoint_xml, unsigned int flags, gboolean here, GError **error)
{
  Begin *begin = g_new0 (Begin, 1);

  begin->backup_xml = g_strdup (backup_xml);
  begin->checkpoint_xml = g_strdup (checkpoint_xml);
  begin->flags = flags;
  begin->here = here;
  if (!vk_question_ask (domain, begin_backup, begin, begin_free, error))
    return FALSE;
  begin_free (begin);
  return TRUE;
}
