/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/sigv4.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/digest.h"

enum
{
  HMAC_LENGTH = 32,
  DATE_LENGTH = 8, /* of "20150830T123600Z" */
};

#define ALGORITHM "AWS4-HMAC-SHA256"

char *
vk_sigv4_encode (const char *text, gboolean keep_slashes)
{
  GString *encoded = g_string_new (NULL);

  for (const char *c = text; *c != '\0'; c++)
    if (g_ascii_isalnum (*c) || strchr ("-._~", *c) != NULL || (*c == '/' && keep_slashes))
      g_string_append_c (encoded, *c);
    else
      g_string_append_printf (encoded, "%%%02X", (guint8) *c);
  return g_string_free (encoded, FALSE);
}

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* The strings, sorted by their bytes, with separator between them.
 * Returns: (transfer full). */
static char *
join_sorted (GPtrArray *strings, const char *separator)
{
  g_ptr_array_sort (strings, compare_strings);
  g_ptr_array_add (strings, NULL);
  return g_strjoinv (separator, (char **) strings->pdata);
}

/* "name=value" is sorted like the names alone: what may be in a name sorts after
 * "=" or is encoded, but for "-", "." and digits.  Therefore a byte below all of
 * them stands for "=" meanwhile. */
char *
vk_sigv4_query (const char *const *query)
{
  g_autoptr (GPtrArray) pairs = g_ptr_array_new_with_free_func (g_free);
  char *joined;

  for (guint i = 0; query != NULL && query[i] != NULL; i += 2)
    {
      g_autofree char *name = vk_sigv4_encode (query[i], FALSE);
      g_autofree char *value = vk_sigv4_encode (query[i + 1], FALSE);

      g_ptr_array_add (pairs, g_strconcat (name, "\001", value, NULL));
    }
  joined = join_sorted (pairs, "&");
  return g_strdelimit (joined, "\001", '=');
}

/* value without blanks around it and with one for many in it. */
static char *
squeeze (const char *value)
{
  GString *squeezed = g_string_new (NULL);

  for (const char *c = value; *c != '\0'; c++)
    if (!g_ascii_isspace (*c))
      g_string_append_c (squeezed, *c);
    else if (squeezed->len > 0 && squeezed->str[squeezed->len - 1] != ' ')
      g_string_append_c (squeezed, ' ');
  return g_strchomp (g_string_free (squeezed, FALSE));
}

/* "name:value\n" of each header in *lines and "name;name" in *names, both
 * (transfer full). */
static void
canonical_headers (const char *const *headers, char **lines, char **names)
{
  g_autoptr (GPtrArray) all_lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) all_names = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; headers[i] != NULL; i++)
    {
      const char *colon = strchr (headers[i], ':');
      g_autofree char *name = g_ascii_strdown (headers[i], colon - headers[i]);
      g_autofree char *value = squeeze (colon + 1);

      g_ptr_array_add (all_lines, g_strdup_printf ("%s\001%s\n", name, value));
      g_ptr_array_add (all_names, g_steal_pointer (&name));
    }
  *lines = g_strdelimit (join_sorted (all_lines, ""), "\001", ':');
  *names = join_sorted (all_names, ";");
}

char *
vk_sigv4_canonical_request (const VkSigV4Request *request)
{
  g_autofree char *path = vk_sigv4_encode (request->path, TRUE);
  g_autofree char *query = vk_sigv4_query (request->query);
  g_autofree char *lines = NULL;
  g_autofree char *names = NULL;

  canonical_headers (request->headers, &lines, &names);
  return g_strdup_printf ("%s\n%s\n%s\n%s\n%s\n%s", request->method, path, query, lines, names, request->payload_sha256);
}

static char *
sha256_hex (const char *text)
{
  g_autoptr (VkDigest) digest = vk_digest_new ();

  vk_digest_update (digest, text, strlen (text));
  return vk_digest_finish (digest);
}

/* mac = HMAC-SHA256 (key, text); mac may be key. */
static void
hmac (const guint8 *key, gsize key_length, const char *text, guint8 mac[HMAC_LENGTH])
{
  unsigned int length = HMAC_LENGTH;
  guint8 result[EVP_MAX_MD_SIZE];

  if (HMAC (EVP_sha256 (), key, (int) key_length, (const guint8 *) text, strlen (text), result, &length) == NULL)
    g_error ("libcrypto has no working HMAC-SHA256");
  memcpy (mac, result, HMAC_LENGTH);
}

/* The key of one day, region and service. */
static void
signing_key (const VkSigV4Scope *scope, const char *date, guint8 key[HMAC_LENGTH])
{
  g_autofree char *secret = g_strconcat ("AWS4", scope->secret_key, NULL);

  hmac ((const guint8 *) secret, strlen (secret), date, key);
  hmac (key, HMAC_LENGTH, scope->region, key);
  hmac (key, HMAC_LENGTH, scope->service, key);
  hmac (key, HMAC_LENGTH, "aws4_request", key);
}

static char *
sign (const VkSigV4Scope *scope, const char *date, const char *string_to_sign)
{
  guint8 mac[HMAC_LENGTH];
  GString *hex = g_string_new (NULL);

  signing_key (scope, date, mac);
  hmac (mac, sizeof mac, string_to_sign, mac);
  for (guint i = 0; i < sizeof mac; i++)
    g_string_append_printf (hex, "%02x", mac[i]);
  return g_string_free (hex, FALSE);
}

char *
vk_sigv4_authorization (const VkSigV4Request *request, const VkSigV4Scope *scope)
{
  g_autofree char *canonical = vk_sigv4_canonical_request (request);
  g_autofree char *canonical_hash = sha256_hex (canonical);
  g_autofree char *date = g_strndup (request->time, DATE_LENGTH);
  g_autofree char *where = g_strdup_printf ("%s/%s/%s/aws4_request", date, scope->region, scope->service);
  g_autofree char *to_sign = g_strdup_printf (ALGORITHM "\n%s\n%s\n%s", request->time, where, canonical_hash);
  g_autofree char *signature = sign (scope, date, to_sign);
  g_autofree char *lines = NULL;
  g_autofree char *names = NULL;

  canonical_headers (request->headers, &lines, &names);
  return g_strdup_printf (ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s", scope->access_key, where, names, signature);
}
