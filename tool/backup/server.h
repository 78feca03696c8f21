/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the disks come from QEMU to us in pull mode. */
#pragma once

#include <glib.h>

#include "host/host.h"

typedef enum
{
  VK_TRANSPORT_AUTO, /* the safe one for the connection to libvirt */
  VK_TRANSPORT_UNIX, /* a unix socket on this host */
  VK_TRANSPORT_SSH,  /* one on the other host, forwarded */
  VK_TRANSPORT_TLS,  /* TCP, encrypted, with certificates on both sides */
  VK_TRANSPORT_TCP,  /* TCP in the clear, for everybody who reaches the port */
} VkTransport;

/* The words of --transport, in the order of the enum. */
extern const char *const vk_transport_words[];

/* The ports that are tried when none is named: the one that IANA has given to NBD, and those behind
 * it. */
enum { VK_FIRST_PORT = 10809, VK_PORTS = 100 };

typedef struct
{
  VkTransport transport;
  const char *address; /* TLS, TCP: host name or address at which QEMU is reached; NULL: as libvirt */
  guint port;          /* TLS, TCP: 0 for a free one */
  const char *tls_dir; /* TLS: with ca-cert.pem, client-cert.pem and client-key.pem */
} VkServerRequest;

/* Replaces VK_TRANSPORT_AUTO by what fits the connection, and finds the certificates.
 * VK_ERROR_USAGE about a transport that cannot be with it, VK_ERROR_REFUSED when there is none that is
 * safe, or no certificates. */
gboolean vk_server_request_settle (VkServerRequest *request, VkHost *host, GError **error);

/* The name or address at which QEMU is reached over TCP.  Returns: (transfer full). */
char *vk_server_address (const VkServerRequest *request, VkHost *host);

/* The same as a number, for QEMU to listen at.  VK_ERROR_NOT_FOUND when it has none.
 * Returns: (transfer full), or NULL. */
char *vk_server_resolve (const char *address, GCancellable *cancellable, GError **error);

/* The NBD URI of an export over TCP.  Returns: (transfer full). */
char *vk_server_uri (const char *address, guint port, gboolean tls, const char *export_name);
