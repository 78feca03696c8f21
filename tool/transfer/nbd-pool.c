/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/nbd-pool.h"

#include <errno.h>
#include <inttypes.h>

#include "base/environment.h"

enum
{
  CONNECT_TIMEOUT_MS = 30000,
  /* What every server must take when it does not say more. */
  DEFAULT_MAX_PAYLOAD = 32 * 1024 * 1024,
};

struct connection
{
  struct nbd_handle *nbd; /* NULL once given up */
  gboolean ready;
};

struct VkNbdPool
{
  char *uri;
  char *tls_dir;
  char *name;
  char **contexts;
  VkError error_code;
  guint64 size;
  guint64 max_payload;
  GArray *connections; /* of struct connection; the first one is always ready */
  gboolean flushed;
  int flush_failure; /* errno */
};

static struct connection *
connection_at (VkNbdPool *pool, guint index)
{
  return &g_array_index (pool->connections, struct connection, index);
}

static gboolean
is_lost (struct nbd_handle *nbd)
{
  return nbd_aio_is_dead (nbd) == 1 || nbd_aio_is_closed (nbd) == 1;
}

/* libnbd's words for the call that has just failed.  Of a connection that was
 * closed at the other end it has none to say. */
static char *
last_words (gboolean failed)
{
  return g_strdup (failed ? nbd_get_error () : "the server closed it");
}

/* Returns FALSE, to be returned. */
static gboolean
set_lost_error (VkNbdPool *pool, const char *words, GError **error)
{
  return vk_fail (error, (int) pool->error_code, "%s: the connection to its NBD server was lost: %s", pool->name, words);
}

static gboolean
set_connect_error (const VkNbdPool *pool, const char *words, GError **error)
{
  return vk_fail (error, (int) pool->error_code, "%s: cannot connect to the NBD export %s: %s", pool->name, pool->uri, words);
}

static struct nbd_handle *
begin_connection (const VkNbdPool *pool, GError **error)
{
  struct nbd_handle *nbd = nbd_create ();
  gboolean ok = nbd != NULL;

#if LIBNBD_HAVE_NBD_SET_PREAD_INITIALIZE
  /* Buffers are looked at only after a read without an error. */
  ok = ok && nbd_set_pread_initialize (nbd, false) == 0;
#endif
  for (guint i = 0; ok && pool->contexts != NULL && pool->contexts[i] != NULL; i++)
    ok = nbd_add_meta_context (nbd, pool->contexts[i]) == 0;
  ok = ok && (pool->tls_dir == NULL || nbd_set_tls_certificates (nbd, pool->tls_dir) == 0);
  ok = ok && nbd_aio_connect_uri (nbd, pool->uri) == 0;
  if (!ok)
    {
      g_autofree char *words = last_words (TRUE);

      set_connect_error (pool, words, error);
      nbd_close (nbd);
      return NULL;
    }
  return nbd;
}

static struct pollfd
pollfd_of (struct nbd_handle *nbd)
{
  struct pollfd fd = { .fd = -1 };
  unsigned direction = nbd_aio_get_direction (nbd);

  if (direction == 0 || is_lost (nbd))
    return fd;
  fd.fd = nbd_aio_get_fd (nbd);
  fd.events = (short) ((direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) | (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0));
  return fd;
}

/* Forgets the commands whose callbacks have run.  The callbacks could have it
 * done by returning 1, but libnbd 1.14 then uses a command after freeing it
 * when the connection dies while the command is being started. */
static void
retire_commands (struct nbd_handle *nbd)
{
  gint64 cookie;

  while ((cookie = nbd_aio_peek_command_completed (nbd)) > 0)
    nbd_aio_command_completed (nbd, (guint64) cookie);
}

/* Reading goes first, as it may change what there is to write.  Returns FALSE
 * with *words (transfer full) set. */
static gboolean
notify (struct nbd_handle *nbd, const struct pollfd *fd, char **words)
{
  int result = 0;

  if (fd->revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL) && nbd_aio_get_direction (nbd) & LIBNBD_AIO_DIRECTION_READ)
    result = nbd_aio_notify_read (nbd);
  else if (fd->revents != 0)
    result = nbd_aio_notify_write (nbd);
  /* libnbd's words are of the last call, whichever it was. */
  if (result != 0 || is_lost (nbd))
    *words = last_words (result != 0);
  retire_commands (nbd);
  return *words == NULL;
}

/* Waits until the connection is through with its handshake. */
static gboolean
complete_connection (const VkNbdPool *pool, struct nbd_handle *nbd, GCancellable *cancellable, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + CONNECT_TIMEOUT_MS * 1000;
  GPollFD cancel = { .fd = -1 };
  gboolean has_cancel_fd = g_cancellable_make_pollfd (cancellable, &cancel);
  g_autofree char *words = NULL;

  while (words == NULL && nbd_aio_is_connecting (nbd) == 1 && !g_cancellable_is_cancelled (cancellable))
    {
      struct pollfd fds[] = { pollfd_of (nbd), { .fd = cancel.fd, .events = POLLIN } };
      gint64 left = deadline - g_get_monotonic_time ();

      if (left <= 0)
        words = g_strdup_printf ("no answer within %d seconds", CONNECT_TIMEOUT_MS / 1000);
      else if (poll (fds, G_N_ELEMENTS (fds), (int) (left / 1000) + 1) > 0)
        notify (nbd, &fds[0], &words);
    }
  if (has_cancel_fd)
    g_cancellable_release_fd (cancellable);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  return words ? set_connect_error (pool, words, error) : TRUE;
}

static void
give_up (struct connection *connection)
{
  nbd_close (connection->nbd);
  connection->nbd = NULL;
  connection->ready = FALSE;
}

/* A further connection came through its handshake, or failed to.  It is only
 * of use when it shows the same as the first one. */
static void
admit (VkNbdPool *pool, struct connection *connection)
{
  char **contexts = pool->contexts;
  gboolean same = nbd_aio_is_ready (connection->nbd) == 1 && nbd_get_size (connection->nbd) == (gint64) pool->size;

  for (guint i = 0; same && contexts != NULL && contexts[i] != NULL; i++)
    same = nbd_can_meta_context (connection->nbd, contexts[i]) == nbd_can_meta_context (vk_nbd_pool_first (pool), contexts[i]);
  if (same)
    connection->ready = TRUE;
  else
    give_up (connection);
}

static void
add_connections (VkNbdPool *pool, guint max_connections)
{
  if (nbd_can_multi_conn (vk_nbd_pool_first (pool)) != 1)
    return;
  for (guint i = 1; i < max_connections; i++)
    {
      struct connection connection = { begin_connection (pool, NULL), FALSE };

      if (connection.nbd == NULL)
        return;
      g_array_append_val (pool->connections, connection);
    }
}

/* Connects the first one, which tells what the export is like. */
static gboolean
connect_first (VkNbdPool *pool, GCancellable *cancellable, GError **error)
{
  struct connection first = { begin_connection (pool, error), TRUE };
  gint64 size;
  gint64 max_payload;

  if (first.nbd == NULL)
    return FALSE;
  g_array_append_val (pool->connections, first);
  if (!complete_connection (pool, first.nbd, cancellable, error))
    return FALSE;
  size = nbd_get_size (first.nbd);
  if (size < 0)
    return set_connect_error (pool, "it gives no size that a disk can have", error);
  max_payload = nbd_get_block_size (first.nbd, LIBNBD_SIZE_MAXIMUM);
  pool->size = (guint64) size;
  pool->max_payload = max_payload > 0 ? MIN ((guint64) max_payload, DEFAULT_MAX_PAYLOAD) : DEFAULT_MAX_PAYLOAD;
  return TRUE;
}

VkNbdPool *
vk_nbd_pool_new (const VkNbdPoolOptions *options, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkNbdPool) pool = g_new0 (VkNbdPool, 1);

  pool->uri = g_strdup (options->uri);
  pool->tls_dir = g_strdup (options->tls_dir);
  pool->name = g_strdup (options->name);
  pool->contexts = g_strdupv ((char **) options->contexts);
  pool->error_code = options->error_code;
  pool->connections = g_array_new (FALSE, FALSE, sizeof (struct connection));
  if (!connect_first (pool, cancellable, error))
    return NULL;
  add_connections (pool, options->max_connections);
  return g_steal_pointer (&pool);
}

void
vk_nbd_pool_free (VkNbdPool *pool)
{
  if (pool == NULL)
    return;
  for (guint i = 0; i < pool->connections->len; i++)
    nbd_close (connection_at (pool, i)->nbd);
  g_array_unref (pool->connections);
  g_strfreev (pool->contexts);
  g_free (pool->name);
  g_free (pool->tls_dir);
  g_free (pool->uri);
  g_free (pool);
}

const char *
vk_nbd_pool_name (const VkNbdPool *pool)
{
  return pool->name;
}

VkError
vk_nbd_pool_error_code (const VkNbdPool *pool)
{
  return pool->error_code;
}

guint64
vk_nbd_pool_size (const VkNbdPool *pool)
{
  return pool->size;
}

guint64
vk_nbd_pool_max_payload (const VkNbdPool *pool)
{
  return pool->max_payload;
}

struct nbd_handle *
vk_nbd_pool_first (VkNbdPool *pool)
{
  return connection_at (pool, 0)->nbd;
}

struct nbd_handle *
vk_nbd_pool_idlest (VkNbdPool *pool)
{
  struct nbd_handle *idlest = vk_nbd_pool_first (pool);

  for (guint i = 1; i < pool->connections->len; i++)
    {
      struct connection *connection = connection_at (pool, i);

      if (connection->ready && nbd_aio_in_flight (connection->nbd) < nbd_aio_in_flight (idlest))
        idlest = connection->nbd;
    }
  return idlest;
}

gboolean
vk_nbd_pool_started (VkNbdPool *pool, struct nbd_handle *nbd, gint64 cookie, GError **error)
{
  g_autofree char *words = NULL;

  if (cookie >= 0 && !is_lost (nbd))
    return TRUE;
  words = last_words (cookie < 0);
  if (is_lost (nbd))
    return set_lost_error (pool, words, error);
  return vk_fail (error, (int) pool->error_code, "%s: its NBD server cannot be asked: %s", pool->name, words);
}

void
vk_nbd_pool_prepare (VkNbdPool *pool, GArray *fds)
{
  for (guint i = 0; i < pool->connections->len; i++)
    {
      struct connection *connection = connection_at (pool, i);
      struct pollfd fd = { .fd = -1 };

      if (connection->nbd != NULL)
        fd = pollfd_of (connection->nbd);
      g_array_append_val (fds, fd);
    }
}

gboolean
vk_nbd_pool_dispatch (VkNbdPool *pool, const struct pollfd *fds, guint n_fds, GError **error)
{
  g_assert (n_fds == pool->connections->len);
  for (guint i = 0; i < n_fds; i++)
    {
      struct connection *connection = connection_at (pool, i);
      g_autofree char *words = NULL;

      if (connection->nbd != NULL && !notify (connection->nbd, &fds[i], &words) && connection->ready)
        return set_lost_error (pool, words, error);
      if (connection->nbd != NULL && !connection->ready && nbd_aio_is_connecting (connection->nbd) != 1)
        admit (pool, connection);
    }
  return TRUE;
}

static int
on_flushed (void *user_data, int *error)
{
  VkNbdPool *pool = user_data;

  pool->flush_failure = *error;
  pool->flushed = TRUE;
  return 0;
}

/* Waits for on_flushed(). */
static gboolean
await_flush (VkNbdPool *pool, guint64 patience, GCancellable *cancellable, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + (gint64) patience * G_USEC_PER_SEC;
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (struct pollfd));
  GPollFD cancel = { .fd = -1 };
  gboolean has_cancel_fd = g_cancellable_make_pollfd (cancellable, &cancel);
  struct pollfd cancel_fd = { .fd = cancel.fd, .events = POLLIN };
  gboolean ok = TRUE;

  while (ok && !pool->flushed)
    {
      gint64 left = deadline - g_get_monotonic_time ();

      if (left <= 0)
        {
          ok = FALSE;
          vk_fail (error, (int) pool->error_code, "%s: its NBD server could not finish: no answer within %" PRIu64 " seconds", pool->name, patience);
          break;
        }
      g_array_set_size (fds, 0);
      vk_nbd_pool_prepare (pool, fds);
      g_array_append_val (fds, cancel_fd);
      if (poll ((struct pollfd *) fds->data, fds->len, (int) MIN (left / 1000 + 1, G_MAXINT)) > 0)
        ok = vk_nbd_pool_dispatch (pool, (const struct pollfd *) fds->data, fds->len - 1, error);
      ok = ok && !g_cancellable_set_error_if_cancelled (cancellable, error);
    }
  if (has_cancel_fd)
    g_cancellable_release_fd (cancellable);
  return ok;
}

gboolean
vk_nbd_pool_finish (VkNbdPool *pool, GCancellable *cancellable, GError **error)
{
  struct nbd_handle *first = vk_nbd_pool_first (pool);
  nbd_completion_callback completion = { .callback = on_flushed, .user_data = pool };
  guint64 patience;

  if (nbd_can_flush (first) == 1)
    {
      pool->flushed = FALSE;
      if (!vk_flush_patience (&patience, error)
          || !vk_nbd_pool_started (pool, first, nbd_aio_flush (first, completion, 0), error)
          || !await_flush (pool, patience, cancellable, error))
        return FALSE;
    }
  if (pool->flush_failure != 0)
    return vk_fail (error, (int) pool->error_code, "%s: its NBD server could not finish: %s", pool->name, g_strerror (pool->flush_failure));
  vk_nbd_pool_disconnect (pool);
  return TRUE;
}

void
vk_nbd_pool_disconnect (VkNbdPool *pool)
{
  for (guint i = 0; i < pool->connections->len; i++)
    {
      struct connection *connection = connection_at (pool, i);

      if (connection->ready)
        nbd_aio_disconnect (connection->nbd, 0);
    }
}
