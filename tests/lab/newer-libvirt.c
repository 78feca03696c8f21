/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loaded (LD_PRELOAD) into virt-keep by a test: a libvirt whose version is the number in
 * VIRT_KEEP_LIBVIRT_VERSION.  The flags of virDomainBackupBegin() are written to the file that
 * VIRT_KEEP_LIBVIRT_FLAGS names, and those that the libvirt of this machine does not know are left out. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>

int
virConnectGetLibVersion (virConnectPtr connection, unsigned long *version)
{
  (void) connection;
  *version = strtoul (getenv ("VIRT_KEEP_LIBVIRT_VERSION"), NULL, 10);
  return 0;
}

int
virDomainBackupBegin (virDomainPtr domain, const char *backup_xml, const char *checkpoint_xml, unsigned int flags)
{
  __typeof__ (&virDomainBackupBegin) next = (__typeof__ (&virDomainBackupBegin)) dlsym (RTLD_NEXT, "virDomainBackupBegin");
  FILE *out = fopen (getenv ("VIRT_KEEP_LIBVIRT_FLAGS"), "w");

  if (out == NULL)
    abort ();
  fprintf (out, "%u\n", flags);
  fclose (out);
  return next (domain, backup_xml, checkpoint_xml, flags & VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL);
}
