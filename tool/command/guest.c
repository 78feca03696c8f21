/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/guest.h"

#include "base/error.h"
#include "base/interrupt.h"

static gboolean
look_into (VkInvocation *invocation, VkStore *store, const VkPoint *point, const VkGuestRequest *request, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  g_autofree char *name = vk_point_name (point);
  g_autoptr (VkGuest) guest = NULL;

  vk_reporter_phase (reporter, "open", "opening the file systems");
  guest = vk_guest_open (store, point, request->disk, request->filesystem, cancellable, error);
  return guest != NULL && request->look (invocation, guest, name, reporter, cancellable, error);
}

gboolean
vk_look_into_point (VkInvocation *invocation, const VkGuestRequest *request, GError **error)
{
  g_autoptr (VkStore) store = vk_open_store (invocation, FALSE, error);
  g_autoptr (VkPoint) point = store ? vk_store_find_point (store, invocation->arguments[0], error) : NULL;
  g_autoptr (VkInterrupt) interrupt = NULL;
  g_autoptr (VkReporter) reporter = NULL;

  if (point == NULL)
    return FALSE;
  interrupt = vk_interrupt_new ();
  reporter = vk_reporter_new (request->style, stderr, point->domain);
  vk_reporter_event (reporter, "start", NULL, NULL);
  if (look_into (invocation, store, point, request, reporter, vk_interrupt_cancellable (interrupt), error))
    {
      vk_reporter_end (reporter, NULL);
      return TRUE;
    }
  vk_interrupt_claim_error (interrupt, error);
  vk_reporter_end (reporter, *error);
  return FALSE;
}

char *
vk_guest_path (const char *path)
{
  return *path == '/' ? g_strdup (path) : g_strconcat ("/", path, NULL);
}
