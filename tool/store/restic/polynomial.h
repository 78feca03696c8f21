/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Polynomials over GF(2), bit i the coefficient of x^i: restic cuts files with
 * a random irreducible one of degree 53. */
#pragma once

#include <glib.h>

enum { VK_POLYNOMIAL_DEGREE = 53 };

/* Whether a polynomial of degree 53 cannot be factored; FALSE for another
 * degree. */
gboolean vk_polynomial_is_irreducible (guint64 polynomial);

/* An irreducible one, drawn evenly from all of that degree. */
guint64 vk_polynomial_random (void);
