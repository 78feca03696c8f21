/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/transfer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "transfer/extents.h"
#include "transfer/nbd-pool.h"
#include "transfer/nbd-read.h"
#include "transfer/stall.h"

enum
{
  /* N_SLOTS of SLOT_BYTES are all the disk data that is held at a time. */
  SLOT_BYTES = 512 * 1024,
  N_SLOTS = 16,
  /* What is looked at for being all zeroes: a cluster of a qcow2 image. */
  GRAIN_BYTES = 64 * 1024,
  MAX_ZEROING = 16,
  MAX_ZERO_BYTES = 1 << 30,
};

struct transfer;

/* A piece of the disk on its way: idle, being read, or being put. */
struct slot
{
  struct transfer *transfer;
  GList link;   /* in idle or arrived */
  guint8 *own;  /* SLOT_BYTES */
  guint8 *data; /* own, or the sink's */
  guint64 offset;
  guint32 length;
  VkNbdRead read;
  guint pending; /* parts of it the sink has still to write */
  int failure;   /* errno of the read */
};

struct transfer
{
  const VkTransferOptions *options;
  VkSink *sink;
  gboolean skip_zeroes;
  VkTransferProgress *progress;
  char *name;
  VkNbdPool *pool;
  VkExtentReader *extents;
  guint32 read_bytes; /* per request */
  guint8 *memory;
  struct slot slots[N_SLOTS];
  GQueue idle;
  GQueue arrived; /* read, to be put */
  guint zeroing;
  gboolean blocked; /* the sink has no room for the next read */
  gint64 wait; /* microseconds until the rate limit lets the next read be, 0: it does */
  GArray *fds;
  VkStall stall;
  GError *failure; /* the sink's first */
};

static void
advance (struct transfer *transfer, guint64 position, guint64 moved)
{
  if (transfer->progress != NULL)
    vk_transfer_progress_add (transfer->progress, position, moved);
}

static gboolean
is_zero (const guint8 *data, gsize length)
{
  return data[0] == 0 && memcmp (data, data + 1, length - 1) == 0;
}

static void
note_failure (struct transfer *transfer, const GError *error)
{
  if (error != NULL && transfer->failure == NULL)
    transfer->failure = g_error_copy (error);
}

static void
on_part_written (gpointer user_data, const GError *error)
{
  struct slot *slot = user_data;

  note_failure (slot->transfer, error);
  slot->pending--;
  if (slot->pending > 0)
    return;
  advance (slot->transfer, slot->length, 0);
  g_queue_push_tail_link (&slot->transfer->idle, &slot->link);
}

/* Gives the sink what was read, without the zeroes in it. */
static gboolean
put_slot (struct slot *slot, GError **error)
{
  struct transfer *transfer = slot->transfer;
  VkSink *sink = transfer->sink;
  guint32 end;

  slot->pending = 1;
  for (guint32 start = 0; start < slot->length; start = end)
    {
      guint32 grain = GRAIN_BYTES - (guint32) ((slot->offset + start) % GRAIN_BYTES);
      gboolean zero;

      end = MIN (start + grain, slot->length);
      zero = is_zero (slot->data + start, end - start);
      while (end < slot->length)
        {
          guint32 next = MIN (end + GRAIN_BYTES, slot->length);

          if (is_zero (slot->data + end, next - end) != zero)
            break;
          end = next;
        }
      if (zero && transfer->skip_zeroes)
        continue;
      slot->pending++;
      if (zero ? !sink->ops->zero (sink, end - start, slot->offset + start, on_part_written, slot, error)
               : !sink->ops->put (sink, slot->data + start, end - start, slot->offset + start, on_part_written, slot, error))
        return FALSE;
    }
  on_part_written (slot, NULL);
  return TRUE;
}

static gboolean
put_arrived (struct transfer *transfer, GError **error)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&transfer->arrived)) != NULL)
    {
      struct slot *slot = link->data;

      if (slot->failure != 0)
        {
          vk_fail (error, VK_ERROR_FAILED, "%s: cannot read %u bytes at offset %" PRIu64 " from the NBD export: %s", transfer->name, slot->length,
                       slot->offset, g_strerror (slot->failure));
          return FALSE;
        }
      advance (transfer, 0, slot->length);
      if (!put_slot (slot, error))
        return FALSE;
    }
  return TRUE;
}

static int
on_read (void *user_data, int *error)
{
  struct slot *slot = user_data;

  slot->failure = vk_nbd_read_failure (&slot->read, *error);
  g_queue_push_tail_link (&slot->transfer->arrived, &slot->link);
  return 0;
}

/* Whether the sink has room for so much now; *place is where, or NULL. */
static gboolean
find_place (struct transfer *transfer, guint32 length, guint64 offset, void **place)
{
  VkSink *sink = transfer->sink;

  *place = NULL;
  transfer->blocked = sink->ops->place != NULL && !sink->ops->place (sink, length, offset, place);
  return !transfer->blocked;
}

/* Whether so much may be read now. */
static gboolean
is_within_rate (struct transfer *transfer, guint32 length)
{
  VkRateLimit *limit = transfer->options->limit;

  transfer->wait = limit ? vk_rate_limit_take (limit, length, g_get_monotonic_time ()) : 0;
  return transfer->wait == 0;
}

static gboolean
start_read (struct transfer *transfer, const VkExtent *extent, guint64 *length, GError **error)
{
  /* Requests end where multiples of their length are, so that those after
   * the first of an extent cover whole clusters. */
  guint32 bytes = (guint32) MIN (transfer->read_bytes - extent->offset % transfer->read_bytes, extent->length);
  nbd_completion_callback completion = { .callback = on_read };
  struct nbd_handle *nbd;
  struct slot *slot;
  gint64 cookie;
  void *place;

  if (!find_place (transfer, bytes, extent->offset, &place) || !is_within_rate (transfer, bytes))
    return TRUE;
  slot = g_queue_pop_head_link (&transfer->idle)->data;
  nbd = vk_nbd_pool_idlest (transfer->pool);
  completion.user_data = slot;
  slot->offset = extent->offset;
  slot->length = bytes;
  slot->data = place != NULL ? place : slot->own;
  *length = bytes;
  slot->read = (VkNbdRead) { 0 };
  cookie = vk_nbd_read_start (&slot->read, nbd, slot->data, slot->length, slot->offset, completion);
  return vk_nbd_pool_started (transfer->pool, nbd, cookie, error);
}

static void
on_zeroed (gpointer user_data, const GError *error)
{
  struct transfer *transfer = user_data;

  note_failure (transfer, error);
  transfer->zeroing--;
}

static gboolean
start_zero (struct transfer *transfer, const VkExtent *extent, guint64 *length, GError **error)
{
  *length = MIN (extent->length, MAX_ZERO_BYTES);
  transfer->zeroing++;
  advance (transfer, *length, 0);
  return transfer->sink->ops->zero (transfer->sink, *length, extent->offset, on_zeroed, transfer, error);
}

/* Starts on extent, or on its beginning: *length is how much of it that is, 0
 * when enough is going on already. */
static gboolean
start_extent (struct transfer *transfer, const VkExtent *extent, guint64 *length, GError **error)
{
  *length = 0;
  if (extent->state == VK_EXTENT_DATA)
    return transfer->idle.length == 0 || start_read (transfer, extent, length, error);
  if (extent->state == VK_EXTENT_ZERO && !transfer->skip_zeroes)
    return transfer->zeroing == MAX_ZEROING || start_zero (transfer, extent, length, error);
  *length = extent->length;
  advance (transfer, extent->length, 0);
  return TRUE;
}

static gboolean
start_extents (struct transfer *transfer, GError **error)
{
  guint64 length;

  transfer->wait = 0;
  transfer->blocked = FALSE;
  do
    {
      const VkExtent *extent;

      length = 0;
      if (!vk_extent_reader_peek (transfer->extents, &extent, error))
        return FALSE;
      if (extent != NULL && !start_extent (transfer, extent, &length, error))
        return FALSE;
      if (length > 0)
        vk_extent_reader_take (transfer->extents, length);
    }
  while (length > 0);
  return TRUE;
}

static gboolean
is_through (const struct transfer *transfer)
{
  return vk_extent_reader_at_end (transfer->extents) && transfer->idle.length == N_SLOTS && transfer->zeroing == 0;
}

/* For poll(). */
static int
milliseconds_to_wait (const struct transfer *transfer)
{
  gint64 left = vk_stall_left (&transfer->stall);

  if (transfer->wait > 0)
    left = MIN (left, transfer->wait);
  return (int) CLAMP (left / 1000 + 1, 0, G_MAXINT);
}

/* As long as the sink has work of ours, or no room for more, it is the one that is waited
 * for: all that was read comes to it. */
static gboolean
sink_has_work (const struct transfer *transfer)
{
  for (guint i = 0; i < N_SLOTS; i++)
    if (transfer->slots[i].pending > 0)
      return TRUE;
  return transfer->zeroing > 0 || transfer->blocked;
}

/* Whether either side has given a sign of life lately. */
static gboolean
is_alive (struct transfer *transfer, gboolean sign, GError **error)
{
  if (!vk_stall_has_come (&transfer->stall, sign))
    return TRUE;
  if (sink_has_work (transfer))
    vk_fail (error, VK_ERROR_STORE, "%s: what it is copied to has taken nothing for %" PRIu64 " seconds", transfer->name, transfer->stall.patience);
  else
    vk_fail (error, VK_ERROR_FAILED, "%s: its NBD server has sent nothing for %" PRIu64 " seconds", transfer->name, transfer->stall.patience);
  return FALSE;
}

/* Waits for the servers and takes in what they have to say. */
static gboolean
wait_and_dispatch (struct transfer *transfer, const GPollFD *cancel, GError **error)
{
  VkSink *sink = transfer->sink;
  struct pollfd cancel_fd = { .fd = cancel->fd, .events = POLLIN };
  const struct pollfd *fds;
  guint n_source;
  guint n_all;
  int n_ready;

  g_array_set_size (transfer->fds, 0);
  vk_nbd_pool_prepare (transfer->pool, transfer->fds);
  n_source = transfer->fds->len;
  sink->ops->prepare (sink, transfer->fds);
  n_all = transfer->fds->len;
  g_array_append_val (transfer->fds, cancel_fd);
  fds = (const struct pollfd *) transfer->fds->data;
  n_ready = poll ((struct pollfd *) transfer->fds->data, transfer->fds->len, milliseconds_to_wait (transfer));
  if (n_ready < 0)
    {
      if (errno == EINTR)
        return TRUE;
      return vk_fail (error, VK_ERROR_FAILED, "%s: cannot wait for the NBD servers: %s", transfer->name, g_strerror (errno));
    }
  /* Waiting for the rate to allow more is no stall. */
  if (!is_alive (transfer, n_ready > 0 || transfer->wait > 0, error)
      || !sink->ops->dispatch (sink, fds + n_source, n_all - n_source, error)
      || !vk_nbd_pool_dispatch (transfer->pool, fds, n_source, error))
    return FALSE;
  if (transfer->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&transfer->failure));
  return FALSE;
}

static gboolean
copy (struct transfer *transfer, GCancellable *cancellable, GError **error)
{
  GPollFD cancel = { .fd = -1 };
  gboolean has_cancel_fd = g_cancellable_make_pollfd (cancellable, &cancel);
  gboolean ok = TRUE;

  vk_stall_has_come (&transfer->stall, TRUE);
  while (ok)
    {
      ok = !g_cancellable_set_error_if_cancelled (cancellable, error)
           && put_arrived (transfer, error)
           && start_extents (transfer, error);
      if (is_through (transfer))
        break;
      ok = ok && wait_and_dispatch (transfer, &cancel, error);
    }
  if (has_cancel_fd)
    g_cancellable_release_fd (cancellable);
  return ok;
}

static gboolean
connect_source (struct transfer *transfer, GCancellable *cancellable, GError **error)
{
  const char *dirty_bitmap = transfer->options->dirty_bitmap;
  const char *contexts[] = { VK_CONTEXT_ALLOCATION, dirty_bitmap, NULL };
  VkNbdPoolOptions pool_options = {
    .uri = transfer->options->uri,
    .tls_dir = transfer->options->tls_dir,
    .name = transfer->name,
    .error_code = VK_ERROR_FAILED,
    .max_connections = transfer->options->max_connections,
    .contexts = contexts,
  };

  transfer->pool = vk_nbd_pool_new (&pool_options, cancellable, error);
  if (transfer->pool == NULL)
    return FALSE;
  transfer->extents = vk_extent_reader_new (transfer->pool, dirty_bitmap, transfer->sink->granularity, error);
  if (transfer->extents == NULL)
    return FALSE;
  transfer->read_bytes = (guint32) MIN (SLOT_BYTES, vk_nbd_pool_max_payload (transfer->pool));
  /* A low rate is many small steps rather than a few large ones. */
  while (transfer->options->limit != NULL && transfer->read_bytes > GRAIN_BYTES && transfer->read_bytes > vk_rate_limit_burst (transfer->options->limit))
    transfer->read_bytes /= 2;
  if (transfer->progress != NULL)
    vk_transfer_progress_set_size (transfer->progress, vk_nbd_pool_size (transfer->pool));
  return TRUE;
}

static void
transfer_init (struct transfer *transfer)
{
  transfer->skip_zeroes = transfer->sink->reads_zero && transfer->options->dirty_bitmap == NULL;
  transfer->name = g_strdup_printf ("disk '%s'", transfer->options->disk);
  transfer->fds = g_array_new (FALSE, FALSE, sizeof (struct pollfd));
  transfer->memory = g_malloc ((gsize) N_SLOTS * SLOT_BYTES);
  g_queue_init (&transfer->idle);
  g_queue_init (&transfer->arrived);
  for (guint i = 0; i < N_SLOTS; i++)
    {
      struct slot *slot = &transfer->slots[i];

      slot->transfer = transfer;
      slot->own = transfer->memory + (gsize) i * SLOT_BYTES;
      slot->link.data = slot;
      g_queue_push_tail_link (&transfer->idle, &slot->link);
    }
}

/* The connections go first: they know of everything else. */
static void
transfer_clear (struct transfer *transfer)
{
  g_clear_pointer (&transfer->pool, vk_nbd_pool_free);
  g_clear_pointer (&transfer->extents, vk_extent_reader_free);
  g_clear_pointer (&transfer->fds, g_array_unref);
  g_clear_error (&transfer->failure);
  g_free (transfer->memory);
  g_free (transfer->name);
}

gboolean
vk_transfer_run (const VkTransferOptions *options, VkSink *sink, VkTransferProgress *progress, GCancellable *cancellable, GError **error)
{
  struct transfer transfer = { .options = options, .sink = sink, .progress = progress };
  gboolean ok;

  transfer_init (&transfer);
  ok = vk_stall_init (&transfer.stall, error) && connect_source (&transfer, cancellable, error) && copy (&transfer, cancellable, error);
  if (ok)
    {
      vk_nbd_pool_disconnect (transfer.pool);
      ok = sink->ops->finish (sink, cancellable, error);
    }
  else
    sink->ops->abandon (sink);
  transfer_clear (&transfer);
  return ok;
}

gboolean
vk_transfer_export_size (const char *uri, guint64 *size, GError **error)
{
  VkNbdPoolOptions options = { .uri = uri, .name = "the disk", .error_code = VK_ERROR_FAILED, .max_connections = 1 };
  g_autoptr (VkNbdPool) pool = vk_nbd_pool_new (&options, NULL, error);

  if (pool == NULL)
    return FALSE;
  *size = vk_nbd_pool_size (pool);
  vk_nbd_pool_disconnect (pool);
  return TRUE;
}
