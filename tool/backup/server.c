/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "backup/server.h"

#include <gio/gio.h>
#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "remote/ssh-command.h"

const char *const vk_transport_words[] = { "auto", "unix", "ssh", "tls", "tcp", NULL };

/* Where the certificates of libvirt's and QEMU's servers lie, too. */
static const char *const tls_directories[] = { "/etc/pki/libvirt-backup", "/etc/pki/qemu", NULL };

/* The files that libnbd takes from such a directory. */
static const char *const tls_files[] = { "ca-cert.pem", "client-cert.pem", "client-key.pem", NULL };

static gboolean
choose_transport (VkServerRequest *request, VkHost *host, const char *uri, GError **error)
{
  g_autofree char *scheme = g_uri_parse_scheme (uri);

  if (vk_host_is_local (host))
    request->transport = VK_TRANSPORT_UNIX;
  else if (vk_ssh_is_named (uri))
    request->transport = VK_TRANSPORT_SSH;
  else if (g_strcmp0 (scheme, "qemu+tls") == 0 || g_strcmp0 (scheme, "qemu") == 0)
    request->transport = VK_TRANSPORT_TLS; /* qemu://HOST/ is libvirt's short word for it */
  else
    return vk_fail (error, VK_ERROR_REFUSED, "libvirt is connected through '%s', and the disks would have to be sent some other way: name one with --transport: tls, or tcp for a network on which nobody listens", uri);
  return TRUE;
}

static gboolean
find_certificates (VkServerRequest *request, GError **error)
{
  for (gsize i = 0; request->tls_dir == NULL && tls_directories[i] != NULL; i++)
    if (vk_directory_has (tls_directories[i], tls_files))
      request->tls_dir = tls_directories[i];
  if (request->tls_dir != NULL && vk_directory_has (request->tls_dir, tls_files))
    return TRUE;
  vk_fail (error, VK_ERROR_REFUSED, "the certificates of this client are not in '%s': put ca-cert.pem, client-cert.pem and client-key.pem there, or name another directory with --tls-creds; virt-keep-remote(7) shows how they are made",
               request->tls_dir ? request->tls_dir : tls_directories[0]);
  return FALSE;
}

gboolean
vk_server_request_settle (VkServerRequest *request, VkHost *host, GError **error)
{
  g_autofree char *uri = vk_host_uri (host);

  if (request->transport == VK_TRANSPORT_AUTO && !choose_transport (request, host, uri, error))
    return FALSE;
  if (request->transport == VK_TRANSPORT_UNIX && !vk_host_is_local (host))
    vk_fail (error, VK_ERROR_USAGE, "--transport unix is for domains on this host: a unix socket of another one is reached with --transport ssh");
  else if (request->transport == VK_TRANSPORT_SSH && (vk_host_is_local (host) || !vk_ssh_is_named (uri)))
    vk_fail (error, VK_ERROR_USAGE, "--transport ssh is for connections through ssh, such as -c qemu+ssh://root@host/system");
  else if (request->transport != VK_TRANSPORT_TLS && request->transport != VK_TRANSPORT_TCP && request->address != NULL)
    vk_fail (error, VK_ERROR_USAGE, "--data-address is for --transport tls and tcp: a socket has none");
  else if (request->transport != VK_TRANSPORT_TLS && request->tls_dir != NULL)
    vk_fail (error, VK_ERROR_USAGE, "--tls-creds is for --transport tls");
  else
    return request->transport != VK_TRANSPORT_TLS || find_certificates (request, error);
  return FALSE;
}

char *
vk_server_address (const VkServerRequest *request, VkHost *host)
{
  g_autofree char *text = vk_host_uri (host);
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_PARSE_RELAXED, NULL);
  const char *name = uri ? g_uri_get_host (uri) : NULL;

  if (request->address != NULL)
    return g_strdup (request->address);
  return g_strdup (name != NULL && *name != '\0' ? name : "localhost");
}

char *
vk_server_resolve (const char *address, GCancellable *cancellable, GError **error)
{
  g_autoptr (GResolver) resolver = g_resolver_get_default ();
  g_autoptr (GError) failure = NULL;
  GList *found = g_resolver_lookup_by_name (resolver, address, cancellable, &failure);
  char *number = found ? g_inet_address_to_string (found->data) : NULL;

  g_resolver_free_addresses (found);
  if (number != NULL)
    return number;
  if (!g_cancellable_set_error_if_cancelled (cancellable, error))
    vk_fail (error, VK_ERROR_NOT_FOUND, "the address of '%s' is not known: %s: name another one with --data-address", address, failure->message);
  return NULL;
}

char *
vk_server_uri (const char *address, guint port, gboolean tls, const char *export_name)
{
  g_autofree char *name = g_uri_escape_string (export_name, NULL, FALSE);
  gboolean ipv6 = strchr (address, ':') != NULL;

  return g_strdup_printf ("%s://%s%s%s:%u/%s", tls ? "nbds" : "nbd", ipv6 ? "[" : "", address, ipv6 ? "]" : "", port, name);
}
