/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "transfer/sink.h"

void
vk_sink_free (VkSink *sink)
{
  if (sink != NULL)
    sink->ops->free (sink);
}
