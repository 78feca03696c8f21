/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/id.h"

#include <openssl/evp.h>
#include <string.h>

/* The value of a lower-case hexadecimal digit, or -1. */
static int
digit_value (char digit)
{
  if (digit >= '0' && digit <= '9')
    return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

gboolean
vk_restic_id_parse_length (const char *text, gsize length, VkResticId *id)
{
  if (length != VK_RESTIC_ID_DIGITS)
    return FALSE;
  for (gsize i = 0; i < VK_RESTIC_ID_BYTES; i++)
    {
      int high = digit_value (text[2 * i]);
      int low = digit_value (text[2 * i + 1]);

      if (high < 0 || low < 0)
        return FALSE;
      id->bytes[i] = (guint8) (high << 4 | low);
    }
  return TRUE;
}

gboolean
vk_restic_id_parse (const char *text, VkResticId *id)
{
  return vk_restic_id_parse_length (text, strlen (text), id);
}

void
vk_restic_id_format (const VkResticId *id, char text[VK_RESTIC_ID_DIGITS + 1])
{
  static const char digits[] = "0123456789abcdef";

  for (gsize i = 0; i < VK_RESTIC_ID_BYTES; i++)
    {
      text[2 * i] = digits[id->bytes[i] >> 4];
      text[2 * i + 1] = digits[id->bytes[i] & 15];
    }
  text[VK_RESTIC_ID_DIGITS] = '\0';
}

char *
vk_restic_id_to_string (const VkResticId *id)
{
  char *text = g_malloc (VK_RESTIC_ID_DIGITS + 1);

  vk_restic_id_format (id, text);
  return text;
}

static void
free_context (gpointer context)
{
  EVP_MD_CTX_free (context);
}

/* EVP_Q_digest() and EVP_sha256() look the algorithm up each time, which for a
 * small blob takes longer than hashing it. */
void
vk_restic_id_of (const void *data, gsize length, VkResticId *id)
{
  static GPrivate kept = G_PRIVATE_INIT (free_context);
  EVP_MD_CTX *context = g_private_get (&kept);
  const EVP_MD *algorithm = NULL; /* the one that context has */
  gboolean ok;

  if (context == NULL)
    {
      context = EVP_MD_CTX_new ();
      algorithm = EVP_sha256 ();
      g_private_set (&kept, context);
    }
  ok = EVP_DigestInit_ex (context, algorithm, NULL) == 1 && EVP_DigestUpdate (context, data, length) == 1 && EVP_DigestFinal_ex (context, id->bytes, NULL) == 1;
  if (!ok)
    g_error ("libcrypto has no working SHA-256");
}

gboolean
vk_restic_id_equal (const VkResticId *a, const VkResticId *b)
{
  return memcmp (a->bytes, b->bytes, VK_RESTIC_ID_BYTES) == 0;
}

guint
vk_restic_id_hash (gconstpointer id)
{
  guint hash;

  memcpy (&hash, ((const VkResticId *) id)->bytes, sizeof hash);
  return hash;
}

gboolean
vk_restic_id_equals (gconstpointer a, gconstpointer b)
{
  return vk_restic_id_equal (a, b);
}
