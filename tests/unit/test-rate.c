/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claim: whatever is asked of a rate limit, and by how many at a time, no more than rate
 * times time and its burst gets through, and no less than that when it is asked for. */
#include "config.h"

#include "command/command.h"
#include "transfer/rate-limit.h"

enum
{
  REQUEST = 64 * 1024,
  RATE = 1024 * 1024,
  CHILD_RATE = 256 * 1024,
  STEPS = 20000,
};

/* Asks again and again for so many seconds of a clock that jumps, waiting as it is told.
 * Returns the bytes taken. */
static guint64
take_for (VkRateLimit *limit, gint64 start, gint64 seconds)
{
  gint64 now = start;
  guint64 taken = 0;

  while (now < start + seconds * G_USEC_PER_SEC)
    {
      gint64 wait = vk_rate_limit_take (limit, REQUEST, now);

      g_assert_cmpint (wait, >=, 0);
      now += wait;
      if (wait == 0)
        taken += REQUEST;
    }
  return taken;
}

static void
test_bounds (void)
{
  g_autoptr (VkRateLimit) limit = vk_rate_limit_new (RATE, NULL);
  guint64 taken = take_for (limit, 1000, 10);

  g_assert_cmpuint (vk_rate_limit_burst (limit), ==, RATE / 10);
  g_assert_cmpuint (taken, <=, 10 * RATE + RATE / 10 + REQUEST);
  g_assert_cmpuint (taken, >=, 10 * RATE);
}

/* What was not used is not saved up. */
static void
test_pause (void)
{
  g_autoptr (VkRateLimit) limit = vk_rate_limit_new (RATE, NULL);

  take_for (limit, 1000, 1);
  g_assert_cmpuint (take_for (limit, 1000 + 3600 * (gint64) G_USEC_PER_SEC, 1), <=, RATE + RATE / 10 + REQUEST);
}

/* A request that is larger than what the rate gives in a second goes through, and is
 * paid for afterwards. */
static void
test_large_request (void)
{
  g_autoptr (VkRateLimit) limit = vk_rate_limit_new (1000, NULL);

  g_assert_cmpint (vk_rate_limit_take (limit, 10100, 1000), ==, 0);
  g_assert_cmpint (vk_rate_limit_take (limit, 1, 1000), >=, 10 * G_USEC_PER_SEC);
  g_assert_cmpint (vk_rate_limit_take (limit, 1, 1000 + 9 * G_USEC_PER_SEC), >, 0);
  g_assert_cmpint (vk_rate_limit_take (limit, 1, 1001 + 10 * G_USEC_PER_SEC), ==, 0);
}

/* A clock that goes back gives nothing away. */
static void
test_clock_back (void)
{
  g_autoptr (VkRateLimit) limit = vk_rate_limit_new (1000, NULL);

  g_assert_cmpint (vk_rate_limit_take (limit, 1100, 5 * G_USEC_PER_SEC), ==, 0);
  g_assert_cmpint (vk_rate_limit_take (limit, 1, 1 * G_USEC_PER_SEC), >, 0);
  g_assert_cmpint (vk_rate_limit_take (limit, 1, 5 * G_USEC_PER_SEC + 1000), >, 0);
}

/* Two disks, one with a limit of its own, under that of the whole. */
static void
test_parent (void)
{
  g_autoptr (VkRateLimit) total = vk_rate_limit_new (RATE, NULL);
  g_autoptr (VkRateLimit) limit = vk_rate_limit_new (CHILD_RATE, total);
  guint64 child = 0, other = 0;
  gint64 now = 1000;

  g_assert_cmpuint (vk_rate_limit_burst (limit), ==, CHILD_RATE / 10);
  for (guint i = 0; i < STEPS; i++, now += 1000)
    {
      child += vk_rate_limit_take (limit, 4096, now) == 0 ? 4096 : 0;
      other += vk_rate_limit_take (total, 4096, now) == 0 ? 4096 : 0;
    }
  g_assert_cmpuint (child, <=, STEPS / 1000 * CHILD_RATE + CHILD_RATE / 10 + 4096);
  g_assert_cmpuint (child, >=, STEPS / 1000 * CHILD_RATE / 2);
  g_assert_cmpuint (child + other, <=, STEPS / 1000 * RATE + RATE / 10 + 4096);
  g_assert_cmpuint (child + other, >=, STEPS / 1000 * RATE * 9 / 10);
}

static gpointer
take_in_thread (gpointer user_data)
{
  guint64 taken = 0;

  for (guint i = 0; i < STEPS; i++)
    taken += vk_rate_limit_take (user_data, 100, 1000) == 0 ? 100 : 0;
  return GSIZE_TO_POINTER (taken);
}

static void
test_threads (void)
{
  g_autoptr (VkRateLimit) limit = vk_rate_limit_new (RATE, NULL);
  GThread *threads[4];
  gsize taken = 0;

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("take", take_in_thread, limit);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    taken += GPOINTER_TO_SIZE (g_thread_join (threads[i]));
  g_assert_cmpuint (taken, >=, RATE / 10);
  g_assert_cmpuint (taken, <=, RATE / 10 + 100);
}

static void
test_divide (void)
{
  static const struct
  {
    guint64 total;
    guint64 caps[3], shares[3];
    guint n;
  } cases[] = {
    { 900, { 0, 0, 0 }, { 300, 300, 300 }, 3 },
    { 900, { 0 }, { 900 }, 1 },
    { 900, { 100, 0, 0 }, { 100, 400, 400 }, 3 },
    { 900, { 0, 350, 100 }, { 450, 350, 100 }, 3 },
    { 900, { 100, 100, 100 }, { 100, 100, 100 }, 3 },
    { 900, { 5000, 0 }, { 450, 450 }, 2 },
    { 0, { 7, 0 }, { 7, 0 }, 2 },
    { 1, { 0, 0, 0 }, { 1, 1, 1 }, 3 }, /* 0 would be without a limit */
    { 900, { 0 }, { 0 }, 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint64 shares[3] = { 0 };

      vk_rate_divide (cases[i].total, cases[i].caps, shares, cases[i].n);
      for (guint disk = 0; disk < cases[i].n; disk++)
        g_assert_cmpuint (shares[disk], ==, cases[i].shares[disk]);
    }
}

static void
test_sizes (void)
{
  static const struct
  {
    const char *text;
    guint plain_shift;
    guint64 bytes; /* G_MAXUINT64: it is no size */
  } cases[] = {
    { "0", 0, 0 }, { "1", 0, 1 }, { "1", 20, 1 << 20 }, { "64K", 0, 64 << 10 }, { "20m", 20, 20 << 20 },
    { "3G", 0, G_GUINT64_CONSTANT (3) << 30 }, { "2T", 0, G_GUINT64_CONSTANT (2) << 40 },
    { "9223372036854775807", 0, G_MAXINT64 }, { "9223372036854775808", 0, G_MAXUINT64 }, { "8388608T", 0, G_MAXUINT64 },
    { "8796093022208", 20, G_MAXUINT64 }, { "99999999999999999999999", 0, G_MAXUINT64 },
    { "", 0, G_MAXUINT64 }, { "K", 0, G_MAXUINT64 }, { "-1", 0, G_MAXUINT64 }, { "+1", 0, G_MAXUINT64 }, { " 1", 0, G_MAXUINT64 },
    { "1 ", 0, G_MAXUINT64 }, { "1KB", 0, G_MAXUINT64 }, { "1.5G", 0, G_MAXUINT64 }, { "0x10", 0, G_MAXUINT64 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint64 bytes = G_MAXUINT64;

      g_test_message ("'%s'", cases[i].text);
      g_assert_cmpint (vk_parse_size (cases[i].text, cases[i].plain_shift, &bytes), ==, cases[i].bytes != G_MAXUINT64);
      g_assert_cmpuint (bytes, ==, cases[i].bytes);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rate/bounds", test_bounds);
  g_test_add_func ("/rate/pause", test_pause);
  g_test_add_func ("/rate/large-request", test_large_request);
  g_test_add_func ("/rate/clock-back", test_clock_back);
  g_test_add_func ("/rate/parent", test_parent);
  g_test_add_func ("/rate/threads", test_threads);
  g_test_add_func ("/rate/divide", test_divide);
  g_test_add_func ("/rate/sizes", test_sizes);
  return g_test_run ();
}
