/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/extents.h"

#include <inttypes.h>
#include <string.h>

enum
{
  /* One question covers so much of the disk: large enough to make an empty
   * disk of a terabyte a matter of a thousand questions, small enough to keep
   * the answer for a badly fragmented one at some hundred kilobytes. */
  WINDOW_BYTES = 1 << 30,
  /* Answers waiting or on their way. */
  MAX_WINDOWS = 3,
  /* Meaning of bit 0 in the contexts qemu:dirty-bitmap:*. */
  STATE_DIRTY = 1,
};

enum
{
  CONTEXT_ALLOCATION,
  CONTEXT_DIRTY,
  N_CONTEXTS,
};

/* As libnbd delivers them. */
struct run
{
  guint32 length;
  guint32 flags;
};

struct window
{
  guint64 offset;
  guint64 length;
  guint64 covered;          /* of length, by answers that did not reach its end */
  gboolean answered;
  gboolean settled;         /* its extents are complete */
  int failure;              /* errno */
  GArray *runs[N_CONTEXTS]; /* of struct run */
  GArray *extents;          /* of VkExtent, once merged */
  guint next;               /* index into extents */
};

struct VkExtentReader
{
  VkNbdPool *pool;
  const char *contexts[N_CONTEXTS]; /* NULL: not available or not wanted */
  guint64 size;
  guint64 granularity; /* changed extents are widened to multiples of it; 0: they are not */
  guint64 asked; /* up to which offset */
  guint64 taken;
  GQueue windows; /* of struct window, in order of offsets */
};

static struct window *
window_new (guint64 offset, guint64 length)
{
  struct window *window = g_new0 (struct window, 1);

  window->offset = offset;
  window->length = length;
  for (guint i = 0; i < N_CONTEXTS; i++)
    window->runs[i] = g_array_new (FALSE, FALSE, sizeof (struct run));
  window->extents = g_array_new (FALSE, FALSE, sizeof (VkExtent));
  return window;
}

static void
window_free (gpointer data)
{
  struct window *window = data;

  for (guint i = 0; i < N_CONTEXTS; i++)
    g_array_unref (window->runs[i]);
  g_array_unref (window->extents);
  g_free (window);
}

static int
on_runs (void *user_data, const char *context, uint64_t offset, uint32_t *entries, size_t n_entries, int *error)
{
  struct window *window = user_data;
  guint index = strcmp (context, VK_CONTEXT_ALLOCATION) == 0 ? CONTEXT_ALLOCATION : CONTEXT_DIRTY;

  if (offset == window->offset + window->covered)
    g_array_append_vals (window->runs[index], entries, (guint) (n_entries / 2));
  return 0;
}

static int
on_answered (void *user_data, int *error)
{
  struct window *window = user_data;

  window->answered = TRUE;
  window->failure = *error;
  return 0;
}

static gboolean
ask (VkExtentReader *reader, struct window *window, GError **error)
{
  struct nbd_handle *nbd = vk_nbd_pool_idlest (reader->pool);
  nbd_extent_callback extent = { .callback = on_runs, .user_data = window };
  nbd_completion_callback completion = { .callback = on_answered, .user_data = window };
  gint64 cookie;

  window->answered = FALSE;
  cookie = nbd_aio_block_status (nbd, window->length - window->covered, window->offset + window->covered, extent, completion, 0);
  return vk_nbd_pool_started (reader->pool, nbd, cookie, error);
}

static void
append_extent (GArray *extents, guint64 offset, guint64 length, int state)
{
  VkExtent extent = { offset, length, (VkExtentState) state };
  VkExtent *last = extents->len > 0 ? &g_array_index (extents, VkExtent, extents->len - 1) : NULL;

  if (length == 0)
    return;
  if (last != NULL && last->state == extent.state)
    last->length += length;
  else
    g_array_append_val (extents, extent);
}

/* Until the extents are widened it is known what is in an unchanged one. */
enum { EXTENT_UNCHANGED_ZERO = VK_EXTENT_UNCHANGED + 1 };

static int
state_of (const VkExtentReader *reader, const guint32 flags[N_CONTEXTS])
{
  gboolean zero = (flags[CONTEXT_ALLOCATION] & LIBNBD_STATE_ZERO) != 0;

  if (flags[CONTEXT_DIRTY] & STATE_DIRTY)
    return zero ? VK_EXTENT_ZERO : VK_EXTENT_DATA;
  return zero && reader->granularity > 0 ? (int) EXTENT_UNCHANGED_ZERO : (int) VK_EXTENT_UNCHANGED;
}

/* Makes extents of the runs, which may change at different places in the two
 * contexts, end before the window does, or go on behind it; window->covered
 * grows by the number of bytes that all contexts cover. */
static void
merge_runs (const VkExtentReader *reader, struct window *window)
{
  guint32 flags[N_CONTEXTS] = { [CONTEXT_ALLOCATION] = 0, [CONTEXT_DIRTY] = STATE_DIRTY };
  guint64 left[N_CONTEXTS] = { 0 }; /* of the current run */
  guint next[N_CONTEXTS] = { 0 };

  while (window->covered < window->length)
    {
      guint64 length = window->length - window->covered;

      for (guint i = 0; i < N_CONTEXTS; i++)
        {
          if (reader->contexts[i] == NULL)
            continue;
          while (left[i] == 0 && next[i] < window->runs[i]->len)
            {
              const struct run *run = &g_array_index (window->runs[i], struct run, next[i]++);

              left[i] = run->length;
              flags[i] = run->flags;
            }
          length = MIN (length, left[i]);
        }
      if (length == 0)
        break;
      append_extent (window->extents, window->offset + window->covered, length, state_of (reader, flags));
      for (guint i = 0; i < N_CONTEXTS; i++)
        left[i] -= reader->contexts[i] ? length : 0;
      window->covered += length;
    }
  for (guint i = 0; i < N_CONTEXTS; i++)
    g_array_set_size (window->runs[i], 0);
}

static gboolean
is_changed (const VkExtent *extent)
{
  return extent->state == VK_EXTENT_DATA || extent->state == VK_EXTENT_ZERO;
}

/* Where, at the index-th extent of pieces or behind it, the first chunk begins
 * that holds a change, as far as that matters to this extent. */
static guint64
next_change (const GArray *pieces, guint index, guint64 granularity)
{
  const VkExtent *extent = &g_array_index (pieces, VkExtent, index);
  guint64 end = extent->offset + extent->length;

  for (guint i = index + 1; i < pieces->len; i++)
    {
      const VkExtent *next = &g_array_index (pieces, VkExtent, i);
      guint64 begin = next->offset / granularity * granularity;

      if (begin >= end)
        return end;
      if (is_changed (next))
        return MAX (begin, extent->offset);
    }
  return end;
}

/* Makes everything changed that lies in a chunk of the granularity with
 * something that is. */
static void
widen (struct window *window, guint64 granularity)
{
  g_autoptr (GArray) pieces = g_steal_pointer (&window->extents);
  guint64 changed_to = 0; /* where the last chunk with a change ends */

  window->extents = g_array_new (FALSE, FALSE, sizeof (VkExtent));
  for (guint i = 0; i < pieces->len; i++)
    {
      const VkExtent *piece = &g_array_index (pieces, VkExtent, i);
      guint64 end = piece->offset + piece->length;
      VkExtentState state = piece->state == VK_EXTENT_DATA || piece->state == VK_EXTENT_UNCHANGED ? VK_EXTENT_DATA : VK_EXTENT_ZERO;
      guint64 from, to;

      if (is_changed (piece))
        changed_to = (end + granularity - 1) / granularity * granularity;
      from = CLAMP (changed_to, piece->offset, end);
      to = MAX (from, next_change (pieces, i, granularity));
      append_extent (window->extents, piece->offset, from - piece->offset, state);
      append_extent (window->extents, from, to - from, VK_EXTENT_UNCHANGED);
      append_extent (window->extents, to, end - to, state);
    }
}

/* Takes the answer in; what it leaves open is asked again.  What has to be
 * widened waits for the end of its window. */
static gboolean
settle (VkExtentReader *reader, GList *link, GError **error)
{
  struct window *window = link->data;
  guint64 covered = window->covered;
  struct window *rest;

  if (window->failure == 0)
    merge_runs (reader, window);
  if (window->covered == covered)
    {
      vk_fail (error, (int) vk_nbd_pool_error_code (reader->pool),
                   "%s: the NBD server cannot tell which blocks of the %" PRIu64 " bytes at offset %" PRIu64 " hold data: %s",
                   vk_nbd_pool_name (reader->pool), window->length - covered, window->offset + covered, window->failure ? g_strerror (window->failure) : "its answer is empty");
      return FALSE;
    }
  if (reader->granularity > 0 && window->covered < window->length)
    return ask (reader, window, error);
  if (reader->granularity > 0)
    widen (window, reader->granularity);
  window->settled = TRUE;
  if (window->covered == window->length)
    return TRUE;
  rest = window_new (window->offset + window->covered, window->length - window->covered);
  window->length = window->covered;
  g_queue_insert_after (&reader->windows, link, rest);
  return ask (reader, rest, error);
}

static gboolean
ask_ahead (VkExtentReader *reader, GError **error)
{
  while (reader->asked < reader->size && reader->windows.length < MAX_WINDOWS)
    {
      struct window *window = window_new (reader->asked, MIN (WINDOW_BYTES, reader->size - reader->asked));

      reader->asked += window->length;
      g_queue_push_tail (&reader->windows, window);
      if (!ask (reader, window, error))
        return FALSE;
    }
  return TRUE;
}

VkExtentReader *
vk_extent_reader_new (VkNbdPool *pool, const char *dirty_bitmap, guint64 granularity, GError **error)
{
  g_autoptr (VkExtentReader) reader = g_new0 (VkExtentReader, 1);
  struct nbd_handle *nbd = vk_nbd_pool_first (pool);

  reader->pool = pool;
  reader->size = vk_nbd_pool_size (pool);
  g_queue_init (&reader->windows);
  if (nbd_can_meta_context (nbd, VK_CONTEXT_ALLOCATION) == 1)
    reader->contexts[CONTEXT_ALLOCATION] = VK_CONTEXT_ALLOCATION;
  if (dirty_bitmap != NULL && nbd_can_meta_context (nbd, dirty_bitmap) != 1)
    {
      vk_fail (error, (int) vk_nbd_pool_error_code (pool), "%s: the NBD server does not offer the dirty bitmap '%s', so what has changed cannot be known", vk_nbd_pool_name (pool), dirty_bitmap);
      return NULL;
    }
  reader->contexts[CONTEXT_DIRTY] = dirty_bitmap;
  /* Without a bitmap everything has changed. */
  reader->granularity = dirty_bitmap ? granularity : 0;
  if (reader->contexts[CONTEXT_ALLOCATION] == NULL && dirty_bitmap == NULL && reader->size > 0)
    {
      struct window *window = window_new (0, reader->size);

      append_extent (window->extents, 0, reader->size, VK_EXTENT_DATA);
      window->settled = TRUE;
      g_queue_push_tail (&reader->windows, window);
      reader->asked = reader->size;
    }
  return g_steal_pointer (&reader);
}

gboolean
vk_extent_reader_peek (VkExtentReader *reader, const VkExtent **extent, GError **error)
{
  GList *link;
  struct window *window;

  *extent = NULL;
  if (!ask_ahead (reader, error))
    return FALSE;
  link = reader->windows.head;
  window = link ? link->data : NULL;
  if (window != NULL && window->answered && !window->settled && !settle (reader, link, error))
    return FALSE;
  if (window != NULL && window->settled)
    *extent = &g_array_index (window->extents, VkExtent, window->next);
  return TRUE;
}

void
vk_extent_reader_take (VkExtentReader *reader, guint64 length)
{
  struct window *window = reader->windows.head->data;
  VkExtent *extent = &g_array_index (window->extents, VkExtent, window->next);

  g_assert (length <= extent->length);
  extent->offset += length;
  extent->length -= length;
  reader->taken += length;
  if (extent->length == 0)
    window->next++;
  if (window->next == window->extents->len)
    window_free (g_queue_pop_head (&reader->windows));
}

gboolean
vk_extent_reader_at_end (const VkExtentReader *reader)
{
  return reader->taken == reader->size;
}

void
vk_extent_reader_free (VkExtentReader *reader)
{
  if (reader == NULL)
    return;
  g_queue_clear_full (&reader->windows, window_free);
  g_free (reader);
}
