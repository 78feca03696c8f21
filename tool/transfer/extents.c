/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/extents.h"

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
  gboolean answered;
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

  if (offset == window->offset)
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
  gint64 cookie = nbd_aio_block_status (nbd, window->length, window->offset, extent, completion, 0);

  return vk_nbd_pool_started (reader->pool, nbd, cookie, error);
}

static void
append_extent (GArray *extents, guint64 offset, guint64 length, VkExtentState state)
{
  VkExtent extent = { offset, length, state };
  VkExtent *last = extents->len > 0 ? &g_array_index (extents, VkExtent, extents->len - 1) : NULL;

  if (last != NULL && last->state == state)
    last->length += length;
  else
    g_array_append_val (extents, extent);
}

static VkExtentState
state_of (const guint32 flags[N_CONTEXTS])
{
  if (!(flags[CONTEXT_DIRTY] & STATE_DIRTY))
    return VK_EXTENT_UNCHANGED;
  return flags[CONTEXT_ALLOCATION] & LIBNBD_STATE_ZERO ? VK_EXTENT_ZERO : VK_EXTENT_DATA;
}

/* Makes extents of the runs, which may change at different places in the two
 * contexts, end before the window does, or go on behind it.  Returns the number
 * of bytes that all contexts cover. */
static guint64
merge_runs (const VkExtentReader *reader, struct window *window)
{
  guint32 flags[N_CONTEXTS] = { [CONTEXT_ALLOCATION] = 0, [CONTEXT_DIRTY] = STATE_DIRTY };
  guint64 left[N_CONTEXTS] = { 0 }; /* of the current run */
  guint next[N_CONTEXTS] = { 0 };
  guint64 covered = 0;

  while (covered < window->length)
    {
      guint64 length = window->length - covered;

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
      append_extent (window->extents, window->offset + covered, length, state_of (flags));
      for (guint i = 0; i < N_CONTEXTS; i++)
        left[i] -= reader->contexts[i] ? length : 0;
      covered += length;
    }
  for (guint i = 0; i < N_CONTEXTS; i++)
    g_array_set_size (window->runs[i], 0);
  return covered;
}

/* Takes the answer in; what it leaves open is asked again. */
static gboolean
settle (VkExtentReader *reader, GList *link, GError **error)
{
  struct window *window = link->data;
  guint64 covered = window->failure ? 0 : merge_runs (reader, window);
  struct window *rest;

  if (covered == 0)
    {
      g_set_error (error, VK_ERROR, (int) vk_nbd_pool_error_code (reader->pool),
                   "%s: the NBD server cannot tell which blocks of the %" G_GUINT64_FORMAT " bytes at offset %" G_GUINT64_FORMAT " hold data: %s",
                   vk_nbd_pool_name (reader->pool), window->length, window->offset, window->failure ? g_strerror (window->failure) : "its answer is empty");
      return FALSE;
    }
  if (covered == window->length)
    return TRUE;
  rest = window_new (window->offset + covered, window->length - covered);
  window->length = covered;
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
vk_extent_reader_new (VkNbdPool *pool, const char *dirty_bitmap, GError **error)
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
      g_set_error (error, VK_ERROR, (int) vk_nbd_pool_error_code (pool), "%s: the NBD server does not offer the dirty bitmap '%s', so what has changed cannot be known", vk_nbd_pool_name (pool), dirty_bitmap);
      return NULL;
    }
  reader->contexts[CONTEXT_DIRTY] = dirty_bitmap;
  if (reader->contexts[CONTEXT_ALLOCATION] == NULL && dirty_bitmap == NULL && reader->size > 0)
    {
      struct window *window = window_new (0, reader->size);

      append_extent (window->extents, 0, reader->size, VK_EXTENT_DATA);
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
  if (window != NULL && window->answered && window->extents->len == 0 && !settle (reader, link, error))
    return FALSE;
  if (window != NULL && window->extents->len > 0)
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
