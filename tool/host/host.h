/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection to libvirt, with its events in GLib's main context. */
#pragma once

#include <gio/gio.h>
#include <libvirt/libvirt.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (virDomain, virDomainFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (virDomainCheckpoint, virDomainCheckpointFree)

typedef struct VkHost VkHost;

/* Connects to uri, or to what virsh would take: $VIRSH_DEFAULT_CONNECT_URI,
 * $LIBVIRT_DEFAULT_URI, libvirt's configuration and probing.
 * Returns: (transfer full), or NULL with VK_LIBVIRT_ERROR or VK_ERROR_REFUSED
 * (not a QEMU connection) set. */
VkHost *vk_host_open (const char *uri, GError **error);

/* The same, without anybody there to be asked for a password. */
VkHost *vk_host_open_unattended (const char *uri, GError **error);
void vk_host_free (VkHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkHost, vk_host_free)

/* (transfer none) */
virConnectPtr vk_host_connection (VkHost *host);

/* The URI that it was opened with, to open another one like it; NULL for libvirt's
 * choice.  Returns: (transfer none). */
const char *vk_host_requested_uri (VkHost *host);

/* Whether the connection broke since it was opened. */
gboolean vk_host_is_lost (VkHost *host);

/* Called from the main context when the connection breaks; NULL to stop. */
typedef void (*VkHostLostFunc) (gpointer user_data);
void vk_host_set_lost_func (VkHost *host, VkHostLostFunc func, gpointer user_data);

/* Closes a broken connection and opens it anew, trying for up to seconds.
 * Domain objects of the old connection are useless afterwards. */
gboolean vk_host_reconnect (VkHost *host, guint seconds, GError **error);

/* The domain that word names: an id, a UUID or a name, tried in virsh's
 * order.  Returns: (transfer full), or NULL with VK_ERROR_NOT_FOUND set. */
virDomainPtr vk_host_find_domain (VkHost *host, const char *word, GError **error);

/* "9.0.0".  Returns: (transfer full); "unknown" when libvirt does not tell. */
char *vk_host_libvirt_version (VkHost *host);

/* Whether the libvirt of the host, which need not be the one here, is at least that of version, in
 * the numbers of virConnectGetLibVersion(): 11010000 is 11.10.0. */
gboolean vk_host_libvirt_is_at_least (VkHost *host, unsigned long version);

/* "7.2.22", of the QEMU that libvirt would start now.  libvirt may have to
 * start one to know, which takes seconds: vk_monitor_qemu_version() asks the
 * running one. */
char *vk_host_qemu_version (VkHost *host);

/* The connection's canonical URI and the host's name.  Returns: (transfer full). */
char *vk_host_uri (VkHost *host);
char *vk_host_name (VkHost *host);

/* Whether the domains run on this machine, so that paths mean the same here
 * and there. */
gboolean vk_host_is_local (VkHost *host);

/* While work is done that does not run the main context, and may take long,
 * libvirt's keepalive has to be answered all the same: libvirtd drops a client
 * that is silent for half a minute.  A thread does it from start to stop. */
typedef struct VkHostPump VkHostPump;

VkHostPump *vk_host_pump_start (void);
void vk_host_pump_stop (VkHostPump *pump);

/* Runs the main context until *done or *or_done (may be NULL) is TRUE, the
 * deadline (monotonic microseconds) passes, or cancellable is cancelled. */
void vk_host_run_until (const gboolean *done, const gboolean *or_done, gint64 deadline, GCancellable *cancellable);
