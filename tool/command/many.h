/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command that is run for several domains, each in a process of its own. */
#pragma once

#include "base/interrupt.h"
#include "command/command.h"
#include "command/selection.h"

typedef enum
{
  VK_ORDER_GIVEN,  /* as they were named */
  VK_ORDER_NAME,
  VK_ORDER_OLDEST, /* whose newest restore point is oldest; first of all those that have none */
} VkManyOrder;

extern const char *const vk_order_words[];

typedef struct
{
  const VkCommand *command;
  const char *const *own;      /* NULL-terminated: options that are not for the single domain */
  const VkSelection *selection;
  guint jobs;                  /* so many processes at a time, 1 or more */
  VkManyOrder order;
  gboolean obeys_policies;     /* of the domains */
  VkProgressStyle style;
} VkManyRequest;

/* Runs the command for each domain that is selected, with the options of invocation; one that
 * fails does not stop the others.  Each goes to the store that its policy or the configuration has
 * for it.  Fills in result and text.  VK_ERROR_SOME_FAILED or
 * VK_ERROR_ALL_FAILED when domains failed; a signal is passed on, and no more are started. */
gboolean vk_many_run (VkInvocation *invocation, const VkManyRequest *request, VkInterrupt *interrupt, GError **error);
