/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/keepalive.h"

enum
{
  LOOK_MILLISECONDS = 250,
  BEAT_SECONDS = 1,
  /* Longer than anything but such a call lets the context wait. */
  SILENT_SECONDS = 10,
};

struct VkKeepalive
{
  GThread *thread;
  GSource *beat;
  GMutex lock; /* over what follows */
  GCond stopped;
  gboolean stopping;
  gint64 last_beat; /* when the context was last run by somebody else, monotonic microseconds */
};

static gboolean
note_beat (gpointer user_data)
{
  VkKeepalive *keepalive = user_data;

  if (g_thread_self () == keepalive->thread)
    return G_SOURCE_CONTINUE;
  g_mutex_lock (&keepalive->lock);
  keepalive->last_beat = g_get_monotonic_time ();
  g_mutex_unlock (&keepalive->lock);
  return G_SOURCE_CONTINUE;
}

/* What is due in the context, unless somebody runs it after all. */
static void
run_context (void)
{
  if (!g_main_context_acquire (NULL))
    return;
  g_main_context_iteration (NULL, FALSE);
  g_main_context_release (NULL);
}

static gpointer
watch (gpointer user_data)
{
  VkKeepalive *keepalive = user_data;

  g_mutex_lock (&keepalive->lock);
  while (!keepalive->stopping)
    {
      g_cond_wait_until (&keepalive->stopped, &keepalive->lock, g_get_monotonic_time () + LOOK_MILLISECONDS * 1000);
      if (keepalive->stopping || g_get_monotonic_time () - keepalive->last_beat < SILENT_SECONDS * G_USEC_PER_SEC)
        continue;
      g_mutex_unlock (&keepalive->lock);
      run_context ();
      g_mutex_lock (&keepalive->lock);
    }
  g_mutex_unlock (&keepalive->lock);
  return NULL;
}

VkKeepalive *
vk_keepalive_start (void)
{
  VkKeepalive *keepalive = g_new0 (VkKeepalive, 1);

  g_mutex_init (&keepalive->lock);
  g_cond_init (&keepalive->stopped);
  keepalive->last_beat = g_get_monotonic_time ();
  keepalive->thread = g_thread_new ("keepalive", watch, keepalive);
  keepalive->beat = g_timeout_source_new_seconds (BEAT_SECONDS);
  g_source_set_callback (keepalive->beat, note_beat, keepalive, NULL);
  g_source_attach (keepalive->beat, NULL);
  return keepalive;
}

void
vk_keepalive_stop (VkKeepalive *keepalive)
{
  if (keepalive == NULL)
    return;
  g_mutex_lock (&keepalive->lock);
  keepalive->stopping = TRUE;
  g_cond_signal (&keepalive->stopped);
  g_mutex_unlock (&keepalive->lock);
  g_thread_join (keepalive->thread);
  g_source_destroy (keepalive->beat);
  g_source_unref (keepalive->beat);
  g_mutex_clear (&keepalive->lock);
  g_cond_clear (&keepalive->stopped);
  g_free (keepalive);
}
