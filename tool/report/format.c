/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "report/format.h"

char *
vk_format_bytes (guint64 bytes)
{
  static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
  double value = (double) bytes;
  gsize unit = 0;

  /* 1023.5 would be printed as "1024". */
  while (value >= 1023.5 && unit + 1 < G_N_ELEMENTS (units))
    {
      value /= 1024;
      unit++;
    }
  return g_strdup_printf ("%.*f %s", unit == 0 || value >= 99.95 ? 0 : 1, value, units[unit]);
}

char *
vk_format_seconds (guint64 seconds)
{
  if (seconds >= 3600)
    return g_strdup_printf ("%" G_GUINT64_FORMAT ":%02u:%02u", seconds / 3600, (guint) (seconds / 60 % 60), (guint) (seconds % 60));
  return g_strdup_printf ("%u:%02u", (guint) (seconds / 60), (guint) (seconds % 60));
}
