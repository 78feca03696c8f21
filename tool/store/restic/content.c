/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/content.h"

#include "base/digest.h"

/* From index `first' on, up to the next span: ids that differ, or one id over
 * and over. */
struct span
{
  guint64 first;
  guint64 stored; /* where its first id is, among those that are kept */
  gboolean repeats;
};

struct VkContent
{
  gatomicrefcount references;
  VkResticId *ids;
  guint64 stored;   /* how many of them there are */
  guint64 room;     /* and how many there may be */
  guint64 length;
  GArray *spans;    /* of struct span */
};

VkContent *
vk_content_new (void)
{
  VkContent *content = g_new0 (VkContent, 1);

  g_atomic_ref_count_init (&content->references);
  content->spans = g_array_new (FALSE, FALSE, sizeof (struct span));
  return content;
}

VkContent *
vk_content_ref (VkContent *content)
{
  g_atomic_ref_count_inc (&content->references);
  return content;
}

void
vk_content_unref (VkContent *content)
{
  if (content == NULL || !g_atomic_ref_count_dec (&content->references))
    return;
  g_free (content->ids);
  g_array_unref (content->spans);
  g_free (content);
}

static void
store (VkContent *content, const VkResticId *id)
{
  /* An eighth more: a long list must not take much more than its ids. */
  if (content->stored == content->room)
    {
      content->room += content->room / 8 + 4;
      content->ids = g_renew (VkResticId, content->ids, content->room);
    }
  content->ids[content->stored++] = *id;
}

static struct span *
last_span (const VkContent *content)
{
  return content->spans->len > 0 ? &g_array_index (content->spans, struct span, content->spans->len - 1) : NULL;
}

static void
begin_span (VkContent *content, guint64 first, guint64 stored, gboolean repeats)
{
  struct span span = { .first = first, .stored = stored, .repeats = repeats };

  g_array_append_val (content->spans, span);
}

/* The last id is of last, a span of different ones, and comes again: it becomes a span
 * of its own. */
static void
split_last (VkContent *content, struct span *last)
{
  if (last->first == content->length - 1)
    last->repeats = TRUE;
  else
    begin_span (content, content->length - 1, content->stored - 1, TRUE);
}

static void
append_one (VkContent *content, const VkResticId *id)
{
  struct span *last = last_span (content);

  if (last != NULL && vk_restic_id_equal (id, &content->ids[content->stored - 1]))
    {
      if (!last->repeats)
        split_last (content, last);
    }
  else
    {
      if (last == NULL || last->repeats)
        begin_span (content, content->length, content->stored, FALSE);
      store (content, id);
    }
  content->length++;
}

void
vk_content_append (VkContent *content, const VkResticId *id, guint64 count)
{
  /* After the second one the last span is of this id. */
  for (guint64 i = 0; i < MIN (count, 2); i++)
    append_one (content, id);
  if (count > 2)
    content->length += count - 2;
}

guint64
vk_content_length (const VkContent *content)
{
  return content->length;
}

/* The number of the span that index is in. */
static guint
find_span (const VkContent *content, guint64 index)
{
  guint low = 0;
  guint high = content->spans->len;

  while (high - low > 1)
    {
      guint middle = low + (high - low) / 2;

      if (g_array_index (content->spans, struct span, middle).first <= index)
        low = middle;
      else
        high = middle;
    }
  return low;
}

const VkResticId *
vk_content_get_run (const VkContent *content, guint64 index, guint64 *count)
{
  guint number = find_span (content, index);
  const struct span *span = &g_array_index (content->spans, struct span, number);
  guint64 end = number + 1 < content->spans->len ? span[1].first : content->length;

  g_assert (index < content->length);
  *count = span->repeats ? end - index : 1;
  return &content->ids[span->repeats ? span->stored : span->stored + (index - span->first)];
}

const VkResticId *
vk_content_get (const VkContent *content, guint64 index)
{
  guint64 count;

  return vk_content_get_run (content, index, &count);
}

char *
vk_content_digest (const VkContent *content)
{
  g_autoptr (VkDigest) digest = vk_digest_new ();
  guint64 count;

  for (guint64 i = 0; i < content->length; i += count)
    {
      const VkResticId *id = vk_content_get_run (content, i, &count);

      for (guint64 j = 0; j < count; j++)
        vk_digest_update (digest, id->bytes, VK_RESTIC_ID_BYTES);
    }
  return vk_digest_finish (digest);
}

gsize
vk_content_memory (const VkContent *content)
{
  return sizeof *content + content->room * sizeof (VkResticId) + content->spans->len * sizeof (struct span);
}
