/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/question.h"

#include <string.h>

#include "base/environment.h"
#include "base/error.h"

enum { CANCELLED_SECONDS = 10, LOOK_MILLISECONDS = 250 };

typedef struct
{
  virDomainPtr domain;
  VkQuestionFunc func;
  gpointer data;
  GDestroyNotify free_data;
  GError *error; /* of func */
  gboolean answered;
  gboolean given_up; /* nobody waits for it any more */
} Question;

/* Of all questions. */
static GMutex lock;
static GCond changed;
static GPtrArray *unanswered; /* Question, those that were given up */

static Question *
question_new (virDomainPtr domain, VkQuestionFunc func, gpointer data, GDestroyNotify free_data)
{
  Question *question = g_new0 (Question, 1);

  virDomainRef (domain);
  question->domain = domain;
  question->func = func;
  question->data = data;
  question->free_data = free_data;
  return question;
}

static void
free_data_of (const Question *question)
{
  if (question->free_data != NULL)
    question->free_data (question->data);
}

static void
question_free (Question *question)
{
  virDomainFree (question->domain);
  g_clear_error (&question->error);
  g_free (question);
}

static gpointer
run (gpointer user_data)
{
  Question *question = user_data;
  gboolean given_up;

  question->func (question->domain, question->data, &question->error);
  g_mutex_lock (&lock);
  question->answered = TRUE;
  given_up = question->given_up;
  if (given_up)
    g_ptr_array_remove_fast (unanswered, question);
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
  if (given_up)
    {
      free_data_of (question);
      question_free (question);
    }
  return NULL;
}

static gboolean
is_same_domain (virDomainPtr domain, virDomainPtr other)
{
  unsigned char uuid[VIR_UUID_BUFLEN], other_uuid[VIR_UUID_BUFLEN];

  return virDomainGetUUID (domain, uuid) == 0 && virDomainGetUUID (other, other_uuid) == 0 && memcmp (uuid, other_uuid, sizeof uuid) == 0;
}

/* With the lock held. */
static gboolean
is_silent (virDomainPtr domain)
{
  for (guint i = 0; unanswered != NULL && i < unanswered->len; i++)
    if (is_same_domain (domain, ((const Question *) g_ptr_array_index (unanswered, i))->domain))
      return TRUE;
  return FALSE;
}

/* With the lock held.  Returns whether there is an answer. */
static gboolean
wait_for_answer (const Question *question, guint64 patience)
{
  GCancellable *cancellable = g_cancellable_get_current ();
  gint64 deadline = g_get_monotonic_time () + (gint64) patience * G_USEC_PER_SEC;
  gboolean cancelled = FALSE;

  while (!question->answered && g_get_monotonic_time () < deadline)
    {
      g_cond_wait_until (&changed, &lock, MIN (deadline, g_get_monotonic_time () + LOOK_MILLISECONDS * 1000));
      if (!cancelled && g_cancellable_is_cancelled (cancellable))
        {
          cancelled = TRUE;
          deadline = MIN (deadline, g_get_monotonic_time () + CANCELLED_SECONDS * G_USEC_PER_SEC);
        }
    }
  return question->answered;
}

gboolean
vk_question_ask (virDomainPtr domain, VkQuestionFunc func, gpointer data, GDestroyNotify free_data, GError **error)
{
  const char *name = virDomainGetName (domain);
  Question *question;
  GThread *thread;
  guint64 patience;
  gboolean silent, answered, done;

  g_mutex_lock (&lock);
  silent = is_silent (domain);
  g_mutex_unlock (&lock);
  if (silent || !vk_copy_patience (&patience, error))
    {
      if (free_data != NULL)
        free_data (data);
      return silent ? vk_fail (error, VK_ERROR_GUEST, "QEMU of the domain '%s' does not answer", name) : FALSE;
    }
  question = question_new (domain, func, data, free_data);
  thread = g_thread_new ("question", run, question);
  g_mutex_lock (&lock);
  answered = wait_for_answer (question, patience);
  if (!answered)
    {
      question->given_up = TRUE;
      if (unanswered == NULL)
        unanswered = g_ptr_array_new ();
      g_ptr_array_add (unanswered, question);
    }
  g_mutex_unlock (&lock);
  if (!answered)
    {
      g_thread_unref (thread);
      return vk_fail (error, VK_ERROR_GUEST, "QEMU of the domain '%s' does not answer: it hangs, or a storage that it waits for", name);
    }
  g_thread_join (thread);
  done = question->error == NULL;
  if (!done)
    {
      g_propagate_error (error, g_steal_pointer (&question->error));
      free_data_of (question);
    }
  question_free (question);
  return done;
}
