/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sink that keeps nothing: for reading a disk to see that it can be read,
 * and the smallest example of a sink. */
#pragma once

#include "transfer/sink.h"

/* Returns: (transfer full). */
VkSink *vk_null_sink_new (void);
