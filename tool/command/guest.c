/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/guest.h"

#include "base/error.h"
#include "base/interrupt.h"

gboolean
vk_look_into_point (VkInvocation *invocation, const char *disk, const char *filesystem, VkGuestFunc look, GError **error)
{
  g_autoptr (VkStore) store = vk_open_store (invocation, FALSE, error);
  g_autoptr (VkPoint) point = store ? vk_store_find_point (store, invocation->arguments[0], error) : NULL;
  g_autoptr (VkInterrupt) interrupt = NULL;
  g_autoptr (VkGuest) guest = NULL;
  g_autofree char *name = NULL;

  if (point == NULL)
    return FALSE;
  name = vk_point_name (point);
  interrupt = vk_interrupt_new ();
  guest = vk_guest_open (store, point, disk, filesystem, vk_interrupt_cancellable (interrupt), error);
  if (guest != NULL && look (invocation, guest, name, vk_interrupt_cancellable (interrupt), error))
    return TRUE;
  vk_interrupt_claim_error (interrupt, error);
  return FALSE;
}

char *
vk_guest_path (const char *path)
{
  return *path == '/' ? g_strdup (path) : g_strconcat ("/", path, NULL);
}
