/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one function of a fuzz target.  libFuzzer calls it, or fuzz-main.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Parses size bytes that anybody may have written.  Returns 0; what goes wrong
 * ends the program. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
