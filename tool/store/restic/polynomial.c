/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/polynomial.h"

#include "store/restic/crypto.h"

/* The degree of a polynomial that is not 0. */
static int
degree (guint64 a)
{
  return 63 - __builtin_clzll (a);
}

static guint64
remainder_of (guint64 a, guint64 divisor)
{
  while (a != 0 && degree (a) >= degree (divisor))
    a ^= divisor << (degree (a) - degree (divisor));
  return a;
}

/* a times b modulo modulus; both have a lower degree than modulus. */
static guint64
multiply (guint64 a, guint64 b, guint64 modulus)
{
  guint64 product = 0;
  guint64 top = G_GUINT64_CONSTANT (1) << degree (modulus);

  for (; b != 0; b >>= 1)
    {
      if (b & 1)
        product ^= a;
      a <<= 1;
      if (a & top)
        a ^= modulus;
    }
  return product;
}

static guint64
greatest_common_divisor (guint64 a, guint64 b)
{
  while (b != 0)
    {
      guint64 rest = remainder_of (a, b);

      a = b;
      b = rest;
    }
  return a;
}

/* Rabin's test for a degree n that is a prime: p is irreducible if and only if p
 * divides x^(2^n) - x, which says that its factors' degrees divide n, and has
 * none in common with x^2 - x, which says that none of them is of degree 1. */
gboolean
vk_polynomial_is_irreducible (guint64 polynomial)
{
  const guint64 x = 2;
  guint64 power = x;

  if (polynomial == 0 || degree (polynomial) != VK_POLYNOMIAL_DEGREE)
    return FALSE;
  for (int i = 0; i < VK_POLYNOMIAL_DEGREE; i++)
    power = multiply (power, power, polynomial);
  return power == x && greatest_common_divisor (polynomial, 6 /* x^2 - x */) == 1;
}

guint64
vk_polynomial_random (void)
{
  const guint64 top = G_GUINT64_CONSTANT (1) << VK_POLYNOMIAL_DEGREE;
  guint64 polynomial;

  /* One in 53 is irreducible; without the term 1 it could be divided by x. */
  do
    {
      vk_restic_random (&polynomial, sizeof polynomial);
      polynomial = (polynomial & (top - 1)) | top | 1;
    }
  while (!vk_polynomial_is_irreducible (polynomial));
  return polynomial;
}
