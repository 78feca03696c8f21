/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/rate-limit.h"

/* The burst is what the rate gives in a tenth of a second. */
enum { BURSTS_PER_SECOND = 10 };

struct VkRateLimit
{
  GMutex lock;
  VkRateLimit *parent;
  guint64 rate;   /* bytes per second */
  double balance; /* bytes that may be moved; below 0 after more was moved than there were */
  gint64 filled;  /* monotonic microseconds of the balance; 0: never asked yet */
};

static double
burst_of (const VkRateLimit *limit)
{
  return (double) limit->rate / BURSTS_PER_SECOND;
}

VkRateLimit *
vk_rate_limit_new (guint64 bytes_per_second, VkRateLimit *parent)
{
  VkRateLimit *limit = g_new0 (VkRateLimit, 1);

  g_mutex_init (&limit->lock);
  limit->parent = parent;
  limit->rate = bytes_per_second;
  limit->balance = burst_of (limit);
  return limit;
}

void
vk_rate_limit_free (VkRateLimit *limit)
{
  g_mutex_clear (&limit->lock);
  g_free (limit);
}

static void
fill (VkRateLimit *limit, gint64 now)
{
  if (limit->filled != 0 && now > limit->filled)
    limit->balance = MIN (burst_of (limit), limit->balance + (double) (now - limit->filled) * (double) limit->rate / G_USEC_PER_SEC);
  limit->filled = MAX (limit->filled, now);
}

/* Microseconds until the balance is no debt any more. */
static gint64
time_in_debt (const VkRateLimit *limit)
{
  double time = -limit->balance * G_USEC_PER_SEC / (double) limit->rate;

  return limit->balance >= 0 ? 0 : (gint64) MIN (time, (double) G_MAXINT32) + 1;
}

gint64
vk_rate_limit_take (VkRateLimit *limit, guint64 bytes, gint64 now)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&limit->lock);
  gint64 wait;

  fill (limit, now);
  wait = time_in_debt (limit);
  if (wait == 0 && limit->parent != NULL)
    wait = vk_rate_limit_take (limit->parent, bytes, now);
  if (wait == 0)
    limit->balance -= (double) bytes;
  return wait;
}

guint64
vk_rate_limit_burst (const VkRateLimit *limit)
{
  guint64 burst = (guint64) burst_of (limit);

  return limit->parent ? MIN (burst, vk_rate_limit_burst (limit->parent)) : burst;
}

/* Gives the next one whose own limit is not above an equal share of left that limit.
 * FALSE when there is none. */
static gboolean
settle_one (guint64 *left, guint *unsettled, const guint64 *caps, guint64 *shares, guint n)
{
  for (guint i = 0; i < n; i++)
    if (shares[i] == 0 && caps[i] > 0 && caps[i] <= *left / *unsettled)
      {
        shares[i] = caps[i];
        *left -= caps[i];
        *unsettled -= 1;
        return TRUE;
      }
  return FALSE;
}

void
vk_rate_divide (guint64 total, const guint64 *caps, guint64 *shares, guint n)
{
  guint unsettled = n;

  for (guint i = 0; i < n; i++)
    shares[i] = total > 0 ? 0 : caps[i];
  if (total == 0)
    return;
  while (unsettled > 0 && settle_one (&total, &unsettled, caps, shares, n))
    ;
  for (guint i = 0; i < n; i++)
    if (shares[i] == 0)
      shares[i] = MAX (total / unsettled, 1);
}
