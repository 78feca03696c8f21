/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What forget and prune have in common. */
#pragma once

#include "command/command.h"
#include "store/store.h"

/* Adds "removed" and "merged" to the JSON result. */
void vk_removal_fill_result (JsonObject *result, const VkRemoval *removal);

/* "3 restore points removed, ..." for people. */
void vk_removal_append_text (GString *text, const VkRemoval *removal);
