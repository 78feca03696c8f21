/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every backend must do, whatever is behind it. */
#pragma once

#include "store/restic/backend.h"

/* Prints "ok - CLAIM" or "not ok - CLAIM" for each promise of backend.h.  The
 * place must be empty, and holds nothing but a config file afterwards. */
void contract_run (VkBackend *backend);

/* The name that a file of that content has.  Returns: (transfer full). */
char *contract_name_of (GBytes *content);
