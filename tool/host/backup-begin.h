/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virDomainBackupBegin(), whose failures libvirt has few codes for. */
#pragma once

#include <glib.h>
#include <libvirt/libvirt.h>

/* Begins the backup job, and waits no longer for QEMU than question.h says.  flags are
 * libvirt's; VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL means push mode.  here: the domain runs on this
 * host.  checkpoint_xml may be NULL.
 * FALSE with VK_ERROR_BUSY beside another job; VK_ERROR_STORE when QEMU cannot reach the images
 * that it is to write; VK_ERROR_GUEST as in vk_question_ask(); else of libvirt. */
gboolean vk_backup_begin (virDomainPtr domain, const char *backup_xml, const char *checkpoint_xml, unsigned int flags, gboolean here, GError **error);
