/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What everything in a restic repository is called by: a SHA-256. */
#pragma once

#include <glib.h>

enum { VK_RESTIC_ID_BYTES = 32, VK_RESTIC_ID_DIGITS = 64 };

typedef struct
{
  guint8 bytes[VK_RESTIC_ID_BYTES];
} VkResticId;

/* FALSE unless text is exactly 64 lower-case hexadecimal digits. */
gboolean vk_restic_id_parse (const char *text, VkResticId *id);

/* The same for length characters that need no NUL behind them. */
gboolean vk_restic_id_parse_length (const char *text, gsize length, VkResticId *id);

/* Writes 64 lower-case hexadecimal digits and a NUL to text. */
void vk_restic_id_format (const VkResticId *id, char text[VK_RESTIC_ID_DIGITS + 1]);

/* Returns: (transfer full) the same. */
char *vk_restic_id_to_string (const VkResticId *id);

/* The id of length bytes of data. */
void vk_restic_id_of (const void *data, gsize length, VkResticId *id);

gboolean vk_restic_id_equal (const VkResticId *a, const VkResticId *b);

/* GHashFunc and GEqualFunc for keys that are VkResticId *. */
guint vk_restic_id_hash (gconstpointer id);
gboolean vk_restic_id_equals (gconstpointer a, gconstpointer b);
