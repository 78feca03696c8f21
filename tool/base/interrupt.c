/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/interrupt.h"

#include <glib-unix.h>
#include <signal.h>

#include "base/error.h"

/* The signals are dispatched on a thread of their own: the main thread may be
 * inside a libvirt call or a long copy when one comes. */
struct VkInterrupt
{
  GCancellable *cancellable;
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;
  int signal; /* atomic; 0: none came */
};

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

struct signal_source
{
  VkInterrupt *interrupt;
  int signal;
};

static gboolean
handle_signal (gpointer user_data)
{
  struct signal_source *source = user_data;

  if (g_atomic_int_compare_and_exchange (&source->interrupt->signal, 0, source->signal))
    g_cancellable_cancel (source->interrupt->cancellable);
  return G_SOURCE_CONTINUE;
}

static gpointer
run_loop (gpointer user_data)
{
  VkInterrupt *interrupt = user_data;

  g_main_loop_run (interrupt->loop);
  return NULL;
}

VkInterrupt *
vk_interrupt_new (void)
{
  VkInterrupt *interrupt = g_new0 (VkInterrupt, 1);

  interrupt->cancellable = g_cancellable_new ();
  interrupt->context = g_main_context_new ();
  interrupt->loop = g_main_loop_new (interrupt->context, FALSE);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    {
      g_autoptr (GSource) source = g_unix_signal_source_new (signals[i]);
      struct signal_source *data = g_new (struct signal_source, 1);

      data->interrupt = interrupt;
      data->signal = signals[i];
      g_source_set_callback (source, handle_signal, data, g_free);
      g_source_attach (source, interrupt->context);
    }
  interrupt->thread = g_thread_new ("signals", run_loop, interrupt);
  g_cancellable_push_current (interrupt->cancellable);
  return interrupt;
}

static gboolean
quit_loop (gpointer user_data)
{
  g_main_loop_quit (user_data);
  return G_SOURCE_REMOVE;
}

void
vk_interrupt_free (VkInterrupt *interrupt)
{
  /* Not g_main_context_invoke(): it would quit at once, and in vain, a loop
   * that its thread has not begun to run. */
  g_autoptr (GSource) quit = g_idle_source_new ();

  g_cancellable_pop_current (interrupt->cancellable);
  g_source_set_callback (quit, quit_loop, interrupt->loop, NULL);
  g_source_attach (quit, interrupt->context);
  g_thread_join (interrupt->thread);
  g_main_loop_unref (interrupt->loop);
  g_main_context_unref (interrupt->context);
  g_object_unref (interrupt->cancellable);
  g_free (interrupt);
}

GCancellable *
vk_interrupt_cancellable (VkInterrupt *interrupt)
{
  return interrupt->cancellable;
}

int
vk_interrupt_signal (VkInterrupt *interrupt)
{
  return g_atomic_int_get (&interrupt->signal);
}

gboolean
vk_interrupt_claim_error (VkInterrupt *interrupt, GError **error)
{
  switch (g_atomic_int_get (&interrupt->signal))
    {
    case SIGINT:
      g_clear_error (error);
      vk_fail (error, VK_ERROR_INTERRUPTED, "interrupted: stopped and cleaned up");
      return TRUE;
    case SIGTERM:
      g_clear_error (error);
      vk_fail (error, VK_ERROR_TERMINATED, "terminated: stopped and cleaned up");
      return TRUE;
    case SIGHUP:
      g_clear_error (error);
      vk_fail (error, VK_ERROR_HUNG_UP, "hung up: stopped and cleaned up");
      return TRUE;
    default:
      return FALSE;
    }
}
