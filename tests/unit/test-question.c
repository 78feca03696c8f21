/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claim: a call of libvirt's that does not come back is given up after the patience for a copy, the
 * next ones for that domain at once; and when it comes back, all is as before. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "host/question.h"

typedef struct
{
  GMutex lock;
  GCond changed;
  gboolean may_answer;
  guint answered, freed;
} Fixture;

static virDomainPtr domain;

static gboolean
answer (virDomainPtr asked, gpointer data, GError **error)
{
  Fixture *fixture = data;

  g_assert_cmpstr (virDomainGetName (asked), ==, "test");
  g_mutex_lock (&fixture->lock);
  while (!fixture->may_answer)
    g_cond_wait (&fixture->changed, &fixture->lock);
  fixture->answered++;
  g_mutex_unlock (&fixture->lock);
  return TRUE;
}

static void
count_freed (gpointer data)
{
  Fixture *fixture = data;

  g_mutex_lock (&fixture->lock);
  fixture->freed++;
  g_cond_broadcast (&fixture->changed);
  g_mutex_unlock (&fixture->lock);
}

static void
test_answer (void)
{
  Fixture fixture = { .may_answer = TRUE };
  g_autoptr (GError) error = NULL;

  g_assert_true (vk_question_ask (domain, answer, &fixture, count_freed, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (fixture.answered, ==, 1);
  g_assert_cmpuint (fixture.freed, ==, 0);
}

static gboolean
refuse (virDomainPtr asked, gpointer data, GError **error)
{
  return vk_fail (error, VK_ERROR_BUSY, "not now");
}

static void
test_refusal (void)
{
  Fixture fixture = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_false (vk_question_ask (domain, refuse, &fixture, count_freed, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_BUSY);
  g_assert_cmpuint (fixture.freed, ==, 1);
}

static void
test_silence (void)
{
  Fixture fixture = { .may_answer = FALSE };
  g_autoptr (GError) error = NULL;
  gint64 start;

  g_assert_false (vk_question_ask (domain, answer, &fixture, count_freed, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_GUEST);
  g_assert_nonnull (strstr (error->message, "'test' does not answer"));
  g_clear_error (&error);

  /* It is not asked again. */
  start = g_get_monotonic_time ();
  g_assert_false (vk_question_ask (domain, answer, &fixture, count_freed, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_GUEST);
  g_assert_cmpint (g_get_monotonic_time () - start, <, G_USEC_PER_SEC);
  g_assert_cmpuint (fixture.freed, ==, 1);
  g_clear_error (&error);

  g_mutex_lock (&fixture.lock);
  fixture.may_answer = TRUE;
  g_cond_broadcast (&fixture.changed);
  while (fixture.freed < 2)
    g_cond_wait (&fixture.changed, &fixture.lock);
  g_mutex_unlock (&fixture.lock);
  g_assert_cmpuint (fixture.answered, ==, 1);
  g_assert_true (vk_question_ask (domain, answer, &fixture, count_freed, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (fixture.answered, ==, 2);
}

int
main (int argc, char **argv)
{
  virConnectPtr connection;
  int failed;

  g_test_init (&argc, &argv, NULL);
  g_setenv ("VIRT_KEEP_COPY_STALL_SECONDS", "1", TRUE);
  connection = virConnectOpen ("test:///default");
  domain = connection ? virDomainLookupByName (connection, "test") : NULL;
  g_assert_nonnull (domain);
  g_test_add_func ("/question/answer", test_answer);
  g_test_add_func ("/question/refusal", test_refusal);
  g_test_add_func ("/question/silence", test_silence);
  failed = g_test_run ();
  virDomainFree (domain);
  virConnectClose (connection);
  return failed;
}
