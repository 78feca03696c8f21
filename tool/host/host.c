/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/host.h"

#include <inttypes.h>
#include <libvirt-glib/libvirt-glib.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "host/keepalive.h"

/* A libvirtd that does not answer for this long counts as lost. */
enum { KEEPALIVE_SECONDS = 5, KEEPALIVE_COUNT = 3 };

/* For libvirtd to accept us: it may just be starting, or a person be typing a password. */
enum { OPEN_SECONDS = 60 };

struct VkHost
{
  char *requested_uri; /* NULL: libvirt's choice */
  gboolean unattended;
  virConnectPtr connection;
  VkKeepalive *keepalive;
  gboolean lost;
  VkHostLostFunc lost_func;
  gpointer lost_data;
};

static void
ignore_libvirt_message (void *user_data, virErrorPtr error)
{
  /* libvirt's default prints to stderr what we report through GError. */
}

static void
connection_closed (virConnectPtr connection, int reason, void *user_data)
{
  VkHost *host = user_data;

  if (reason == VIR_CONNECT_CLOSE_REASON_CLIENT)
    return;
  host->lost = TRUE;
  if (host->lost_func != NULL)
    host->lost_func (host->lost_data);
}

/* A connection being opened, by a thread of its own: virConnectOpenAuth() has no limit
 * of time, and the kernel accepts connections to a libvirtd that hangs. */
typedef struct
{
  char *uri;
  gboolean unattended; /* nobody can be asked for a password */
  GMutex mutex;
  GCond ended;
  gboolean done;
  gboolean abandoned; /* nobody waits any more: the thread frees it */
  virConnectPtr connection;
  char *message; /* libvirt's, without a connection */
} Opening;

static void
opening_free (Opening *opening)
{
  if (opening->connection != NULL)
    virConnectClose (opening->connection);
  g_mutex_clear (&opening->mutex);
  g_cond_clear (&opening->ended);
  g_free (opening->uri);
  g_free (opening->message);
  g_free (opening);
}

static gpointer
open_connection (gpointer user_data)
{
  Opening *opening = user_data;
  virConnectPtr connection = opening->unattended ? virConnectOpen (opening->uri) : virConnectOpenAuth (opening->uri, virConnectAuthPtrDefault, 0);
  gboolean abandoned;

  g_mutex_lock (&opening->mutex);
  opening->connection = connection;
  if (connection == NULL)
    opening->message = g_strdup (virGetLastErrorMessage ());
  opening->done = TRUE;
  abandoned = opening->abandoned;
  g_cond_signal (&opening->ended);
  g_mutex_unlock (&opening->mutex);
  if (abandoned)
    opening_free (opening);
  return NULL;
}

/* NULL with libvirt's *message, to be freed, when it fails or takes longer. */
static virConnectPtr
open_within (const VkHost *host, gint64 microseconds, char **message)
{
  gint64 deadline = g_get_monotonic_time () + microseconds;
  Opening *opening = g_new0 (Opening, 1);
  virConnectPtr connection;
  GThread *thread;
  gboolean in_time = TRUE;

  opening->uri = g_strdup (host->requested_uri);
  opening->unattended = host->unattended;
  g_mutex_init (&opening->mutex);
  g_cond_init (&opening->ended);
  thread = g_thread_new ("connect", open_connection, opening);
  g_mutex_lock (&opening->mutex);
  while (!opening->done && in_time)
    in_time = g_cond_wait_until (&opening->ended, &opening->mutex, deadline);
  opening->abandoned = !opening->done;
  in_time = opening->done;
  g_mutex_unlock (&opening->mutex);
  if (!in_time)
    {
      g_thread_unref (thread);
      *message = g_strdup_printf ("it accepts no connection within %" PRId64 " seconds, as if it hung", microseconds / G_USEC_PER_SEC);
      return NULL;
    }
  g_thread_join (thread);
  connection = g_steal_pointer (&opening->connection);
  *message = g_steal_pointer (&opening->message);
  opening_free (opening);
  return connection;
}

static gboolean
connect_host (VkHost *host, gint64 microseconds, GError **error)
{
  g_autofree char *message = NULL;
  const char *type;

  host->connection = open_within (host, microseconds, &message);
  if (host->connection == NULL)
    {
      vk_fail (error, VK_ERROR_CONNECTION, "cannot connect to libvirt%s%s: %s: is libvirtd (or virtqemud) running, and may this user use it? -c names another URI",
                   host->requested_uri ? " at " : "", host->requested_uri ? host->requested_uri : "", message);
      return FALSE;
    }
  type = virConnectGetType (host->connection);
  if (g_strcmp0 (type, "QEMU") != 0)
    return vk_fail (error, VK_ERROR_REFUSED, "the connection leads to a '%s' hypervisor, virt-keep backs up QEMU domains: use a qemu:// URI with -c", type ? type : "unknown");
  host->lost = FALSE;
  virConnectRegisterCloseCallback (host->connection, connection_closed, host, NULL);
  virConnectSetKeepAlive (host->connection, KEEPALIVE_SECONDS, KEEPALIVE_COUNT);
  return TRUE;
}

static VkHost *
open_host (const char *uri, gboolean unattended, GError **error)
{
  g_autoptr (VkHost) host = g_new0 (VkHost, 1);
  const char *virsh_uri = g_getenv ("VIRSH_DEFAULT_CONNECT_URI");

  virSetErrorFunc (NULL, ignore_libvirt_message);
  gvir_event_register ();
  host->unattended = unattended;
  host->requested_uri = g_strdup (uri ? uri : (virsh_uri && *virsh_uri ? virsh_uri : NULL));
  if (!connect_host (host, OPEN_SECONDS * G_USEC_PER_SEC, error))
    return NULL;
  host->keepalive = vk_keepalive_start ();
  return g_steal_pointer (&host);
}

VkHost *
vk_host_open (const char *uri, GError **error)
{
  return open_host (uri, FALSE, error);
}

VkHost *
vk_host_open_unattended (const char *uri, GError **error)
{
  return open_host (uri, TRUE, error);
}

static void
disconnect_host (VkHost *host)
{
  if (host->connection == NULL)
    return;
  virConnectUnregisterCloseCallback (host->connection, connection_closed);
  virConnectClose (host->connection);
  host->connection = NULL;
}

void
vk_host_free (VkHost *host)
{
  disconnect_host (host);
  vk_keepalive_stop (host->keepalive);
  g_free (host->requested_uri);
  g_free (host);
}

virConnectPtr
vk_host_connection (VkHost *host)
{
  return host->connection;
}

const char *
vk_host_requested_uri (VkHost *host)
{
  return host->requested_uri;
}

gboolean
vk_host_is_lost (VkHost *host)
{
  return host->lost;
}

void
vk_host_set_lost_func (VkHost *host, VkHostLostFunc func, gpointer user_data)
{
  host->lost_func = func;
  host->lost_data = user_data;
}

gboolean
vk_host_reconnect (VkHost *host, guint seconds, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + (gint64) seconds * G_USEC_PER_SEC;

  for (;;)
    {
      g_autoptr (GError) failure = NULL;

      disconnect_host (host);
      if (connect_host (host, MAX (deadline - g_get_monotonic_time (), G_USEC_PER_SEC), &failure))
        return TRUE;
      if (g_get_monotonic_time () >= deadline)
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      g_usleep (G_USEC_PER_SEC / 4);
    }
}

virDomainPtr
vk_host_find_domain (VkHost *host, const char *word, GError **error)
{
  virDomainPtr domain = NULL;
  guint64 id;

  if (g_ascii_string_to_unsigned (word, 10, 0, G_MAXINT, &id, NULL))
    domain = virDomainLookupByID (host->connection, (int) id);
  if (domain == NULL && strlen (word) == VIR_UUID_STRING_BUFLEN - 1)
    domain = virDomainLookupByUUIDString (host->connection, word);
  if (domain == NULL)
    domain = virDomainLookupByName (host->connection, word);
  if (domain != NULL)
    return domain;
  if (virGetLastErrorCode () == VIR_ERR_NO_DOMAIN)
    vk_fail (error, VK_ERROR_NOT_FOUND, "libvirt knows no domain '%s': see virsh list --all", word);
  else
    vk_set_libvirt_error (error, NULL, "cannot look up the domain '%s'", word);
  return NULL;
}

/* libvirt packs versions as 1000000 * major + 1000 * minor + micro. */
static char *
unpack_version (gboolean known, unsigned long version)
{
  if (!known)
    return g_strdup ("unknown");
  return g_strdup_printf ("%lu.%lu.%lu", version / 1000000, version / 1000 % 1000, version % 1000);
}

char *
vk_host_libvirt_version (VkHost *host)
{
  unsigned long version = 0;
  gboolean known = virConnectGetLibVersion (host->connection, &version) == 0;

  return unpack_version (known, version);
}

gboolean
vk_host_libvirt_is_at_least (VkHost *host, unsigned long version)
{
  unsigned long there = 0;

  return virConnectGetLibVersion (host->connection, &there) == 0 && there >= version;
}

char *
vk_host_qemu_version (VkHost *host)
{
  unsigned long version = 0;
  gboolean known = virConnectGetVersion (host->connection, &version) == 0;

  return unpack_version (known && version > 0, version);
}

/* libvirt's strings are malloc()ed. */
static char *
take_string (char *text)
{
  char *copy = g_strdup (text ? text : "unknown");

  free (text);
  return copy;
}

char *
vk_host_uri (VkHost *host)
{
  return take_string (virConnectGetURI (host->connection));
}

char *
vk_host_name (VkHost *host)
{
  return take_string (virConnectGetHostname (host->connection));
}

gboolean
vk_host_is_local (VkHost *host)
{
  g_autofree char *text = vk_host_uri (host);
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_PARSE_RELAXED, NULL);
  const char *name = uri ? g_uri_get_host (uri) : NULL;

  /* Behind a port of this host may be a tunnel to another one. */
  return name == NULL || *name == '\0' || (strcmp (name, "localhost") == 0 && g_uri_get_port (uri) == -1);
}

struct VkHostPump
{
  GThread *thread;
  int stopping; /* atomic */
};

static gpointer
run_pump (gpointer user_data)
{
  VkHostPump *pump = user_data;

  while (!g_atomic_int_get (&pump->stopping))
    g_main_context_iteration (NULL, TRUE);
  return NULL;
}

VkHostPump *
vk_host_pump_start (void)
{
  VkHostPump *pump = g_new0 (VkHostPump, 1);

  pump->thread = g_thread_new ("libvirt", run_pump, pump);
  return pump;
}

void
vk_host_pump_stop (VkHostPump *pump)
{
  g_atomic_int_set (&pump->stopping, 1);
  g_main_context_wakeup (NULL);
  g_thread_join (pump->thread);
  g_free (pump);
}

static gboolean
wake_up (gpointer user_data)
{
  return G_SOURCE_REMOVE;
}

static gboolean
wake_up_cancelled (GCancellable *cancellable, gpointer user_data)
{
  return G_SOURCE_REMOVE;
}

void
vk_host_run_until (const gboolean *done, const gboolean *or_done, gint64 deadline, GCancellable *cancellable)
{
  gint64 left = MAX (deadline - g_get_monotonic_time (), 0) / 1000 + 1;
  g_autoptr (GSource) timer = g_timeout_source_new ((guint) MIN (left, G_MAXINT));
  g_autoptr (GSource) cancelled = cancellable ? g_cancellable_source_new (cancellable) : NULL;

  g_source_set_callback (timer, wake_up, NULL, NULL);
  g_source_attach (timer, NULL);
  if (cancelled != NULL)
    {
      g_source_set_callback (cancelled, G_SOURCE_FUNC (wake_up_cancelled), NULL, NULL);
      g_source_attach (cancelled, NULL);
    }
  while (!*done && !(or_done && *or_done) && !g_cancellable_is_cancelled (cancellable) && g_get_monotonic_time () < deadline)
    g_main_context_iteration (NULL, TRUE);
  g_source_destroy (timer);
  if (cancelled != NULL)
    g_source_destroy (cancelled);
}
